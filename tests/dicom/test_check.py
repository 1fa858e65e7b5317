"""The check of what the gateway itself writes, of real files, and of files that are broken in any way."""

from __future__ import annotations

import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from acquisitions import Recording, an_exam, heartbeat, settings_of
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ImplicitVRLittleEndian
from tiers import examples

from gateway.dicom import encode
from gateway.dicom.check import ERROR, WARNING, Finding, check
from gateway.dicom.wrap import wrap
from gateway.errors import Held
from gateway.events import Gap
from gateway.model import Kind
from gateway.sop_classes import BY_KIND


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small clean file of each class, with a gap, by the key of the class."""
    here = tmp_path_factory.mktemp("clean")
    recording = Recording(trusted=False).with_samples(heartbeat(300, 8))
    recording.events.append(Gap("lost", 1002.0, 10, 0.02))
    folder = recording.folder(here / "acq")
    return {key: Path(wrap(folder, an_exam(), settings_of(here), here, key)[0].path) for key in BY_KIND[Kind.ECG].every}


@pytest.fixture
def spoiled(clean: dict[str, Path], tmp_path: Path) -> Callable[..., list[Finding]]:
    """Spoil a copy of the clean file of a class, and check it."""

    def spoil(how: Callable[[Dataset], None], iod: str = "general-32") -> list[Finding]:
        head = pydicom.dcmread(clean[iod])
        how(head)
        path = tmp_path / "spoiled.dcm"
        head.save_as(path, enforce_file_format=False)
        return check(path)

    return spoil


def errors(found: list[Finding]) -> list[str]:
    return [f"{f.where} {f.message}" for f in found if f.severity == ERROR]


@pytest.mark.parametrize("iod", BY_KIND[Kind.ECG].every)
def test_clean_files_have_no_finding(clean: dict[str, Path], iod: str) -> None:
    assert check(clean[iod]) == []


def group(head: Dataset) -> Dataset:
    return head.WaveformSequence[0]


def channel(head: Dataset) -> Dataset:
    return group(head).ChannelDefinitionSequence[0]


def put(where: Callable[[Dataset], Dataset], keyword: str, value: object) -> Callable[[Dataset], None]:
    return lambda head: setattr(where(head), keyword, value)


def drop(where: Callable[[Dataset], Dataset], keyword: str) -> Callable[[Dataset], None]:
    return lambda head: delattr(where(head), keyword)


def note(head: Dataset) -> Dataset:
    return head.WaveformAnnotationSequence[0]


def root(head: Dataset) -> Dataset:
    return head


def lengthened(head: Dataset) -> None:
    group(head).WaveformData += b"\x00\x00"


def more_samples(head: Dataset) -> None:
    item = group(head)
    item.NumberOfWaveformSamples = 16385
    item.WaveformData = bytes(16385 * 12 * 2)


def more_groups(head: Dataset) -> None:
    head.WaveformSequence = Sequence([group(head)] * 5)


def unreserved_private(head: Dataset) -> None:
    head.add_new(0x00090010 + 0x1000, "LO", "x")


CONTENT = {
    "modality": (put(root, "Modality", "EEG"), "demands ECG"),
    "rate too low": (put(group, "SamplingFrequency", 125), "125 Hz, allowed are 200 to 1000"),
    "rate too high": (put(group, "SamplingFrequency", 2000), "2000 Hz, allowed are 200 to 1000"),
    "rate zero": (put(group, "SamplingFrequency", 0), "must be more than 0"),
    "too many groups": (more_groups, "5 multiplex groups, allowed are 1 to 4"),
    "interpretation": (put(group, "WaveformSampleInterpretation", "UB"), "allows SS"),
    "bits allocated": (put(group, "WaveformBitsAllocated", 32), "SS has 16"),
    "bits stored": (put(channel, "WaveformBitsStored", 17), "must be 1 to 16"),
    "channel definitions": (put(group, "NumberOfWaveformChannels", 11), "12 items for 11 channels"),
    "data length": (lengthened, "channels x samples x bytes"),
    "sensitivity zero": (put(channel, "ChannelSensitivity", 0), "every sample would mean the same"),
    "units without": (drop(channel, "ChannelSensitivityUnitsSequence"), "Channel Sensitivity is present"),
    "baseline without": (drop(channel, "ChannelBaseline"), "Channel Sensitivity is present"),
    "correction without": (drop(channel, "ChannelSensitivityCorrectionFactor"), "Channel Sensitivity is present"),
    "no skew": (drop(channel, "ChannelSampleSkew"), "ChannelTimeSkew is missing"),
    "two skews": (put(channel, "ChannelTimeSkew", 0), "only if Channel Sample Skew is absent"),
    "time offset": (put(group, "MultiplexGroupTimeOffset", 0), "only if Acquisition Time Synchronized is Y"),
    "time offset missing": (put(root, "AcquisitionTimeSynchronized", "Y"), "though Acquisition Time Synchronized is Y"),
    "laterality": (put(root, "Laterality", "L"), "paired structure"),
    "two sources": (lambda h: channel(h).ChannelSourceSequence.append(Dataset()), "only one is allowed"),
    "padding length": (put(group, "WaveformPaddingValue", b"\0\0\0\0"), "it is one sample"),
    "text and concept": (put(note, "ConceptNameCodeSequence", [Dataset()]), "only if Concept Name"),
    "channel not there": (put(note, "ReferencedWaveformChannels", [1, 99]), "channel 99, which is not there"),
    "half a pair": (put(note, "ReferencedWaveformChannels", [1, 0, 1]), "pairs"),
    "position outside": (put(note, "ReferencedSamplePositions", [1, 999999]), "outside of samples"),
    "position missing": (drop(note, "ReferencedSamplePositions"), "though Temporal Range Type is present"),
    "one position for a segment": (put(note, "ReferencedSamplePositions", 5), "a SEGMENT has 2"),
    "sop class of the meta": (lambda h: setattr(h.file_meta, "MediaStorageSOPInstanceUID", "1.2.3"), "differs from"),
    "private without creator": (unreserved_private, "nobody has reserved its block"),
}


@pytest.mark.parametrize("fault", list(CONTENT))
def test_wrong_content_is_found_and_said_in_words(fault: str, spoiled: Callable[..., list[Finding]]) -> None:
    spoil, words = CONTENT[fault]
    assert any(words in message for message in errors(spoiled(spoil, "general")))


def test_more_samples_than_12_lead_ecg_allows_are_found(spoiled: Callable[..., list[Finding]]) -> None:
    assert any("16385 samples per channel" in words for words in errors(spoiled(more_samples, "twelve-lead")))
    assert errors(spoiled(more_samples, "general"))[:1] == []


def test_a_13_channel_limit_counts_all_groups(spoiled: Callable[..., list[Finding]]) -> None:
    def twice(head: Dataset) -> None:
        head.WaveformSequence = Sequence([group(head), group(head)])

    assert any("24 channels in all groups" in words for words in errors(spoiled(twice, "twelve-lead")))


def test_implicit_vr_is_read_too(clean: dict[str, Path], tmp_path: Path) -> None:
    head = pydicom.dcmread(clean["general"])
    head.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    path = tmp_path / "implicit.dcm"
    head.save_as(path, implicit_vr=True, little_endian=True)
    assert check(path) == []


def test_undefined_lengths_are_read_too(clean: dict[str, Path], tmp_path: Path) -> None:
    head = pydicom.dcmread(clean["general"])
    head["WaveformSequence"].is_undefined_length = True
    for item in head.WaveformSequence:
        item.is_undefined_length_sequence_item = True
    path = tmp_path / "undefined.dcm"
    head.save_as(path)
    assert check(path) == []


def test_another_class_is_named_as_not_checked_further(clean: dict[str, Path], tmp_path: Path) -> None:
    head = pydicom.dcmread(clean["general"])
    head.SOPClassUID = head.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    path = tmp_path / "ct.dcm"
    head.save_as(path)
    (finding,) = check(path)
    assert (finding.severity, finding.where) == (WARNING, "SOPClassUID")


def test_a_file_that_is_no_dicom_is_a_finding(tmp_path: Path) -> None:
    path = tmp_path / "letter"
    path.write_text("Dear Sir")
    (finding,) = check(path)
    assert finding.severity == ERROR
    assert "no readable DICOM file" in str(finding)
    assert check(tmp_path / "missing")[0].severity == ERROR


@given(st.data())
@settings(max_examples=examples(150))
def test_no_damage_makes_the_check_crash_and_a_cut_is_always_found(clean: dict[str, Path], data: st.DataObject) -> None:
    whole = clean["twelve-lead"].read_bytes()
    path = clean["twelve-lead"].with_name("damaged.dcm")
    cut = data.draw(st.integers(1, len(whole) - 1), label="cut")
    path.write_bytes(whole[:-cut])
    assert errors(check(path))
    damaged = np.frombuffer(whole, np.uint8).copy()
    for place_ in data.draw(st.lists(st.integers(0, min(len(whole), 9000) - 1), max_size=8), label="places"):
        damaged[place_] ^= data.draw(st.integers(1, 255))
    path.write_bytes(damaged.tobytes())
    check(path)


def test_the_samples_are_not_loaded(clean: dict[str, Path], tmp_path: Path) -> None:
    """2.4 GB of samples, a hole in the file system: only their place is looked at."""
    head = pydicom.dcmread(clean["general"])
    item = group(head)
    del item.WaveformData, head.WaveformSequence
    item.NumberOfWaveformSamples = 100_000_000
    path = tmp_path / "hole.dcm"
    with path.open("wb") as stream:
        encode.write_header(stream, head, [encode.Group(item, 100_000_000 * 12 * 2)])
    tracemalloc.start()
    found = check(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == []
    assert peak < 4 << 20


def test_samples_longer_than_one_element_holds_are_held(clean: dict[str, Path], tmp_path: Path) -> None:
    head = pydicom.dcmread(clean["general"])
    item = group(head)
    del item.WaveformData, head.WaveformSequence
    with (tmp_path / "long.dcm").open("wb") as stream, pytest.raises(Held, match="4294967294"):
        encode.write_header(stream, head, [encode.Group(item, 0xFFFFFFFE)])


def test_zeros_behind_the_data_set_are_damage_and_do_not_hang(clean: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "zeros.dcm"
    shutil.copy(clean["general"], path)
    with path.open("r+b") as stream:
        stream.truncate(8 << 30)
    assert "not in ascending order" in errors(check(path))[0]


def test_text_beyond_ascii_without_a_character_set_is_found(clean: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "latin.dcm"
    path.write_bytes(clean["general"].read_bytes().replace(b"Resting ECG", "Müller ECG!".encode("latin-1")))
    assert any(words.startswith("SpecificCharacterSet is missing") for words in errors(check(path)))
