"""What the device itself says of patient and order decides if it is plain, and holds if it contradicts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from spooling import CLOCK, ITEM, Box, Pacs, record, somebodys_exam

from gateway import capture, configuration, exam, fsops
from gateway.acquire.recorder import read_facts
from gateway.acquire.session import Begin, Identify, Record, Session
from gateway.events import Event, Identified, Started
from gateway.model import Attributed, Equipment
from gateway.places import IDENTIFIED
from gateway.settings import Settings
from gateway.spool import doubts, holding, recognized
from gateway.spool.desk import Desk
from gateway.spool.recognized import FRESH
from gateway.step import ScheduledStep
from gateway.worklists import Worklist, keep_worklist

OTHER = ITEM | {"00100020": {"vr": "LO", "Value": ["PAT-2"]}, "0020000D": {"vr": "UI", "Value": ["2.25.2"]}}


@pytest.fixture
def box(settings: Settings) -> Box:
    return Box(settings, Pacs())


def schedule(settings: Settings, *items: dict[str, Any], age: float = 0.0) -> None:
    steps = tuple(ScheduledStep(item) for item in items)
    keep_worklist(settings.places.worklist, Worklist("ris", CLOCK.wall() - age, steps))


def says(settings: Settings, recording: str, *said: tuple[str, str]) -> str:
    path = settings.places.acquisition(recording) / IDENTIFIED
    fsops.write_json(path, {"version": 1, "said": [list(one) for one in said]})
    return recording


def held(settings: Settings, box: Box, recording: str) -> str:
    box.take_in()
    reason = holding.reason(settings.places.acquisition(recording))
    return str(reason) if reason else ""


def whose(box: Box) -> list[str]:
    rows = box.ledger.query("SELECT exam FROM instances")
    here = box.settings.places
    return [ScheduledStep(exam.load(here, r["exam"]).attribution.item).patient_id for r in rows]


def test_a_device_that_names_another_patient_than_the_selected_one_is_held(settings: Settings, box: Box) -> None:
    name = says(settings, record(settings, somebodys_exam(settings).exam), ("patient_id", "PAT-2"))
    words = held(settings, box, name)
    assert "named another patient id" in words
    assert "PAT-2" not in words
    assert whose(box) == []


@pytest.mark.parametrize("said", [("patient_id", "PAT-1"), ("step_id", "SPS-1"), ("accession_number", "ACC-unknown")])
def test_a_device_that_names_the_selected_one_or_what_nobody_can_compare_is_not_held(
    said: tuple[str, str], settings: Settings, box: Box
) -> None:
    assert held(settings, box, says(settings, record(settings, somebodys_exam(settings).exam), said)) == ""
    assert whose(box) == ["PAT-1"]


def test_who_releases_it_says_that_it_is_the_selected_patients_all_the_same(settings: Settings, box: Box) -> None:
    name = says(settings, record(settings, somebodys_exam(settings).exam), ("patient_id", "PAT-2"))
    assert held(settings, box, name)
    Desk(settings, box.ledger, CLOCK, box.rewrap, box.remake, lambda: None).handlers["release"]({"instance": name})
    assert held(settings, box, name) == ""
    assert whose(box) == ["PAT-1"]
    assert '"what": "release"' in settings.places.audit.read_text()


def test_an_exam_under_a_generated_identity_is_not_who_the_device_names(settings: Settings, box: Box) -> None:
    item = ITEM | {"00100020": {"vr": "LO", "Value": ["EMERGENCY-1"]}}
    unknown = exam.open_exam(settings.places, CLOCK, ("ecg1",), Attributed.EMERGENCY, item)
    assert held(settings, box, says(settings, record(settings, unknown.exam), ("patient_id", "PAT-1")))


def test_a_recording_without_an_exam_is_who_the_device_plainly_means(settings: Settings, box: Box) -> None:
    schedule(settings, ITEM, OTHER)
    name = says(settings, record(settings, None), ("patient_id", "PAT-2"))
    assert held(settings, box, name) == ""
    assert whose(box) == ["PAT-2"]
    (made,) = exam.exams(settings.places)
    assert (made.attribution.source, made.study_uid) == ("ris", "2.25.2")
    assert made.closed is not None
    (entry,) = map(json.loads, settings.places.audit.read_text().splitlines())
    assert (entry["who"], entry["what"]) == ("rule", "attribute")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ([("patient_id", "PAT-3")], "no scheduled step fits"),
        ([("patient_id", "PAT-1"), ("patient_id", "PAT-2")], "more than one patient id"),
        ([("step_id", "SPS-1")], "2 scheduled steps fit"),
        ([("bed", "W1")], "alone is not taken"),
        ([("patient_id", "PAT-1"), ("accession_number", "ACC-9")], "no scheduled step fits"),
    ],
)
def test_what_is_not_plain_is_held_and_says_why(
    said: list[tuple[str, str]], words: str, settings: Settings, box: Box
) -> None:
    schedule(settings, ITEM, OTHER)
    assert words in held(settings, box, says(settings, record(settings, None), *said))
    assert exam.exams(settings.places) == []


def test_it_is_recognized_when_the_ris_answers_again_and_not_by_an_old_worklist(settings: Settings, box: Box) -> None:
    schedule(settings, ITEM, age=FRESH + 60)
    name = says(settings, record(settings, None), ("patient_id", "PAT-1"))
    assert "no scheduled step fits" in held(settings, box, name)
    schedule(settings, ITEM)
    assert held(settings, box, name) == ""
    assert whose(box) == ["PAT-1"]


def test_a_device_whose_word_does_not_count_is_held(config: Path) -> None:
    config.write_text(config.read_text().replace('name = "ecg1"', 'name = "ecg1"\nmatch = []'))
    settings = configuration.load(config)
    box = Box(settings, Pacs())
    schedule(settings, ITEM)
    assert "alone is not taken" in held(settings, box, says(settings, record(settings, None), ("patient_id", "PAT-1")))


def test_a_power_cut_between_recording_and_exam_comes_to_the_same_exam(
    settings: Settings, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule(settings, ITEM)
    name = says(settings, record(settings, None), ("patient_id", "PAT-1"))

    def cut(*_: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(exam, "keep_new", cut)
        with pytest.raises(KeyboardInterrupt):
            box.take_in()
    assert exam.exams(settings.places) == []
    assert held(settings, box, name) == ""
    assert len(exam.exams(settings.places)) == 1
    assert whose(box) == ["PAT-1"]


def test_identifiers_that_cannot_be_read_hold(settings: Settings, box: Box) -> None:
    name = record(settings, somebodys_exam(settings).exam)
    (settings.places.acquisition(name) / IDENTIFIED).write_text("{")
    assert "cannot be read" in held(settings, box, name)
    assert whose(box) == []


STARTED = Started(Equipment("M", "D"), ())


class Says:
    """A decoder that says what it was told to, for each start."""

    def __init__(self, *events: list[Event]) -> None:
        self.events = list(events)

    def start(self, now: float) -> Any:
        return iter(self.events.pop(0) if self.events else [])

    def stop(self, now: float) -> Any:
        return iter(())

    feed = tick = stop  # type: ignore[assignment]


def test_whom_the_device_names_before_it_begins_is_of_that_acquisition_and_of_no_later_one() -> None:
    first = [Identified("patient_id", "A", 0.0), STARTED]
    session = Session(Says(first, [STARTED]))  # type: ignore[arg-type]
    session._connected = True
    acts = list(session.start(0.0))
    assert [type(a) for a in acts if isinstance(a, (Begin, Identify, Record))] == [Begin, Identify]
    list(session.stop("stopped", 1.0))
    assert not [a for a in session.start(2.0) if isinstance(a, Identify)]


def test_a_simulated_device_that_names_its_patient_is_kept_with_it(config: Path) -> None:
    config.write_text(config.read_text().replace('name = "ecg1"', 'name = "ecg1"\npatient_id = "PAT-7"'))
    settings = configuration.load(config)
    name = capture.record(settings, "ecg1", None, 0.3, lambda _: None)
    assert doubts.said(settings.places.acquisition(name)) == {"patient_id": ["PAT-7"]}
    schedule(settings, ITEM | {"00100020": {"vr": "LO", "Value": ["PAT-7"]}})
    box = Box(settings, Pacs())
    assert held(settings, box, name) == ""
    assert whose(box) == ["PAT-7"]


def test_all_that_one_file_became_is_one_exam_of_the_patient_that_the_file_names(settings: Settings, box: Box) -> None:
    """Also when only one of its recordings is looked at before the exam is reported."""
    names = [record(settings, None), record(settings, None)]
    for name in names:
        path = settings.places.acquisition(name) / "facts.json"
        fsops.write_json(path, json.loads(path.read_bytes()) | {"siblings": names, "number": names.index(name) + 1})
        says(settings, name, ("patient_id", "PAT-1"))
    schedule(settings, ITEM)
    first = settings.places.acquisition(names[0])
    found, _ = recognized.recognize(settings, CLOCK, first, read_facts(first))
    assert found is not None
    assert [holding.exam_if_known(settings.places.acquisition(n), read_facts(first)) for n in names] == [found.exam] * 2
    box.take_in()
    assert [e.exam for e in exam.exams(settings.places)] == [found.exam]
    assert whose(box) == ["PAT-1", "PAT-1"]


def test_what_a_person_gave_one_of_a_files_recordings_to_is_no_rules_to_change(settings: Settings, box: Box) -> None:
    names = [record(settings, None), record(settings, None)]
    for name in names:
        path = settings.places.acquisition(name) / "facts.json"
        fsops.write_json(path, json.loads(path.read_bytes()) | {"siblings": names, "number": names.index(name) + 1})
        says(settings, name, ("patient_id", "PAT-1"))
    theirs = exam.open_exam(settings.places, CLOCK, (), Attributed.SCHEDULED, OTHER)
    holding.attribute(settings.places.acquisition(names[1]), theirs.exam)
    schedule(settings, ITEM)
    first, second = (settings.places.acquisition(name) for name in names)
    found, _ = recognized.recognize(settings, CLOCK, first, read_facts(first))
    assert found is not None
    assert holding.exam_of(first, read_facts(first)) == found.exam
    assert holding.exam_of(second, read_facts(second)) == theirs.exam


def test_a_file_dated_by_its_device_is_compared_with_the_worklist_of_when_it_was_taken(
    settings: Settings, box: Box
) -> None:
    """Its own time may be years off; the box's tells how old the worklist is."""
    name = says(settings, record(settings, None), ("patient_id", "PAT-1"))
    path = settings.places.acquisition(name) / "facts.json"
    facts = json.loads(path.read_bytes())
    long_ago = facts["started"] | {"wall": 1_000_000_000.0, "trusted": False}
    fsops.write_json(path, facts | {"taken": facts["started"], "started": long_ago})
    schedule(settings, ITEM)
    assert held(settings, box, name) == ""
    assert whose(box) == ["PAT-1"]
