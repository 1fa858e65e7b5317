"""Rules about the content of a Waveform Sequence: what module tables cannot say (PS3.3 A.34, C.10.9)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pydicom.dataset import Dataset

from gateway.dicom import annotation_rules, groups, position
from gateway.dicom.definition import BYTES, Iod, Limits, Shape, broken
from gateway.dicom.finding import ERROR, WARNING, Finding
from gateway.dicom.reading import Extent, WaveformFile

SEQUENCE = "WaveformSequence"
_CHANNELS = "ChannelDefinitionSequence"
_FORMATS = {"SB": "<b", "UB": "<B", "SS": "<h", "US": "<H", "SL": "<i", "UL": "<I"}


@dataclass(frozen=True, slots=True)
class Group:
    """One multiplex group as the rules look at it."""

    item: Dataset
    extent: Extent | None
    iod: Iod
    limits: Limits
    where: str

    @property
    def kind(self) -> str:
        return str(self.item.get("WaveformSampleInterpretation") or "")

    @property
    def width(self) -> int:
        """Bytes of one sample; 0 if the file does not tell."""
        return BYTES.get(self.kind, 0)

    def channels(self) -> Iterator[tuple[str, Dataset]]:
        for number, channel in enumerate(self.item.get(_CHANNELS) or [], 1):
            yield f"{self.where}.{_CHANNELS}[{number}]", channel


def findings(file: WaveformFile, iod: Iod) -> Iterator[Finding]:
    """All findings about the waveforms and annotations of one file of a waveform class."""
    limits = iod.waveform
    items = file.dataset.get(SEQUENCE) or []
    shapes = [_shape(item) for item in items]
    for rule, words in broken(limits, shapes):
        yield Finding(ERROR, SEQUENCE, rule, f"PS3.3 {iod.section}.4", words)
    for number, (item, extent) in enumerate(zip(items, file.extents, strict=True), 1):
        group = Group(item, extent, iod, limits, f"{SEQUENCE}[{number}]")
        for look in GROUP_RULES:
            yield from look(group)
    if iod.key == "position":
        yield from position.findings(file, iod)
    yield from annotation_rules.findings(file.dataset, shapes)


def _shape(item: Dataset) -> Shape:
    channels = _whole(item, "NumberOfWaveformChannels")
    rate = item.get("SamplingFrequency")
    return Shape(("",) * channels, float(rate) if rate is not None else 0.0, _whole(item, "NumberOfWaveformSamples"))


def _whole(item: Dataset, keyword: str) -> int:
    value = item.get(keyword)
    return value if isinstance(value, int) else 0


def _interpretation(group: Group) -> Iterator[Finding]:
    allowed, bits = group.limits.interpretations, group.item.get("WaveformBitsAllocated")
    if group.kind and group.kind not in allowed:
        words = f"is {group.kind:.20}; {group.iod.label} allows {', '.join(allowed)}"
        place = f"{group.where}.WaveformSampleInterpretation"
        yield Finding(ERROR, place, "interpretation", f"PS3.3 {group.iod.section}.4", words)
    if group.width and bits is not None and bits != group.width * 8:
        words = f"is {bits}; {group.kind} has {group.width * 8}"
        yield Finding(ERROR, f"{group.where}.WaveformBitsAllocated", "interpretation", "PS3.3 C.10.9.1.5", words)
    for where, channel in group.channels():
        stored = channel.get("WaveformBitsStored")
        if stored is None or bits is None:
            continue
        if not 1 <= stored <= bits:
            words = f"is {stored}; it must be 1 to {bits} (Waveform Bits Allocated)"
            yield Finding(ERROR, f"{where}.WaveformBitsStored", "interpretation", "PS3.3 C.10.9.1.6", words)
        elif group.kind in ("MB", "AB") and stored != 8:
            words = f"is {stored}; a sample of {group.kind} has 8"
            yield Finding(ERROR, f"{where}.WaveformBitsStored", "interpretation", "PS3.3 C.10.9.1.5", words)


def _counts(group: Group) -> Iterator[Finding]:
    defined = len(group.item.get(_CHANNELS) or [])
    stated = group.item.get("NumberOfWaveformChannels")
    if stated is not None and stated != defined:
        words = f"has {defined} items for {stated} channels"
        yield Finding(ERROR, f"{group.where}.{_CHANNELS}", "channels", "PS3.3 C.10.9", words)
    for keyword, rule in (
        ("NumberOfWaveformSamples", "samples"),
        ("SamplingFrequency", "rate"),
        ("NumberOfWaveformChannels", "channels"),
    ):
        value = group.item.get(keyword)
        if value is not None and float(value) <= 0:
            words = f"is {value}; it must be more than 0"
            yield Finding(ERROR, f"{group.where}.{keyword}", rule, "PS3.3 C.10.9", words)


def _scale(group: Group) -> Iterator[Finding]:
    for where, channel in group.channels():
        for keyword in ("ChannelSensitivity", "ChannelSensitivityCorrectionFactor"):
            value = channel.get(keyword)
            if value is not None and float(value) == 0:
                words = "is 0: every sample would mean the same"
                yield Finding(ERROR, f"{where}.{keyword}", "channel", "PS3.3 C.10.9.1.4.2", words)
        low, high = channel.get("FilterLowFrequency"), channel.get("FilterHighFrequency")
        if low is not None and high is not None and 0 < float(high) <= float(low):
            words = f"is {low} Hz, not below Filter High Frequency {high} Hz: nothing would pass"
            yield Finding(WARNING, f"{where}.FilterLowFrequency", "channel", "PS3.3 C.10.9", words)


def _range(group: Group) -> Iterator[Finding]:
    """Padding, minimum and maximum are single samples, encoded as the data."""
    width = group.width
    ends = ("ChannelMinimumValue", "ChannelMaximumValue")
    places: list[tuple[str, Dataset, tuple[str, ...]]] = [(group.where, group.item, ("WaveformPaddingValue",))]
    places += [(where, channel, ends) for where, channel in group.channels()]
    for where, item, keywords in places:
        for keyword in keywords:
            value = item.get(keyword)
            if isinstance(value, bytes) and width and len(value) != max(2, width):
                words = f"has {len(value)} bytes; it is one sample, {max(2, width)} bytes"
                yield Finding(ERROR, f"{where}.{keyword}", "data", "PS3.3 C.10.9.1.6", words)
    for where, channel in group.channels():
        low, high = (_sample(group, channel.get(f"Channel{end}Value")) for end in ("Minimum", "Maximum"))
        if low is not None and high is not None and low > high:
            words = f"is {low}, more than Channel Maximum Value {high}"
            yield Finding(ERROR, f"{where}.ChannelMinimumValue", "channel", "PS3.3 C.10.9", words)


def _sample(group: Group, value: object) -> int | None:
    code = _FORMATS.get(group.kind)
    if code is None or not isinstance(value, bytes) or len(value) < group.width:
        return None
    found: int = struct.unpack(code, value[: group.width])[0]
    return found


def _sources(group: Group) -> Iterator[Finding]:
    section = f"PS3.3 {group.iod.section}.4"
    for where, channel in group.channels():
        for number, code in enumerate(channel.get("ChannelSourceSequence") or [], 1):
            place = f"{where}.ChannelSourceSequence[{number}]"
            if group.limits.sources and (found := groups.fault(code, group.limits.sources)):
                yield Finding(found[0], place, "context group", section, found[1])
        if group.limits.referenced:
            modifiers = [groups.code(code) for code in channel.get("ChannelSourceModifiersSequence") or []]
            if len(modifiers) < 2 or modifiers[0] != groups.DIFFERENTIAL:
                words = "must say Differential signal (109006, DCM), and then the lead of the reference"
                yield Finding(ERROR, f"{where}.ChannelSourceModifiersSequence", "source", section, words)


def _data(group: Group) -> Iterator[Finding]:
    where, extent = f"{group.where}.WaveformData", group.extent
    if extent is None:
        yield Finding(ERROR, where, "type 1", "PS3.3 C.10.9", "is missing")
        return
    if not extent.length:
        yield Finding(ERROR, where, "type 1", "PS3.3 C.10.9", "is empty")
        return
    needed = _whole(group.item, "NumberOfWaveformChannels") * _whole(group.item, "NumberOfWaveformSamples")
    padded = needed * group.width + needed * group.width % 2
    if padded and extent.length != padded:
        words = f"has {extent.length} bytes; channels x samples x bytes is {padded}"
        yield Finding(ERROR, where, "data", "PS3.3 C.10.9.1.7", words)
    bits = group.item.get("WaveformBitsAllocated")
    if extent.vr is not None and bits is not None:
        allowed = ("OB", "OW") if bits == 8 else ("OW",)
        if extent.vr not in allowed:
            words = f"has the VR {extent.vr}; it must be {allowed[0]}"
            yield Finding(ERROR, where, "data", "PS3.5 8.3", words)


GROUP_RULES: tuple[Callable[[Group], Iterator[Finding]], ...] = (
    _interpretation,
    _counts,
    _scale,
    _range,
    _sources,
    _data,
)
