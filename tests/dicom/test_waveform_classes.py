"""Each waveform class that is no ECG: the right class, every sample as it came, nothing for the checkers to find."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from acquisitions import Recording, an_exam, settings_of
from pydicom.sr import _concepts_dict as dictionary
from pydicom.waveforms import multiplex_array
from waveforms import CASES, Case, group, noise

from gateway import concepts
from gateway.dicom import waveform
from gateway.dicom.check import check
from gateway.dicom.iods import TABLE
from gateway.dicom.wrap import wrap
from gateway.errors import Held
from gateway.events import Gap, Marker
from gateway.model import Code, Kind

# C.7.3.1: only of a paired structure, and none is named; dciodvfy asks for it of the hemodynamic class as such
BLAMELESS = r"Missing attribute Type 2C Conditional Element=<Laterality>"


def wrapped(case: Case, tmp_path: Path, out: Path, recording: Recording | None = None, **device: Any) -> list[Path]:
    folder = (recording or case.recording()).folder(tmp_path / "acq")
    settings = settings_of(tmp_path, **case.device | device)
    return [Path(one.path) for one in wrap(folder, an_exam(), settings, out)]


@pytest.mark.parametrize("key", CASES)
def test_every_sample_comes_back_as_the_device_counted_it(key: str, tmp_path: Path, out: Path) -> None:
    case = CASES[key]
    (path,) = wrapped(case, tmp_path, out)
    head = pydicom.dcmread(path)
    assert head.SOPClassUID == TABLE[key].sop_class_uid
    assert head.Modality == TABLE[key].modality
    for number, (counts, ours) in enumerate(zip(case.counts, waveform.groups(path), strict=True)):
        offset = 128 if key == "voice" else 0
        assert np.array_equal(multiplex_array(head, number, as_raw=True), counts + offset)
        assert np.array_equal(ours.samples, counts + offset)
        for n, channel in enumerate(case.groups[number].channels):
            if channel.unit:
                truth = counts[:, n] * channel.sensitivity + channel.baseline
                assert np.allclose(multiplex_array(head, number, as_raw=False)[:, n], truth, rtol=1e-12)
                assert np.allclose(ours.physical(n), truth, rtol=1e-12, equal_nan=False)


@pytest.mark.parametrize("key", CASES)
@pytest.mark.parametrize("trusted", [True, False], ids=["clock trusted", "clock not trusted"])
def test_our_own_check_finds_nothing(key: str, trusted: bool, tmp_path: Path, out: Path) -> None:
    (path,) = wrapped(CASES[key], tmp_path, out, CASES[key].recording(trusted=trusted, test=True, interrupted=True))
    assert check(path) == []


@pytest.mark.parametrize("key", ["hemodynamic", "electrophysiology", "voice"])
@pytest.mark.parametrize("trusted", [True, False], ids=["clock trusted", "clock not trusted"])
def test_dciodvfy_finds_no_error_in_the_classes_that_it_knows(
    key: str, trusted: bool, tmp_path: Path, out: Path, dciodvfy: Callable[[Path], list[str]]
) -> None:
    (path,) = wrapped(CASES[key], tmp_path, out, CASES[key].recording(trusted=trusted))
    assert [line for line in dciodvfy(path) if not re.search(BLAMELESS, line)] == []


def eeg(labels: tuple[str, ...] = ("Fp1", "Cz"), reach: int = 30_000, groups: int = 1, **channel: Any) -> Case:
    of_each = group(256.0, labels, "uV", 0.1, **{"reference": "A1"} | channel)
    return Case(Kind.EEG, (of_each,) * groups, (noise(512, len(labels), reach),) * groups)


def channels(path: Path, index: int = 0) -> list[pydicom.Dataset]:
    return list(pydicom.dcmread(path).WaveformSequence[index].ChannelDefinitionSequence)


@pytest.mark.parametrize(("reach", "bits"), [(32_767, 16), (32_768, 32)])
def test_counts_take_no_more_bits_than_they_need_to_stay_as_they_are(
    reach: int, bits: int, tmp_path: Path, out: Path
) -> None:
    (path,) = wrapped(eeg(reach=reach), tmp_path, out)
    (item,) = pydicom.dcmread(path).WaveformSequence
    assert (item.WaveformBitsAllocated, item.WaveformSampleInterpretation) == (bits, {16: "SS", 32: "SL"}[bits])
    assert {channel.ChannelSensitivity for channel in item.ChannelDefinitionSequence} == {0.1}


@pytest.mark.parametrize(
    ("told", "reach", "stored"), [(12, 2047, 12), (12, 2048, 16), (24, 30_000, 16), (24, 99_999, 24)]
)
def test_bits_stored_are_those_of_the_device_if_its_counts_keep_to_them(
    told: int, reach: int, stored: int, tmp_path: Path, out: Path
) -> None:
    (path,) = wrapped(eeg(reach=reach, bits=told), tmp_path, out)
    assert {channel.WaveformBitsStored for channel in channels(path)} == {stored}


def test_an_eeg_names_electrode_reference_and_ground(tmp_path: Path, out: Path) -> None:
    (path,) = wrapped(CASES["eeg"], tmp_path, out)
    first = channels(path)[0]
    assert first.ChannelSourceSequence[0].CodeValue == "7:1041"
    assert [code.CodeMeaning for code in first.ChannelSourceModifiersSequence] == ["Differential signal", "A1", "A2"]
    notes = pydicom.dcmread(path).WaveformAnnotationSequence
    assert [note.UnformattedTextValue for note in notes] == ["Ground electrode: Fpz"]


def test_filters_notch_and_skew_stand_in_each_channel_and_only_one_kind_of_skew(tmp_path: Path, out: Path) -> None:
    case = eeg(low_cut=0.5, high_cut=70.0, notch=50.0, skew=0.0005)
    for channel in channels(wrapped(case, tmp_path, out)[0]):
        assert (channel.FilterLowFrequency, channel.FilterHighFrequency, channel.NotchFilterFrequency) == (0.5, 70, 50)
        assert channel.ChannelTimeSkew == 0.0005
        assert "ChannelSampleSkew" not in channel


def test_a_montage_that_was_configured_too_late_is_for_channels_whose_labels_say_nothing(
    tmp_path: Path, out: Path
) -> None:
    case = eeg(("ch1", "Cz", "ch3"))
    with pytest.raises(Held, match="'ch1' of Routine Scalp EEG names no EEG Lead"):
        wrapped(case, tmp_path, out)
    folder, montage = tmp_path / "acq", ("Fp1", "Pz", "Oz-A2")
    (made,) = wrap(folder, an_exam(), settings_of(tmp_path, montage=montage), out)
    assert [channel.ChannelLabel for channel in channels(Path(made.path))] == ["Fp1", "Cz", "Oz-A2"]
    references = [channel.ChannelSourceModifiersSequence[1].CodeMeaning for channel in channels(Path(made.path))]
    assert references == ["A1", "A1", "A2"]


HELD = {
    "two groups in routine EEG": (eeg(groups=2), {}, "2 multiplex groups, allowed are exactly 1"),
    "65 electrodes": (eeg(("Cz",) * 65), {}, "65 channels, allowed are 1 to 64"),
    "three eyes": (
        Case(Kind.EOG, (group(128.0, ("ElL", "ErL", "Ela"), "uV", 0.1, reference="A1"),), (noise(99, 3, 9),)),
        {},
        "3 channels, allowed are 2 or 4",
    ),
    "a fast pulse": (Case(Kind.PULSE, (group(601.0, ("x",), "%", 1.0),), (noise(99, 1, 9),)), {}, "up to 600 Hz"),
    "voice at 16 kHz": (
        Case(Kind.VOICE, (group(16_000.0, ("x",), "", 1.0),), (noise(99, 1, 9),)),
        {"iod": "voice"},
        "exactly 8000 Hz",
    ),
    "another class": (eeg(), {"iod": "general"}, "is of the kind EEG, which does not become General ECG"),
    "no position": (
        Case(Kind.POSITION, (group(1.0, ("Position",), "", 1.0),), (np.array([[0], [7]]),)),
        {},
        "body position 7, which there is not",
    ),
}


@pytest.mark.parametrize("what", HELD)
def test_what_a_class_does_not_carry_is_held_in_words(what: str, tmp_path: Path, out: Path) -> None:
    case, device, words = HELD[what]
    with pytest.raises(Held, match=re.escape(words)):
        wrapped(case, tmp_path, out, **device)
    assert list(out.iterdir()) == []


def test_speech_of_more_than_8_bits_loses_nothing_unless_somebody_asks_for_voice(tmp_path: Path, out: Path) -> None:
    counts = noise(8000, 1, 20_000)
    case = Case(Kind.VOICE, (group(8000.0, ("Dictation",), "mV", 0.01),), (counts,))
    (whole,) = wrapped(case, tmp_path, out)
    assert pydicom.dcmread(whole).SOPClassUID == TABLE["audio"].sop_class_uid
    assert np.array_equal(waveform.groups(whole)[0].samples, counts)
    (asked,) = (Path(m.path) for m in wrap(tmp_path / "acq", an_exam(), settings_of(tmp_path, iod="voice"), out))
    assert pydicom.dcmread(asked).SOPClassUID == TABLE["voice"].sop_class_uid
    assert check(asked) == []
    (found,) = waveform.groups(asked)
    assert np.abs(found.physical(0) - counts[:, 0] * 0.01).max() <= found.traces[0].sensitivity / 2 + 1e-9


@pytest.mark.parametrize("low", [-127, 1], ids=["signed", "unsigned"])
def test_missing_voice_is_padding_that_no_sample_has(low: int, tmp_path: Path, out: Path) -> None:
    counts = np.arange(low, low + 255)[:, None]
    recording = Case(Kind.VOICE, (group(8000.0, ("Dictation",), "mV", 1.0),), (counts,)).recording()
    recording.events.insert(0, Gap("dropped", 1001.0, 10, 0.00125))
    (path,) = wrapped(CASES["voice"], tmp_path, out, recording)
    assert check(path) == []
    values = waveform.groups(path)[0].physical(0)
    assert np.isnan(values[:10]).all()
    assert np.array_equal(values[10:], counts[:, 0])


def test_what_is_missing_of_a_position_is_the_undefined_one(tmp_path: Path, out: Path) -> None:
    recording = CASES["position"].recording()
    recording.events.insert(0, Gap("out of reach", 1001.0, 3, 3.0))
    (path,) = wrapped(CASES["position"], tmp_path, out, recording)
    assert check(path) == []
    assert list(waveform.groups(path)[0].samples[:, 0]) == [255, 255, 255, 0, 1, 2, 3, 4, 255, 1, 1, 2]


def test_a_marker_with_a_code_is_its_concept_and_words_beyond_it_stand_beside(tmp_path: Path, out: Path) -> None:
    recording = CASES["eeg"].recording()
    recording.events += [
        Marker("Event button pressed", 1002.0, 0, 99, concepts.EVENT_BUTTON),
        Marker("patient felt dizzy", 1003.0, 0, 199, concepts.EVENT_BUTTON),
        Marker("Fp1 fell off", 1004.0, 0, 299, concepts.LEAD_OFF, samples=256),
        Marker("eyes closed", 1005.0, 0, 499, samples=128),
    ]
    (path,) = wrapped(CASES["eeg"], tmp_path, out, recording)
    assert check(path) == []
    told = [
        (
            note.get("UnformattedTextValue") or note.ConceptNameCodeSequence[0].CodeMeaning,
            note.TemporalRangeType,
            note.ReferencedSamplePositions,
        )
        for note in pydicom.dcmread(path).WaveformAnnotationSequence[1:]
    ]
    assert told == [
        ("Event button pressed", "POINT", 100),
        ("Event button pressed", "POINT", 200),
        ("patient felt dizzy", "POINT", 200),
        ("Lead disconnected", "SEGMENT", [300, 555]),
        ("Fp1 fell off", "SEGMENT", [300, 555]),
        ("eyes closed", "SEGMENT", [500, 627]),
    ]


@pytest.mark.parametrize("name", [name for name in vars(concepts) if name.isupper()])
def test_concepts_of_markers_are_of_the_standard(name: str) -> None:
    code: Code = getattr(concepts, name)
    known = {
        value: meaning for codes in dictionary.concepts[code.scheme].values() for value, (meaning, _) in codes.items()
    }
    assert known[code.value] == code.meaning


def test_multiplex_groups_that_go_on_between_two_parts_say_how_much_later(tmp_path: Path, out: Path) -> None:
    counts = noise(200_000, 2, 40_000), noise(66_600, 1, 100)
    groups = group(100.0, ("Flow", "Thorax"), "L/s", 1e-6), group(33.3, ("CO2",), "mm[Hg]", 0.1)
    made = wrapped(Case(Kind.RESPIRATION, groups, counts), tmp_path, out, largest=1)
    assert len(made) == 2
    assert all(check(path) == [] for path in made)
    offsets = [float(item.MultiplexGroupTimeOffset) for p in made for item in pydicom.dcmread(p).WaveformSequence]
    first = waveform.groups(made[0])
    cut = first[0].count / 100.0
    assert offsets == [0.0, 0.0, 0.0, pytest.approx((first[1].count / 33.3 - cut) * 1000, abs=1e-3)]
    assert 0 <= offsets[3] < 1000 / 33.3
    whole = [np.concatenate([waveform.groups(path)[n].samples for path in made]) for n in range(2)]
    assert all(np.array_equal(found, truth) for found, truth in zip(whole, counts, strict=True))


@pytest.mark.parametrize(
    ("key", "trusted", "expected"),
    [
        ("pulse", True, "Y"),
        ("pulse", False, "N"),
        ("eeg", True, "Y"),
        ("hemodynamic", True, "N"),
        ("electrophysiology", False, "N"),
        ("voice", True, None),
    ],
)
def test_a_synchronized_clock_is_claimed_where_that_harms_nobody(
    key: str, trusted: bool, expected: str | None, tmp_path: Path, out: Path
) -> None:
    (path,) = wrapped(CASES[key], tmp_path, out, CASES[key].recording(trusted=trusted))
    head = pydicom.dcmread(path)
    assert head.get("AcquisitionTimeSynchronized") == expected
    assert ("MultiplexGroupTimeOffset" in head.WaveformSequence[0]) == (expected == "Y")
