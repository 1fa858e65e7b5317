"""What a channel is called leads to its code, and to nothing that was not said."""

from __future__ import annotations

import pytest
from pydicom.sr import _concepts_dict as concepts

from gateway.dicom import sources, units
from gateway.dicom.iods import TABLE
from gateway.errors import Held
from gateway.model import Channel, Code, Kind

EEG, EMG, HD, EP = TABLE["eeg"], TABLE["emg"], TABLE["hemodynamic"], TABLE["electrophysiology"]
MENDED = {"7:514", "7:602", "7:970", "7:974"}  # the standard has misprinted these meanings


@pytest.mark.parametrize("cid", sources.numbers())
def test_the_meanings_are_those_of_the_standard(cid: str) -> None:
    theirs = {
        (scheme, value): meaning
        for scheme, names in concepts.concepts.items()
        for codes in names.values()
        for value, (meaning, cids) in codes.items()
        if int(cid) in cids and value not in MENDED
    }
    ours = {(scheme, value): sources.meaning(cid, scheme, value) for scheme, value in theirs}
    assert ours == theirs


@pytest.mark.parametrize(
    ("label", "iod", "kind", "value"),
    [
        ("Fp1", EEG, Kind.EEG, "7:1041"),
        ("EEG FP1", EEG, Kind.EEG, "7:1041"),
        ("Fp1-A1", EEG, Kind.EEG, "7:1041"),
        ("T7", EEG, Kind.EEG, "7:1249"),
        ("T3", EEG, Kind.EEG, "7:1249"),
        ("PO10", EEG, Kind.EEG, "130715"),
        ("Musculus tibialis anterior, left", EMG, Kind.EMG, "7:893"),
        ("left tibialis anterior", EMG, Kind.EMG, "7:893"),
        ("EMG soleus", EMG, Kind.EMG, "7:932"),
        ("Abductor digiti minimi pedis", EMG, Kind.EMG, "7:972"),
        ("Nervus ulnaris, right", EMG, Kind.EMG, "7:134"),
        ("Ao", HD, Kind.HEMODYNAMIC, "128444004"),
        ("Aortic pressure", HD, Kind.HEMODYNAMIC, "128444004"),
        ("aVF", HD, Kind.HEMODYNAMIC, "2:64"),
        ("P3 transducer", HD, Kind.HEMODYNAMIC, "128432002"),
        ("CS 7-8", EP, Kind.ELECTROPHYSIOLOGY, "90219004"),
        ("HRA1-2", EP, Kind.ELECTROPHYSIOLOGY, "128591008"),
        ("His d", EP, Kind.ELECTROPHYSIOLOGY, "345000"),
        ("Thorax", TABLE["respiratory"], Kind.RESPIRATION, "130427"),
        ("belt", TABLE["respiratory"], Kind.RESPIRATION, "109117"),
        ("ch 1", TABLE["pulse"], Kind.PULSE, "109116"),
        ("mono", TABLE["voice"], Kind.VOICE, "109110"),
        ("mono", TABLE["audio"], Kind.VOICE, "109110"),
        ("mono", TABLE["audio"], Kind.AUDIO, "109115"),
        ("ElL", TABLE["eog"], Kind.EOG, "7:1381"),
        ("V5", EEG, Kind.EEG, "2:7"),
    ],
)
def test_a_label_names_its_source_however_it_is_written(label: str, iod, kind: Kind, value: str) -> None:
    assert sources.source(Channel(label, "uV", 1.0), iod, kind).value == value


@pytest.mark.parametrize(
    ("label", "iod", "kind"),
    [
        ("M1", EEG, Kind.EEG),  # a mastoid is no ear
        ("ch 3", EEG, Kind.EEG),
        ("LOC", TABLE["eog"], Kind.EOG),
        ("abductor digiti minimi", EMG, Kind.EMG),  # of the hand, or of the foot?
        ("electrode 4", EP, Kind.ELECTROPHYSIOLOGY),
    ],
)
def test_what_a_label_does_not_say_is_held_and_not_guessed(label: str, iod, kind: Kind) -> None:
    with pytest.raises(Held, match="montage"):
        sources.source(Channel(label, "uV", 1.0), iod, kind)


def test_a_source_that_the_device_tells_counts_whatever_the_label() -> None:
    own = Code("128564006", "SCT", "Apex of left ventricle")
    assert sources.source(Channel("Fp1", "mV", 1.0, source=own), EP, Kind.ELECTROPHYSIOLOGY) == own


@pytest.mark.parametrize(
    ("channel", "configured", "expected"),
    [
        (Channel("Fp1", "uV", 1.0, reference="Cz"), "A1", ["Cz"]),
        (Channel("Fp1", "uV", 1.0), "A1", ["A1"]),
        (Channel("Fp1-F7", "uV", 1.0, reference="Cz"), "A1", ["F7"]),
        (Channel("EEG Fp1-Ref", "uV", 1.0), "A1", ["A1"]),
        (Channel("Fp1", "uV", 1.0), "A1+A2", ["A1", "A2"]),
    ],
    ids=["told by the device", "by the configuration", "by the label", "not told by the label", "both ears"],
)
def test_an_eeg_channel_names_what_it_is_measured_against(
    channel: Channel, configured: str, expected: list[str]
) -> None:
    first, *others = sources.modifiers(channel, EEG, configured)
    assert (first.value, first.scheme) == ("109006", "DCM")
    assert [code.meaning for code in others] == expected


@pytest.mark.parametrize(
    ("channel", "configured", "words"),
    [
        (Channel("Fp1", "uV", 1.0), "", "must name the electrode"),
        (Channel("EEG Fp1-Ref", "uV", 1.0), "", "must name the electrode"),
        (Channel("Fp1", "uV", 1.0, reference="AVG"), "A1", "'AVG', which names no EEG Lead"),
        (Channel("Fp1", "uV", 1.0), "M1", "'M1', which names no EEG Lead"),
    ],
)
def test_a_reference_that_nobody_tells_is_not_invented(channel: Channel, configured: str, words: str) -> None:
    with pytest.raises(Held, match=words):
        sources.modifiers(channel, EEG, configured)


def test_a_pair_of_a_catheter_is_a_difference_and_a_pressure_is_none() -> None:
    (only,) = sources.modifiers(Channel("CS 1-2", "mV", 1.0), EP, "")
    assert only == sources.DIFFERENTIAL
    assert sources.modifiers(Channel("RVA", "mV", 1.0), EP, "A1") == []
    assert sources.modifiers(Channel("Ao", "mm[Hg]", 1.0, reference="LV"), HD, "A1") == []


def test_units_are_ucum_and_their_own_keys() -> None:
    assert all(code.value == unit and code.scheme == "UCUM" for unit, code in units.UNITS.items())
    assert all(len(code.meaning) > 2 for code in units.UNITS.values())
