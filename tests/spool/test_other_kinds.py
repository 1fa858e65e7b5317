"""What is no ECG goes the same way: recorded, wrapped, routed and reported to the RIS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from spooling import CLOCK, DESTINATION, ITEM, Box, Pacs
from telling import RIS, Told

from gateway import capture, configuration, exam
from gateway.dicom.performed_step import modality
from gateway.errors import Held
from gateway.model import Attributed
from gateway.settings import Settings
from gateway.sop_classes import WRITTEN
from gateway.spool import coverage

DEVICE = '[[device]]\nname = "{name}"\nadapter = "{adapter}"\n{more}\n'


def configured(config: Path, *devices: str, rule: str = "") -> Settings:
    to = DESTINATION.format(name="pacs", port=104, policy="commitment") + rule
    config.write_text(config.read_text() + "".join(devices) + RIS + to)
    return configuration.load(config)


def device(name: str, adapter: str, more: str = "") -> str:
    return DEVICE.format(name=name, adapter=adapter, more=more)


def an_exam_of(settings: Settings, *devices: str, item: dict[str, Any] | None = None) -> exam.Exam:
    return exam.open_exam(settings.places, CLOCK, devices, Attributed.SCHEDULED, ITEM | (item or {}))


def record(settings: Settings, name: str, whose: str) -> str:
    return capture.record(settings, name, whose, 0.3, lambda _seconds: None)


def test_an_eeg_is_recorded_wrapped_sent_and_reported_as_one(config: Path) -> None:
    settings = configured(config, device("eeg1", "simulated_eeg"), rule='only_modalities = ["EEG"]\n')
    box = Box(settings, Pacs())
    told = Told(settings, box.ledger)
    whose = an_exam_of(settings, "eeg1")
    record(settings, "eeg1", whose.exam)
    exam.close_exam(settings.places, CLOCK, whose.exam)
    box.take_in()
    box.deliver()
    (uid,) = box.pacs.committed
    assert told.turn() == ["create", "finish"]
    assert told.heard[0][2].Modality == "EEG"
    (series,) = told.heard[1][2].PerformedSeriesSequence
    (named,) = series.ReferencedNonImageCompositeSOPInstanceSequence
    assert (named.ReferencedSOPClassUID, named.ReferencedSOPInstanceUID) == (WRITTEN["eeg"], uid)
    assert series.SeriesDescription == "EEG from eeg1"


def test_a_montage_stands_in_the_facts_and_one_of_another_size_begins_nothing(config: Path) -> None:
    right = device("pulse1", "simulated_pulse", 'montage = ["Finger"]')
    settings = configured(config, right, device("pulse2", "simulated_pulse", 'montage = ["Finger", "Toe"]'))
    whose = an_exam_of(settings, "pulse1", "pulse2")
    name = record(settings, "pulse1", whose.exam)
    assert '"Finger"' in (settings.places.acquisition(name) / "facts.json").read_text()
    with pytest.raises(Held, match="2 labels, but the device has 1 inputs"):
        record(settings, "pulse2", whose.exam)
    assert [path.name for path in settings.places.acquisitions.iterdir()] == [name]


@pytest.mark.parametrize(
    ("adapter", "more", "expected"),
    [
        ("simulated", "", "ECG"),
        ("simulated_eeg", "", "EEG"),
        ("simulated_emg", "", "EMG"),
        ("simulated_hemodynamic", "", "HD"),
        ("simulated_pulse", 'iod = "hemodynamic"', "HD"),
        ("simulated_respiration", "", "RESP"),
        ("simulated_audio", "", "AU"),
    ],
)
def test_a_step_is_of_the_modality_of_its_device(config: Path, adapter: str, more: str, expected: str) -> None:
    settings = configured(config, device("it", adapter, more))
    assert modality(an_exam_of(settings, "it"), settings) == expected


def test_a_step_whose_device_nobody_knows_is_of_the_modality_that_was_scheduled(config: Path) -> None:
    settings = configured(config)
    scheduled = {"00400100": {"vr": "SQ", "Value": [{"00080060": {"vr": "CS", "Value": ["EPS"]}}]}}
    assert modality(an_exam_of(settings, "gone", item=scheduled), settings) == "EPS"
    assert modality(an_exam_of(settings, "away"), settings) == "OT"


def test_the_configuration_check_knows_what_each_device_may_become(config: Path) -> None:
    settings = configured(config, device("eeg1", "simulated_eeg"), rule='only_modalities = ["EEG"]\n')
    assert coverage.notes(settings) == [
        f"device {name}: what it records goes to no destination; widen a rule, or it stays here for ever"
        for name in ("ecg1", "ecg2")
    ]


def test_the_configuration_check_says_which_class_would_hold_every_recording(config: Path) -> None:
    settings = configured(config, device("eeg1", "simulated_eeg", 'iod = "general"'))
    assert coverage.notes(settings) == [
        "device eeg1: it measures EEG, which does not become General ECG; set another 'iod'"
    ]
