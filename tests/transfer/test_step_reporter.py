"""Performed procedure steps are told in order, once the exam has a patient, and finished when nothing more can come."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from spooling import CLOCK, DESTINATION, ITEM, Box, Pacs, record, somebodys_exam
from telling import DONE, RIS, Told

from gateway import configuration, exam
from gateway.clock import Clock
from gateway.dicom.header import date_of, time_of
from gateway.dicom.iods import TABLE
from gateway.dicom.performed_step import create_dataset
from gateway.model import Attributed, Exam
from gateway.settings import Ris, Settings
from gateway.transfer.calling.outcomes import Outcome
from gateway.transfer.ris import step_reporter


@pytest.fixture
def settings(config: Path) -> Settings:
    config.write_text(config.read_text() + RIS)
    return configuration.load(config)


@pytest.fixture
def box(settings: Settings) -> Box:
    return Box(settings, Pacs())


@pytest.fixture
def told(settings: Settings, box: Box) -> Told:
    return Told(settings, box.ledger)


def state(box: Box) -> dict[str, Any]:
    return dict(box.ledger.query("SELECT * FROM steps")[0])


def test_the_end_waits_until_the_exam_is_closed_and_its_recordings_are_wrapped(
    settings: Settings, box: Box, told: Told
) -> None:
    whose = somebodys_exam(settings)
    assert told.turn() == ["create"]
    assert told.turn() == []
    record(settings, whose.exam)
    exam.close_exam(settings.places, CLOCK, whose.exam)
    assert told.turn() == []  # the intake has not even met the recording
    box.take_in()
    assert told.turn() == ["finish"]
    assert {uid for _, uid, _ in told.heard} == {whose.step_uid}
    (series,) = told.heard[-1][2].PerformedSeriesSequence
    (named,) = series.ReferencedNonImageCompositeSOPInstanceSequence
    assert named.ReferencedSOPInstanceUID == box.ledger.query("SELECT uid FROM instances")[0]["uid"]
    assert state(box)["state"] == "DONE"
    assert told.turn() == []


def test_a_step_of_nobody_is_told_when_it_is_somebodys(settings: Settings, told: Told) -> None:
    whose = somebodys_exam(settings, how=Attributed.NOBODY)
    assert told.turn() == []
    exam.attribute(settings.places, CLOCK, whose.exam, Attributed.MANUAL, ITEM)
    assert told.turn() == ["create"]


def test_a_held_recording_is_left_out_and_an_exam_without_any_still_has_a_series(
    settings: Settings, box: Box, told: Told
) -> None:
    whose = somebodys_exam(settings)
    record(settings, whose.exam, samples=0)
    exam.close_exam(settings.places, CLOCK, whose.exam)
    box.take_in()
    assert told.turn() == ["create", "finish"]
    assert len(told.heard[-1][2].PerformedSeriesSequence) == 1


def test_a_silent_ris_is_asked_again_in_order(settings: Settings, box: Box, told: Told) -> None:
    whose = somebodys_exam(settings)
    exam.close_exam(settings.places, CLOCK, whose.exam)
    told.answers["create"] = Outcome("retry", "closed", "nothing listens")
    assert told.turn() == ["create"]
    assert told.turn() == ["create"]
    assert told.reporter.answers is False
    told.answers["create"] = DONE
    assert told.turn() == ["create", "finish"]


def test_a_refused_step_is_held_and_the_next_one_is_told(settings: Settings, box: Box, told: Told) -> None:
    first, second = somebodys_exam(settings), somebodys_exam(settings, "ecg2")
    told.answers["create"] = Outcome("hold", "0106", "invalid attribute value")
    assert told.turn() == ["create", "create"]
    assert told.turn() == []
    assert state(box)["held"] == "invalid attribute value"
    assert {uid for _, uid, _ in told.heard} == {first.step_uid, second.step_uid}


def test_after_the_ledger_was_lost_a_step_that_is_final_already_counts_as_done(
    settings: Settings, box: Box, told: Told
) -> None:
    whose = somebodys_exam(settings)
    exam.close_exam(settings.places, CLOCK, whose.exam)
    told.answers = {"create": Outcome("done", "0111", "there already"), "finish": Outcome("hold", "A710", "final")}
    assert told.turn() == ["create", "finish"]
    assert (state(box)["state"], state(box)["held"]) == ("DONE", None)


def test_a_step_that_the_ris_has_closed_by_itself_is_held(settings: Settings, box: Box, told: Told) -> None:
    whose = somebodys_exam(settings)
    exam.close_exam(settings.places, CLOCK, whose.exam)
    told.answers["finish"] = Outcome("hold", "A710", "final")
    assert told.turn() == ["create", "finish"]
    assert state(box)["held"] == "final"


def test_a_processing_failure_is_no_proof_that_the_step_is_final(settings: Settings, box: Box, told: Told) -> None:
    whose = somebodys_exam(settings)
    exam.close_exam(settings.places, CLOCK, whose.exam)
    told.answers["finish"] = Outcome("retry", "0110", "processing failure")
    assert told.turn() == ["create", "finish"]
    assert told.turn() == ["finish"]
    assert state(box)["state"] == "IN PROGRESS"
    told.answers["finish"] = Outcome("hold", "A710", "final")  # the first one had arrived after all
    assert told.turn() == ["finish"]
    assert state(box)["state"] == "DONE"


def test_a_step_whose_message_cannot_be_made_is_held_and_the_others_are_told(
    settings: Settings, box: Box, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = exam.open_exam(settings.places, CLOCK, ("ecg1",), Attributed.MANUAL, ITEM | {"00100020": {"vr": "XX"}})
    broken, good = somebodys_exam(settings, "ecg2"), somebodys_exam(settings, "ecg3")

    def failing(found: Exam, station: Any, modality: str) -> Dataset:
        if found.exam == broken.exam:
            raise ZeroDivisionError
        return create_dataset(found, station, modality)

    monkeypatch.setattr(step_reporter, "create_dataset", failing)
    assert told.turn() == ["create"]
    assert told.heard[0][1] == good.step_uid
    held = {r["exam"]: r["held"] for r in box.ledger.query("SELECT exam, held FROM steps")}
    assert "is no DICOM JSON" in held[bad.exam]
    assert "this program failed on it" in held[broken.exam]
    assert held[good.exam] is None
    assert told.turn() == []


def test_an_exam_that_cannot_be_read_is_said_once_and_bars_no_other(
    settings: Settings, told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = somebodys_exam(settings), somebodys_exam(settings, "ecg2")
    settings.places.exam(bad.exam).write_text("{")
    assert told.turn() == ["create"]
    assert told.turn() == []
    assert told.heard[0][1] == good.step_uid
    assert len([r for r in caplog.records if bad.exam in r.getMessage() and "not reported" in r.getMessage()]) == 1


def test_the_end_names_what_the_pacs_holds_and_not_what_it_refused(config: Path) -> None:
    text = config.read_text().replace('name = "ecg1"', 'name = "ecg1"\niod = "general-32"\nrefused_class = "rewrap"')
    config.write_text(text + RIS + DESTINATION.format(name="pacs", port=104, policy="commitment"))
    settings, pacs = configuration.load(config), Pacs()
    pacs.refuse_class[TABLE["general-32"].sop_class_uid] = Outcome("hold", "class-refused", "refused")
    box = Box(settings, pacs)
    told = Told(settings, box.ledger)
    whose = somebodys_exam(settings)
    record(settings, whose.exam)
    exam.close_exam(settings.places, CLOCK, whose.exam)
    box.take_in()
    assert told.turn() == ["create"]  # the PACS has not yet said whether it takes the class
    box.deliver()
    assert told.turn() == ["finish"]
    box.deliver()
    (series,) = told.heard[-1][2].PerformedSeriesSequence
    named = [str(i.ReferencedSOPInstanceUID) for i in series.ReferencedNonImageCompositeSOPInstanceSequence]
    assert named == pacs.stores


def test_a_step_that_began_before_the_clock_was_set_waits_a_while_and_then_tells_the_true_time(
    settings: Settings, box: Box
) -> None:
    now = {"wall": 1000.0, "monotonic": 5000.0}
    clock = Clock("always", wall=lambda: now["wall"], monotonic=lambda: now["monotonic"])
    whose = exam.open_exam(settings.places, clock, ("ecg1",), Attributed.SCHEDULED, ITEM)
    told = Told(settings, box.ledger)
    told.reporter._clock = clock
    assert told.turn() == []
    now |= {"wall": 1790000000.0, "monotonic": 5030.0}  # NTP answers after half a minute
    assert told.turn() == ["create"]
    began = dataclasses.replace(whose.opened, wall=1790000000.0 - 30, trusted=True)
    step = told.heard[0][2]
    assert (step.PerformedProcedureStepStartDate, step.PerformedProcedureStepStartTime) == (
        date_of(began),
        time_of(began),
    )


def test_a_step_is_told_even_if_the_clock_is_never_set(settings: Settings, box: Box) -> None:
    now = {"monotonic": 5000.0}
    clock = Clock("always", wall=lambda: 1000.0, monotonic=lambda: now["monotonic"])
    exam.open_exam(settings.places, clock, ("ecg1",), Attributed.SCHEDULED, ITEM)
    told = Told(settings, box.ledger)
    told.reporter._clock = clock
    assert told.turn() == []
    now["monotonic"] += settings.clock.wait + 1
    assert told.turn() == ["create"]


def test_what_is_held_costs_no_reading_and_one_question(
    settings: Settings, box: Box, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        somebodys_exam(settings, f"device{number}")
    told.answers["create"] = Outcome("hold", "0106", "invalid attribute value")
    assert len(told.turn()) == 5
    asked: list[str] = []
    query = box.ledger.query

    def counting(sql: str, *parameters: Any) -> Any:
        asked.append(sql)
        return query(sql, *parameters)

    monkeypatch.setattr(box.ledger, "query", counting)
    monkeypatch.setattr(exam, "load", lambda *_: pytest.fail("an exam file was read"))
    told.reporter.turn()
    assert len(asked) == 1


def test_a_step_is_told_to_whoever_scheduled_it_and_to_those_that_schedule_nothing(settings: Settings) -> None:
    def ris(name: str, worklist: bool = True, mpps: bool = True) -> Ris:
        return Ris(name=name, ae_title="X", host="h", worklist=worklist, mpps=mpps)

    def of(source: str) -> Exam:
        return exam.open_exam(settings.places, CLOCK, (), Attributed.SCHEDULED, ITEM, source)

    both = (ris("one"), ris("two"), ris("archive", worklist=False))
    assert step_reporter.told(both, of("one")) == {"one", "archive"}
    assert step_reporter.told(both, of("")) == {"one", "two", "archive"}
    assert step_reporter.told(both, of("gone")) == {"one", "two", "archive"}
    silent = (ris("one", mpps=False), ris("two"))
    assert step_reporter.told(silent, of("one")) == {"two"}


def test_another_ris_hears_nothing_of_a_step_that_it_did_not_schedule(settings: Settings, told: Told, box: Box) -> None:
    other = dataclasses.replace(settings.ris[0], name="other")
    told.reporter._settings = dataclasses.replace(settings, ris=(*settings.ris, other))
    exam.open_exam(settings.places, CLOCK, (), Attributed.SCHEDULED, ITEM, "other")
    assert told.turn() == []
    exam.open_exam(settings.places, CLOCK, (), Attributed.SCHEDULED, ITEM, "ris")
    assert told.turn() == ["create"]
