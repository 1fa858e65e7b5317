"""The box's own memory of the file-sets it filled."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import fsops
from gateway.errors import Held
from gateway.transfer.sticks.register import Register, next_id

FILE = "PA000001/ST000001/SE000001/IN{:06}"


@pytest.fixture
def register(tmp_path: Path) -> Register:
    return Register(tmp_path / "media")


def test_it_remembers_what_was_filed_where_and_when_it_was_seen(register: Register, tmp_path: Path) -> None:
    register.seen("2.25.1", "GATEWAY", "WARD", "4C53", 100.0)
    for number in (1, 2):
        register.filed("2.25.1", FILE.format(number), f"{number}" * 64)
    register.seen("2.25.1", "GATEWAY", "WARD", "4C53", 9000.0)
    again = Register(tmp_path / "media")
    (entry,) = again.entries()
    assert (entry.file_set_id, entry.label, entry.first_seen, entry.last_seen) == ("GATEWAY", "WARD", 100.0, 9000.0)
    assert again.remembered("2.25.1") == {FILE.format(1): "1" * 64, FILE.format(2): "2" * 64}
    assert again.count("2.25.1") == 2
    assert again.remembered("2.25.9") == {}


def test_a_line_torn_by_a_power_cut_spoils_no_other(register: Register, tmp_path: Path) -> None:
    register.seen("2.25.1", "GATEWAY", "", "", 1.0)
    register.filed("2.25.1", FILE.format(1), "1" * 64)
    list_ = tmp_path / "media/2.25.1/SHA256.TXT"
    list_.write_bytes(list_.read_bytes() + b"2222  PA0000")
    register.filed("2.25.1", FILE.format(3), "3" * 64)
    assert register.remembered("2.25.1") == {FILE.format(1): "1" * 64, FILE.format(3): "3" * 64}


def test_a_copy_is_on_the_disk_when_it_is_noted(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    register.seen("2.25.1", "GATEWAY", "", "", 1.0)
    synced: list[str] = []
    monkeypatch.setattr(fsops, "watch", lambda when, what, where: synced.append(where) if when == "after" else None)
    register.filed("2.25.1", FILE.format(1), "1" * 64)
    assert synced[0].endswith("SHA256.TXT")
    assert synced[1].endswith("2.25.1"), "its folder, too"


def test_plugging_in_the_same_stick_again_and_again_wears_out_no_card(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    register.seen("2.25.1", "GATEWAY", "WARD", "4C53", 100.0)
    monkeypatch.setattr(fsops, "write_json", lambda *_: pytest.fail("written again"))
    register.seen("2.25.1", "GATEWAY", "WARD", "4C53", 130.0)


@pytest.mark.parametrize("uid", ["", "..", ".", "1..2", "../1", "1/2", "2.25.1\n", "2.25." + "1" * 70, "1.02", "abc"])
def test_a_medium_that_lies_about_its_uid_gets_no_folder(register: Register, tmp_path: Path, uid: str) -> None:
    with pytest.raises(Held, match="UID"):
        register.seen(uid, "GATEWAY", "", "", 1.0)
    assert register.remembered(uid) == {}
    assert not (tmp_path / "media").exists()


def test_facts_that_cannot_be_read_are_said_and_hide_no_other(register: Register, tmp_path: Path) -> None:
    register.seen("2.25.1", "GATEWAY", "", "", 1.0)
    register.seen("2.25.2", "GATEWAY_2", "", "", 2.0)
    (tmp_path / "media/2.25.1/facts.json").write_text("{")
    assert [e.file_set_uid for e in register.entries()] == ["2.25.2"]
    with pytest.raises(Held, match="move its folder away"):
        register.seen("2.25.1", "GATEWAY", "", "", 3.0)


@pytest.mark.parametrize(
    ("wanted", "taken", "found"),
    [
        ("GATEWAY", [], "GATEWAY"),
        ("GATEWAY", ["GATEWAY"], "GATEWAY_2"),
        ("GATEWAY", ["GATEWAY", "GATEWAY_2", "WARD"], "GATEWAY_3"),
        ("GATEWAY", ["GATEWAY_2"], "GATEWAY"),
        ("SIXTEEN_LETTERS_", ["SIXTEEN_LETTERS_"], "SIXTEEN_LETTER_2"),
        ("", [""], "_2"),
    ],
)
def test_each_file_set_has_its_own_id(wanted: str, taken: list[str], found: str) -> None:
    assert next_id(wanted, taken) == found


@given(st.text("ABC_ 123", max_size=16), st.integers(0, 200))
def test_ids_are_unique_and_short(wanted: str, count: int) -> None:
    taken: list[str] = []
    for _ in range(count):
        taken.append(next_id(wanted, taken))
    assert len(set(taken)) == count
    assert all(len(one) <= 16 for one in taken)
