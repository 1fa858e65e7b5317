"""Steps that change or vanish in the RIS while their exam runs."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from pydicom import Dataset
from spooling import CLOCK, Box, Pacs, record

from gateway import configuration, exam
from gateway.errors import Held
from gateway.settings import Settings
from gateway.spool import holding
from gateway.spool.desk import Desk
from gateway.step import ScheduledStep
from gateway.transfer.ris.step_changes import StepChanges, differences
from gateway.transfer.ris.worklist_poller import WorklistPoller
from gateway.trial.hospital import Hospital
from gateway.verbs.exams import start_exam

RIS = '[[ris]]\nname = "ris"\nae_title = "HOSPITAL"\nhost = "127.0.0.1"\nport = {}\n'


class Ward:
    """A box at a RIS whose worklist the test changes."""

    def __init__(self, config: Path, hospital: Hospital) -> None:
        config.write_text(config.read_text() + RIS.format(hospital.port))
        self.settings = configuration.load(config)
        self.hospital = hospital
        self.poller = WorklistPoller(self.settings, self.settings.ris[0], CLOCK)
        self.box = Box(self.settings, Pacs())
        self.desk = Desk(self.settings, self.box.ledger, CLOCK, self.box.rewrap, self.box.remake, lambda: None)
        self.poller.ask()

    @property
    def item(self) -> Dataset:
        return self.hospital.items[0]

    def held(self, recording: str) -> str:
        self.box.take_in()
        reason = holding.reason(self.settings.places.acquisition(recording))
        return str(reason) if reason else ""

    def wrapped(self) -> int:
        return len(self.box.ledger.query("SELECT uid FROM instances"))


@pytest.fixture
def ward(tmp_path: Path, config: Path) -> Ward:
    with Hospital(tmp_path / "hospital") as hospital:
        yield Ward(config, hospital)


@pytest.mark.parametrize(
    ("keyword", "value", "name"),
    [
        ("PatientID", "PAT-9999", "Patient ID"),
        ("PatientName", "Somebody^Else", "Patient's Name"),
        ("PatientBirthDate", "20000101", "Patient's Birth Date"),
        ("StudyInstanceUID", "2.25.99", "Study Instance UID"),
        ("AccessionNumber", "ACC9999", "Accession Number"),
    ],
)
def test_what_is_recorded_after_the_order_became_anothers_is_held_and_what_was_before_is_not(
    keyword: str, value: str, name: str, ward: Ward
) -> None:
    found = start_exam(ward.settings, ("ecg1",), "SPS0001")
    before = record(ward.settings, found.exam)
    assert ward.held(before) == ""
    setattr(ward.item, keyword, value)
    ward.poller.ask()
    after = record(ward.settings, found.exam)
    words = ward.held(after)
    assert f"the RIS changed {name} of the step" in words
    assert value not in words
    assert ward.wrapped() == 1


def test_what_a_person_has_looked_at_is_the_exams_and_a_further_change_is_asked_about_anew(ward: Ward) -> None:
    found = start_exam(ward.settings, ("ecg1",), "SPS0001")
    ward.item.AccessionNumber = "ACC9999"
    ward.poller.ask()
    first, second = record(ward.settings, found.exam), record(ward.settings, found.exam)
    assert ward.held(first)
    ward.desk.handlers["release"]({"instance": first, "who": "Ann"})
    assert ward.held(first) == ""
    assert ward.wrapped() == 1
    assert ward.held(second), "she looked at the first one only"
    ward.desk.handlers["release"]({"instance": second, "who": "Ann"})
    ward.item.PatientID = "PAT-9999"
    ward.poller.ask()
    assert "Patient ID" in ward.held(second)
    assert ward.wrapped() == 1


def test_a_step_that_is_completed_or_reworded_changes_nothing(ward: Ward) -> None:
    ward.item.AccessionNumber = ""
    ward.poller.ask()
    found = start_exam(ward.settings, ("ecg1",), "SPS0001")
    ward.item.AccessionNumber = "ACC0001"
    ward.item.RequestedProcedureDescription = "Something else"
    ward.item.ScheduledProcedureStepSequence[0].ScheduledProcedureStepStartTime = "235900"
    ward.poller.ask()
    assert exam.changed(ward.settings.places, found.exam) == ()
    assert ward.held(record(ward.settings, found.exam)) == ""


def test_a_step_that_vanishes_is_said_once_and_its_exam_goes_on(ward: Ward, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    found = start_exam(ward.settings, ("ecg1",), "SPS0001")
    del ward.hospital.items[0]
    for _ in range(3):
        ward.poller.ask()
    assert len([r for r in caplog.records if "no longer on the worklist" in r.getMessage()]) == 1
    assert ward.held(record(ward.settings, found.exam)) == ""
    assert ward.wrapped() == 1


def test_a_step_that_is_chosen_after_it_became_anothers_is_refused_or_the_others(ward: Ward) -> None:
    seen = {"patient_id": "PAT-0001", "study_uid": str(ward.item.StudyInstanceUID)}
    ward.item.PatientID = "PAT-9999"
    ward.poller.ask()
    with pytest.raises(Held, match="another patient id than the one that was chosen"):
        start_exam(ward.settings, ("ecg1",), "SPS0001", seen=seen)


def test_another_ris_that_uses_the_same_step_id_changes_nothing(ward: Ward) -> None:
    found = start_exam(ward.settings, ("ecg1",), "SPS0001")
    another = ScheduledStep(found.attribution.item | {"00100020": {"vr": "LO", "Value": ["PAT-9999"]}})
    StepChanges(ward.settings.places, "other").look([another], True, 0.0)
    assert exam.changed(ward.settings.places, found.exam) == ()


def test_a_note_that_cannot_be_read_holds(ward: Ward) -> None:
    found = start_exam(ward.settings, ("ecg1",), "SPS0001")
    ward.settings.places.exam(found.exam).with_name("changed.json").write_text("{")
    assert "the RIS changed something" in ward.held(record(ward.settings, found.exam))


def test_only_what_both_have_and_differ_in_is_a_difference(settings: Settings) -> None:
    before = {"00100020": {"vr": "LO", "Value": ["1"]}, "00100010": {"vr": "PN", "Value": [{"Alphabetic": "A^B"}]}}
    assert differences(before, before) == ()
    assert differences(before, {}) == ()
    assert differences({}, before) == ()
    assert differences(before, {"00100020": {"vr": "LO", "Value": ["1 "]}}) == ()
    assert differences(before, {"00100020": {"vr": "LO", "Value": ["2"]}}) == ("Patient ID",)
