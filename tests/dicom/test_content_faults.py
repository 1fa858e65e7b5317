"""What each waveform IOD says about its content, broken once: groups, channels, rates, samples, sources, modality.

Made from the limits of the IODs; none of this is tested by dciodvfy.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from specimens import coded, specimen, write

from gateway.dicom.check import check
from gateway.dicom.definition import BYTES, Iod
from gateway.dicom.iods import BY_KEY

WAVEFORMS = [iod for iod in BY_KEY.values() if iod.limits is not None]


@dataclass(frozen=True)
class Fault:
    iod: Iod
    name: str
    spoil: Callable[[Dataset], None]
    rule: str
    where: str = "WaveformSequence"
    severity: str = "error"


def group(head: Dataset) -> Dataset:
    return head.WaveformSequence[0]


def channel(head: Dataset) -> Dataset:
    return group(head).ChannelDefinitionSequence[0]


def groups_of(number: int) -> Callable[[Dataset], None]:
    def make(head: Dataset) -> None:
        head.WaveformSequence = Sequence([copy.deepcopy(group(head)) for _ in range(number)])

    return make


def channels_of(number: int) -> Callable[[Dataset], None]:
    def make(head: Dataset) -> None:
        item = group(head)
        item.ChannelDefinitionSequence = Sequence([copy.deepcopy(channel(head)) for _ in range(number)])
        item.NumberOfWaveformChannels = number
        resize(item)

    return make


def samples_of(number: int) -> Callable[[Dataset], None]:
    def make(head: Dataset) -> None:
        group(head).NumberOfWaveformSamples = number
        resize(group(head))

    return make


def resize(item: Dataset) -> None:
    width = BYTES[item.WaveformSampleInterpretation]
    size = item.NumberOfWaveformChannels * item.NumberOfWaveformSamples * width
    item.WaveformData = bytes(size + size % 2)


def put(keyword: str, what: object, of: Callable[[Dataset], Dataset] = group) -> Callable[[Dataset], None]:
    return lambda head: setattr(of(head), keyword, what)


def faults(iod: Iod) -> Iterator[Fault]:
    limits = iod.waveform
    wrong = "ECG" if iod.modality != "ECG" else "EEG"
    yield Fault(iod, f"modality {wrong}", lambda h: setattr(h, "Modality", wrong), "modality", "Modality")
    if (most := limits.groups[1]) is not None:
        yield Fault(iod, f"{most + 1} groups", groups_of(most + 1), "groups")
    if (most := limits.channels[1]) is not None:
        yield Fault(iod, f"{most + 1} channels", channels_of(most + 1), "channels")
    if limits.counts:
        yield Fault(iod, "3 channels", channels_of(3), "channels")
    if limits.channels_in_all is not None:
        count = limits.channels_in_all + 1
        yield Fault(
            iod, f"{count} channels in two groups", lambda h: (channels_of(count // 2)(h), groups_of(2)(h)), "channels"
        )
    if limits.rate is not None:
        low, high = limits.rate
        yield Fault(iod, f"{high + 1} Hz", put("SamplingFrequency", high + 1), "rate")
        if low:
            yield Fault(iod, f"{low - 1} Hz", put("SamplingFrequency", low - 1), "rate")
    if limits.samples is not None:
        yield Fault(iod, f"{limits.samples + 1} samples", samples_of(limits.samples + 1), "samples")
    place = "WaveformSequence[1].WaveformSampleInterpretation"
    other = next(kind for kind in ("US", "UB", "SL") if kind not in limits.interpretations)
    yield Fault(iod, f"samples {other}", put("WaveformSampleInterpretation", other), "interpretation", place)
    here = "WaveformSequence[1].ChannelDefinitionSequence[1]"
    if limits.sources:
        source = put("ChannelSourceSequence", [coded("99X", "1")], channel)
        yield Fault(iod, "foreign source", source, "context group", f"{here}.ChannelSourceSequence[1]", "warning")
    if limits.referenced:
        none = lambda h: delattr(channel(h), "ChannelSourceModifiersSequence")  # noqa: E731
        yield Fault(iod, "no reference", none, "source", f"{here}.ChannelSourceModifiersSequence")


OWN = {
    "fixed positions that are none": (
        "position",
        put("WaveformData", b"\x00\x01\x05\x04\xff\x00\x00\x00\x00\x00"),
        "data",
        "WaveformSequence[1].WaveformData",
    ),
    "fixed positions of SS": (
        "position",
        lambda h: (put("WaveformSampleInterpretation", "SS")(h), put("WaveformBitsAllocated", 16)(h), resize(group(h))),
        "interpretation",
        "WaveformSequence[1].WaveformSampleInterpretation",
    ),
    "an angle without the other": (
        "position",
        put("ChannelSourceSequence", [coded("DCM", "130411")], channel),
        "source",
        "WaveformSequence[1].ChannelDefinitionSequence",
    ),
    "7 bits of a mu-law sample": (
        "voice",
        lambda h: (put("WaveformSampleInterpretation", "MB")(h), put("WaveformBitsStored", 7, channel)(h)),
        "interpretation",
        "WaveformSequence[1].ChannelDefinitionSequence[1].WaveformBitsStored",
    ),
    "a minimum above the maximum": (
        "general",
        lambda h: (
            channel(h).add_new("ChannelMinimumValue", "OW", b"\x05\x00"),
            channel(h).add_new("ChannelMaximumValue", "OW", b"\xfb\xff"),
        ),
        "channel",
        "WaveformSequence[1].ChannelDefinitionSequence[1].ChannelMinimumValue",
    ),
    "a synchronization channel that is not there": (
        "audio",
        put("SynchronizationChannel", [1, 9], lambda h: h),
        "annotation",
        "SynchronizationChannel",
    ),
    "no synchronization of original hemodynamics": (
        "hemodynamic",
        lambda h: [
            h.pop(k)
            for k in ("SynchronizationFrameOfReferenceUID", "SynchronizationTrigger", "AcquisitionTimeSynchronized")
        ],
        "module",
        "SynchronizationFrameOfReferenceUID",
    ),
    "one UID for study and series": (
        "general",
        lambda h: setattr(h, "SeriesInstanceUID", h.StudyInstanceUID),
        "identity",
        "SeriesInstanceUID",
    ),
}
MADE = [fault for iod in WAVEFORMS for fault in faults(iod)]
MADE += [Fault(BY_KEY[key], name, spoil, rule, where) for name, (key, spoil, rule, where) in OWN.items()]


@pytest.mark.parametrize("iod", WAVEFORMS, ids=lambda iod: iod.key)
def test_a_healthy_file_of_each_class_has_no_finding(iod: Iod, tmp_path: Path) -> None:
    assert check(write(specimen(iod), tmp_path / "healthy.dcm")) == []


@pytest.mark.parametrize("fault", MADE, ids=lambda fault: f"{fault.iod.key}: {fault.name}")
def test_content_that_the_iod_forbids_is_found(fault: Fault, tmp_path: Path) -> None:
    head = specimen(fault.iod)
    fault.spoil(head)
    found = check(write(head, tmp_path / "spoiled.dcm"))
    wanted = (fault.severity, fault.rule, fault.where)
    assert wanted in [(f.severity, f.rule, f.where) for f in found], "\n".join(map(str, found))
    assert not [f for f in found if f.section == ""]


def test_derived_hemodynamics_need_no_synchronization(tmp_path: Path) -> None:
    head = specimen(BY_KEY["hemodynamic"])
    for keyword in ("SynchronizationFrameOfReferenceUID", "SynchronizationTrigger", "AcquisitionTimeSynchronized"):
        delattr(head, keyword)
    group(head).WaveformOriginality = "DERIVED"
    assert check(write(head, tmp_path / "derived.dcm")) == []


def test_two_angles_are_a_body_position(tmp_path: Path) -> None:
    head = specimen(BY_KEY["position"])
    item = group(head)
    item.WaveformSampleInterpretation, item.WaveformBitsAllocated = "SS", 16
    item.add_new("WaveformData", "OW", b"")
    channels_of(2)(head)
    for one, code in zip(item.ChannelDefinitionSequence, ("130411", "130412"), strict=True):
        one.ChannelSourceSequence = [coded("DCM", code)]
        one.ChannelSensitivity, one.ChannelSensitivityCorrectionFactor, one.ChannelBaseline = "1", "1", "0"
        one.ChannelSensitivityUnitsSequence = [coded("UCUM", "deg")]
        one.WaveformBitsStored = 16
    assert check(write(head, tmp_path / "angles.dcm")) == []
    item.ChannelDefinitionSequence[1].ChannelSensitivityUnitsSequence = [coded("UCUM", "rad")]
    (found,) = check(write(head, tmp_path / "radians.dcm"))
    assert "degrees" in found.message
