"""The exam's folder: one patient on one device, nobody's data to nobody by guess."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os

import pytest

from gateway import exam
from gateway.clock import Clock
from gateway.errors import Held, Misuse
from gateway.model import Attributed, Code, Instant
from gateway.places import Places

CLOCK = Clock("always")
ANNA = {
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Müller^Anna", "Ideographic": "山田^太郎"}]},
    "00100020": {"vr": "LO", "Value": ["P-1"]},
    "0020000D": {"vr": "UI", "Value": ["1.2.3.4"]},
}


@pytest.fixture
def here(tmp_path):
    return Places(tmp_path / "data", tmp_path / "run")


def opened(here, *devices, how=Attributed.SCHEDULED, item=None):
    return exam.open_exam(here, CLOCK, devices or ("ecg",), how, ANNA if item is None else item, "op")


def test_an_exam_is_read_back_as_it_was_opened(here):
    made = opened(here, "ecg", "camera")
    assert exam.load(here, made.exam) == made
    assert made.study_uid == "1.2.3.4"
    assert made.step_uid.startswith("2.25.")
    assert len(made.exam) <= 16
    assert exam.current(here, "camera") == made
    assert exam.current(here, "other") is None


def test_an_unscheduled_exam_gets_a_study_of_its_own(here):
    assert opened(here, item={}).study_uid.startswith("2.25.")


def test_a_device_is_in_one_open_exam_only(here):
    first = opened(here, "ecg", "camera")
    with pytest.raises(Held, match=f"'camera' is in the open exam {first.exam}"):
        opened(here, "camera")
    exam.close_exam(here, CLOCK, first.exam)
    opened(here, "camera")


def test_a_closed_exam_stays_as_it_was_closed(here):
    made = opened(here)
    reason = Code("110513", "DCM", "Discontinued for unspecified reason")
    first = exam.close_exam(here, CLOCK, made.exam, "DISCONTINUED", reason)
    assert exam.close_exam(here, CLOCK, made.exam, "COMPLETED") == first
    assert exam.load(here, made.exam).closed.reason == reason
    assert exam.current(here, "ecg") is None


def test_after_a_reboot_nobody_is_selected(here, monkeypatch):
    made = opened(here)
    monkeypatch.setattr(exam, "boot_id", lambda: "another boot")
    assert exam.current(here, "ecg") is None
    assert exam.load(here, made.exam).closed is None


def test_nobodys_exam_is_attributed_once_and_never_changed(here):
    made = opened(here, how=Attributed.NOBODY, item={})
    given = exam.attribute(here, CLOCK, made.exam, Attributed.SCHEDULED, ANNA)
    assert given.study_uid == "1.2.3.4"
    assert given.step_uid == made.step_uid
    with pytest.raises(Held, match="attributed already"):
        exam.attribute(here, CLOCK, made.exam, Attributed.MANUAL, {})


@pytest.mark.parametrize("name", ["", "..", "../exams", ".hidden", "nothing"])
def test_a_name_that_is_no_exam_is_refused(here, name):
    opened(here)
    with pytest.raises(Misuse, match="there is no exam"):
        exam.load(here, name)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"version": 1}'])
def test_a_damaged_file_holds(here, damage):
    made = opened(here)
    here.exam(made.exam).write_text(damage)
    with pytest.raises(Held, match="is damaged"):
        exam.load(here, made.exam)


def test_a_newer_format_is_refused_and_left_untouched(here):
    made = opened(here)
    path = here.exam(made.exam)
    newer = json.dumps(json.loads(path.read_bytes()) | {"version": 3, "more": 1})
    path.write_text(newer)
    with pytest.raises(Held, match="newer than 2; upgrade"):
        exam.load(here, made.exam)
    assert path.read_text() == newer


def test_one_damaged_file_hides_no_other_exam(here):
    bad, good = opened(here, "ecg"), opened(here, "camera")
    here.exam(bad.exam).write_text("{")
    assert exam.exams(here) == [good]
    assert list(exam.damaged(here)) == [bad.exam]
    assert exam.current(here, "camera") == good


def test_a_file_that_cannot_be_read_holds_and_does_not_break(here):
    made = opened(here)
    here.exam(made.exam).unlink()
    here.exam(made.exam).mkdir()
    with pytest.raises(Held, match="cannot be read"):
        exam.load(here, made.exam)
    assert exam.exams(here) == []


def test_a_damaged_exam_that_may_be_open_on_the_device_keeps_others_from_it(here):
    here.exam(opened(here, "ecg").exam).write_text("{")
    with pytest.raises(Held, match="is damaged"):
        exam.current(here, "ecg")
    with pytest.raises(Held, match="is damaged"):
        opened(here, "ecg")


@pytest.mark.parametrize("left", [{"closed": {"status": "COMPLETED"}}, {"opened": {"boot": "old"}}, {"devices": ["x"]}])
def test_a_damaged_exam_that_cannot_be_open_on_the_device_is_in_nobodys_way(here, left):
    made = opened(here, "ecg")
    here.exam(made.exam).write_text(json.dumps({"version": 1} | left))
    assert exam.current(here, "ecg") is None
    opened(here, "ecg")


def test_a_damaged_exam_of_long_ago_is_in_nobodys_way(here):
    path = here.exam(opened(here, "ecg").exam)
    path.write_text("{")
    os.utime(path, (1e9, 1e9))
    opened(here, "ecg")


def test_exams_are_listed_oldest_first(here):
    made = [opened(here, f"d{i}") for i in range(3)]
    for i, each in enumerate(made):
        path = here.exam(each.exam)
        data = json.loads(path.read_bytes())
        data["opened"]["wall"] = float(100 - i)
        path.write_text(json.dumps(data))
    assert [e.devices[0] for e in exam.exams(here)] == ["d2", "d1", "d0"]


def test_files_are_for_the_gateways_user_only(here):
    path = here.exam(opened(here).exam)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def _try(here, results):
    try:
        results.put(opened(here).exam)
    except Held:
        results.put(None)


def test_of_several_processes_that_open_at_once_one_wins(here):
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    processes = [context.Process(target=_try, args=(here, results)) for _ in range(4)]
    for each in processes:
        each.start()
    answers = [results.get(timeout=30) for _ in processes]
    for each in processes:
        each.join()
    assert sum(answer is not None for answer in answers) == 1
    assert len(exam.exams(here)) == 1


def test_the_instant_of_opening_keeps_clock_boot_and_trust(here):
    at = opened(here).opened
    assert isinstance(at, Instant)
    assert dataclasses.asdict(at).keys() == {"wall", "monotonic", "boot", "trusted"}
    assert at.trusted


def test_a_closed_exam_is_not_read_again_and_one_that_changes_is(here, monkeypatch):
    first = exam.open_exam(here, CLOCK, ("ecg1",), Attributed.EMERGENCY, {})
    exam.close_exam(here, CLOCK, first.exam)
    assert exam.current(here, "ecg1") is None
    read = []
    monkeypatch.setattr(exam, "_read", lambda path, original=exam._read: read.append(path) or original(path))
    assert exam.current(here, "ecg1") is None
    assert exam.still_open(here) == []
    assert read == []
    second = exam.open_exam(here, CLOCK, ("ecg1",), Attributed.EMERGENCY, {})
    assert exam.current(here, "ecg1") == second
    assert [e.exam for e in exam.exams(here)] == [first.exam, second.exam]
