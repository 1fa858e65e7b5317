"""The final N-SET of a step leaves out nothing that was just given to its exam, and is known to have arrived."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from spooling import CLOCK, ITEM, Box, Pacs, record, somebodys_exam
from telling import RIS, Told

from gateway import configuration, exam
from gateway.model import Attributed
from gateway.settings import Settings
from gateway.spool import holding, steps
from gateway.spool.desk import Desk
from gateway.transfer.calling.outcomes import Outcome


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


def test_the_end_waits_for_a_recording_that_was_just_given_to_the_exam(
    settings: Settings, box: Box, told: Told
) -> None:
    name, whose = record(settings, None), somebodys_exam(settings)
    box.take_in()
    assert told.turn() == ["create"]
    desk = Desk(settings, box.ledger, CLOCK, box.rewrap, box.remake, lambda: None)
    desk.handlers["attribute"]({"instance": name, "to": whose.exam, "who": "Ann"})
    exam.close_exam(settings.places, CLOCK, whose.exam)
    assert told.turn() == []
    box.take_in()
    assert told.turn() == ["finish"]
    (series,) = told.heard[-1][2].PerformedSeriesSequence
    assert len(series.ReferencedNonImageCompositeSOPInstanceSequence) == 1


def test_the_end_waits_for_a_recording_whose_attribution_a_crash_cut_off_between_file_and_row(
    settings: Settings, box: Box, told: Told
) -> None:
    name, whose = record(settings, None), somebodys_exam(settings)
    box.take_in()
    holding.attribute(settings.places.acquisition(name), whose.exam)
    exam.close_exam(settings.places, CLOCK, whose.exam)
    assert told.turn() == ["create"]
    box.take_in()
    assert told.turn() == ["finish"]
    (series,) = told.heard[-1][2].PerformedSeriesSequence
    assert len(series.ReferencedNonImageCompositeSOPInstanceSequence) == 1


def test_the_end_waits_for_the_recordings_of_an_exam_that_was_just_attributed(
    settings: Settings, box: Box, told: Told
) -> None:
    whose = somebodys_exam(settings, how=Attributed.NOBODY)
    record(settings, whose.exam)
    box.take_in()
    exam.close_exam(settings.places, CLOCK, whose.exam)
    exam.attribute(settings.places, CLOCK, whose.exam, Attributed.MANUAL, ITEM)
    assert told.turn() == ["create"]  # the recording is still held for want of a patient
    box.take_in()
    assert told.turn() == ["finish"]


def test_a_first_end_that_had_arrived_before_a_crash_counts_as_done(settings: Settings, box: Box, told: Told) -> None:
    whose = somebodys_exam(settings)
    exam.close_exam(settings.places, CLOCK, whose.exam)

    def crash(*_: Any) -> Outcome:
        raise KeyboardInterrupt

    told.reporter._finish = crash
    with pytest.raises(KeyboardInterrupt):
        told.turn()
    again = Told(settings, box.ledger)
    again.answers["finish"] = Outcome("hold", "A710", "final")
    assert again.turn() == ["finish"]
    assert (state(box)["state"], state(box)["held"]) == ("DONE", None)


def test_a_refused_end_that_a_person_releases_is_no_proof_that_it_had_arrived(
    settings: Settings, box: Box, told: Told
) -> None:
    whose = somebodys_exam(settings)
    exam.close_exam(settings.places, CLOCK, whose.exam)
    told.answers["finish"] = Outcome("hold", "A710", "final")
    assert told.turn() == ["create", "finish"]
    steps.hold_step(box.ledger, whose.exam, "ris", None, CLOCK.wall())
    assert told.turn() == ["finish"]
    assert state(box)["held"] == "final"
