"""A recording that is larger than one instance may be: its parts are sent, told and deleted as one recording."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import dcmread
from spooling import CLOCK, DESTINATION, Box, Pacs, record, somebodys_exam
from telling import RIS, Told

from gateway import configuration, exam
from gateway.settings import Settings
from gateway.spool import deliveries
from gateway.transfer.calling.outcomes import Outcome

SAMPLES, PARTS = 100_000, 3  # of twelve leads, 2.3 MiB


@pytest.fixture
def settings(config: Path) -> Settings:
    text = config.read_text().replace('name = "ecg1"', 'name = "ecg1"\nlargest = 1')
    config.write_text(text + RIS + DESTINATION.format(name="pacs", port=104, policy="commitment"))
    return configuration.load(config)


def test_its_parts_are_instances_of_one_series_and_the_step_names_them_all(settings: Settings) -> None:
    box, whose = Box(settings, Pacs()), somebodys_exam(settings)
    record(settings, whose.exam, SAMPLES)
    exam.close_exam(settings.places, CLOCK, whose.exam)
    box.take_in()
    told = Told(settings, box.ledger)
    assert told.turn() == ["create", "finish"]
    (series,) = told.heard[-1][2].PerformedSeriesSequence
    named = {one.ReferencedSOPInstanceUID for one in series.ReferencedNonImageCompositeSOPInstanceSequence}
    heads = [dcmread(path, stop_before_pixels=True) for path in settings.places.instances.glob("*/*.dcm")]
    assert named == {head.SOPInstanceUID for head in heads}
    assert len(named) == PARTS
    assert {head.SeriesInstanceUID for head in heads} == {series.SeriesInstanceUID}


def test_its_raw_recording_stays_until_the_last_part_is_committed(settings: Settings) -> None:
    pacs = Pacs()
    name = record(settings, somebodys_exam(settings).exam, SAMPLES)
    box = Box(settings, pacs)
    box.take_in()
    last = sorted(box.states())[-1]
    pacs.refuse[last] = Outcome("hold", "A700", "out of resources")
    box.deliver()
    box.purger.turn()
    assert settings.places.acquisition(name).exists()
    assert [path.stem for path in settings.places.instances.glob("*/*.dcm")] == [last]
    pacs.refuse.clear()
    deliveries.release(box.ledger, last, "pacs", CLOCK.wall())  # by a person
    box.deliver()
    box.purger.turn()
    assert len(pacs.committed) == PARTS
    assert not settings.places.acquisition(name).exists()
    assert not list(settings.places.instances.glob("*/*.dcm"))


def test_parts_of_an_unfinished_wrapping_are_never_offered_and_the_next_one_makes_the_same(settings: Settings) -> None:
    name = record(settings, somebodys_exam(settings).exam, SAMPLES)
    box = Box(settings, Pacs())
    box.take_in()
    before = {path.name: path.read_bytes() for path in settings.places.instances.glob("*/*.dcm")}
    box.ledger.close()
    settings.places.ledger.unlink()
    final = settings.places.instances / name
    unfinished = final.with_name(f".{name}.wrapping")
    final.rename(unfinished)
    next(unfinished.glob("*.dcm")).unlink()
    box = Box(settings, Pacs())
    box.take_in()
    assert {path.name: path.read_bytes() for path in settings.places.instances.glob("*/*.dcm")} == before
    assert set(box.states()) == {file.removesuffix(".dcm") for file in before}
