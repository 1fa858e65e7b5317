"""What root tells, and what a person answers: each side believes no more than it must."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.errors import Misuse
from gateway.transfer.sticks import told
from gateway.transfer.sticks.told import Answer, State, Told

ME = os.geteuid()
ONE = Told("sdb1", "a" * 32, State.ASKED, "may the box write to it?", 1.0, "WARD", "4C53")


@pytest.fixture
def area(tmp_path: Path) -> Path:
    (tmp_path / "run-sticks").mkdir()
    return tmp_path / "run-sticks"


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    return tmp_path / "run/sticks"


def test_what_is_told_is_read_in_the_order_in_which_sticks_came(area: Path) -> None:
    told.tell(area, Told("sda1", "b" * 32, State.MOUNTED, "", 2.0), os.getegid())
    told.tell(area, ONE, os.getegid())
    assert [t.name for t in told.all_told(area)] == ["sdb1", "sda1"]
    assert told.one_told(area, "sdb1") == ONE
    assert (area / "sdb1.json").stat().st_mode & 0o777 == 0o640
    told.forget(area, "sdb1")
    with pytest.raises(Misuse, match="no stick 'sdb1' is plugged in; plugged in: sda1"):
        told.one_told(area, "sdb1")


@pytest.mark.parametrize("rubbish", [b"", b"{", b"[]", b'{"version": 1}', b'{"version": 2, "name": "sdc1"}', b"\xff"])
def test_what_cannot_be_read_is_not_there(area: Path, rubbish: bytes) -> None:
    told.tell(area, ONE, os.getegid())
    (area / "sdc1.json").write_bytes(rubbish)
    assert [t.name for t in told.all_told(area)] == ["sdb1"]


def test_an_answer_counts_for_the_very_stick_it_was_given_for(answers: Path) -> None:
    assert not told.answered(answers, ONE, Answer.ALLOW, ME)
    told.answer(answers, ONE, Answer.ALLOW)
    assert told.answered(answers, ONE, Answer.ALLOW, ME)
    assert not told.answered(answers, ONE, Answer.EJECT, ME)
    next_one = Told("sdb1", "c" * 32, State.ASKED, "", 2.0)
    assert not told.answered(answers, next_one, Answer.ALLOW, ME), "another stick in the same socket"


def test_an_answer_of_another_user_is_none(answers: Path) -> None:
    told.answer(answers, ONE, Answer.ALLOW)
    assert not told.answered(answers, ONE, Answer.ALLOW, ME + 1)


@pytest.mark.parametrize("what", ["link", "folder", "pipe", "long", "hidden behind a link"])
def test_root_follows_no_link_and_waits_for_no_pipe(answers: Path, tmp_path: Path, what: str) -> None:
    answers.mkdir(parents=True)
    place, elsewhere = answers / "sdb1.allow", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "sdb1.allow").write_text(ONE.token)
    match what:
        case "link":
            place.symlink_to(elsewhere / "sdb1.allow")
        case "folder":
            place.mkdir()
        case "pipe":
            os.mkfifo(place)
        case "long":
            place.write_text(ONE.token + "x" * 1000)
        case _:
            answers.rmdir()
            answers.symlink_to(elsewhere)
    assert not told.answered(answers, ONE, Answer.ALLOW, ME)


def test_a_folder_that_nothing_is_mounted_at_is_no_stick(area: Path) -> None:
    device = os.stat(area).st_dev  # noqa: PTH116
    one = Told("sdb1", "a" * 32, State.MOUNTED, "", 1.0, device=f"{os.major(device)}:{os.minor(device)}")
    assert not told.is_mounted(area, one)
    (area / "sdb1").mkdir()
    assert not told.is_mounted(area, one), "an empty mount point: what is written there fills the box's own disk"
