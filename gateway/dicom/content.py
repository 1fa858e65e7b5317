"""Rules about the content of a Waveform Sequence: what module tables cannot say (PS3.3 A.34, C.10.9, C.10.10)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from pydicom.dataset import Dataset

from gateway.dicom.finding import ERROR, WARNING, Finding
from gateway.dicom.iods import BYTES, Iod, Shape, violations
from gateway.dicom.leads import ECG_CODES
from gateway.dicom.reading import Extent, WaveformFile

SEQUENCE = "WaveformSequence"


def findings(file: WaveformFile, iod: Iod) -> Iterator[Finding]:
    """All findings about the waveforms and annotations of one file of a known class."""
    items = file.dataset.get(SEQUENCE) or []
    if str(file.dataset.get("Modality", "")) not in ("", iod.modality):
        words = f"is {file.dataset.Modality}; {iod.label} demands {iod.modality}"
        yield Finding(ERROR, "Modality", f"{iod.section} modality", words)
    shapes = [_shape(item) for item in items]
    for words in violations(iod.limits, shapes):
        yield Finding(ERROR, SEQUENCE, f"{iod.section} limits", words)
    for number, (item, extent) in enumerate(zip(items, file.extents, strict=True), 1):
        where = f"{SEQUENCE}[{number}]"
        for rule in GROUP_RULES:
            yield from rule(item, extent, iod, where)
    for number, item in enumerate(file.dataset.get("WaveformAnnotationSequence") or [], 1):
        yield from _annotation(item, shapes, f"WaveformAnnotationSequence[{number}]")


def _shape(item: Dataset) -> Shape:
    channels = _whole(item, "NumberOfWaveformChannels")
    rate = item.get("SamplingFrequency")
    return Shape(("",) * channels, float(rate) if rate is not None else 0.0, _whole(item, "NumberOfWaveformSamples"))


def _whole(item: Dataset, keyword: str) -> int:
    value = item.get(keyword)
    return value if isinstance(value, int) else 0


def _interpretation(item: Dataset, _extent: Extent | None, iod: Iod, where: str) -> Iterator[Finding]:
    kind = str(item.get("WaveformSampleInterpretation", ""))
    allowed = iod.limits.interpretations
    if kind and kind not in allowed:
        words = f"is {kind}; {iod.label} allows {', '.join(allowed)}"
        yield Finding(ERROR, f"{where}.WaveformSampleInterpretation", f"{iod.section} samples", words)
    bits = item.get("WaveformBitsAllocated")
    if kind in BYTES and bits is not None and bits != BYTES[kind] * 8:
        words = f"is {bits}; {kind} has {BYTES[kind] * 8}"
        yield Finding(ERROR, f"{where}.WaveformBitsAllocated", "C.10.9.1.5", words)
    for number, channel in enumerate(item.get("ChannelDefinitionSequence") or [], 1):
        stored = channel.get("WaveformBitsStored")
        if stored is not None and bits is not None and not 1 <= stored <= bits:
            words = f"is {stored}; it must be 1 to {bits} (Waveform Bits Allocated)"
            place = f"{where}.ChannelDefinitionSequence[{number}].WaveformBitsStored"
            yield Finding(ERROR, place, "C.10.9.1.6", words)


def _channels(item: Dataset, _extent: Extent | None, iod: Iod, where: str) -> Iterator[Finding]:
    channels = item.get("ChannelDefinitionSequence") or []
    stated = item.get("NumberOfWaveformChannels")
    if stated is not None and stated != len(channels):
        words = f"has {len(channels)} items for {stated} channels"
        yield Finding(ERROR, f"{where}.ChannelDefinitionSequence", "C.10.9", words)
    for number, channel in enumerate(channels, 1):
        place = f"{where}.ChannelDefinitionSequence[{number}]"
        sensitivity = channel.get("ChannelSensitivity")
        if sensitivity is not None and float(sensitivity) == 0:
            words = "is 0: every sample would mean the same"
            yield Finding(ERROR, f"{place}.ChannelSensitivity", "C.10.9.1.4.2", words)
        for code in channel.get("ChannelSourceSequence") or []:
            known = (str(code.get("CodingSchemeDesignator", "")), str(code.get("CodeValue", ""))) in ECG_CODES
            if iod.limits.sources == "3001" and not known:
                words = f"{code.get('CodeMeaning', 'a code')!s} is not in CID 3001 (ECG leads)"
                yield Finding(WARNING, f"{place}.ChannelSourceSequence", f"{iod.section} channel source", words)


def _numbers(item: Dataset, _extent: Extent | None, _iod: Iod, where: str) -> Iterator[Finding]:
    for keyword in ("NumberOfWaveformSamples", "SamplingFrequency"):
        value = item.get(keyword)
        if value is not None and float(value) <= 0:
            yield Finding(ERROR, f"{where}.{keyword}", "C.10.9", f"is {value}; it must be more than 0")


def _data(item: Dataset, extent: Extent | None, _iod: Iod, where: str) -> Iterator[Finding]:
    if extent is None:
        return
    width = BYTES.get(str(item.get("WaveformSampleInterpretation", "")), 0)
    needed = _whole(item, "NumberOfWaveformChannels") * _whole(item, "NumberOfWaveformSamples") * width
    padded = needed + needed % 2
    if needed and extent.length != padded:
        words = f"has {extent.length} bytes; channels x samples x bytes is {padded}"
        yield Finding(ERROR, f"{where}.WaveformData", "C.10.9.1.7", words)
    bits = item.get("WaveformBitsAllocated")
    if extent.vr is not None and bits is not None:
        allowed = ("OB", "OW") if bits == 8 else ("OW",)
        if extent.vr not in allowed:
            yield Finding(
                ERROR, f"{where}.WaveformData", "PS3.5 8.3", f"has the VR {extent.vr}; it must be {allowed[0]}"
            )


def _padding(item: Dataset, _extent: Extent | None, _iod: Iod, where: str) -> Iterator[Finding]:
    width = BYTES.get(str(item.get("WaveformSampleInterpretation", "")), 0)
    value = item.get("WaveformPaddingValue")
    if value is not None and width and isinstance(value, bytes) and len(value) != max(2, width):
        words = f"has {len(value)} bytes; it is one sample, {max(2, width)} bytes"
        yield Finding(ERROR, f"{where}.WaveformPaddingValue", "C.10.9.1.6", words)


Rule = Callable[[Dataset, Extent | None, Iod, str], Iterator[Finding]]
GROUP_RULES: tuple[Rule, ...] = (_interpretation, _channels, _numbers, _data, _padding)


def _annotation(item: Dataset, shapes: list[Shape], where: str) -> Iterator[Finding]:
    raw = item.get("ReferencedWaveformChannels")
    if raw is None:
        return
    numbers = [int(v) for v in (raw if not isinstance(raw, int) else [raw])]
    place = f"{where}.ReferencedWaveformChannels"
    if len(numbers) % 2:
        yield Finding(ERROR, place, "C.10.10.1.1", "must be pairs of group and channel")
        return
    pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
    for group, channel in pairs:
        if not 1 <= group <= len(shapes) or not 0 <= channel <= len(shapes[group - 1].labels):
            yield Finding(ERROR, place, "C.10.10.1.1", f"names group {group}, channel {channel}, which is not there")
            return
    positions = item.get("ReferencedSamplePositions")
    if positions is None:
        return
    place = f"{where}.ReferencedSamplePositions"
    if len({group for group, _ in pairs}) > 1:
        yield Finding(ERROR, place, "C.10.10.1.3", "may be used only with channels of a single multiplex group")
    samples = [int(p) for p in (positions if not isinstance(positions, int) else [positions])]
    last = shapes[pairs[0][0] - 1].samples
    if any(not 1 <= p <= last for p in samples):
        yield Finding(ERROR, place, "C.10.10.1.3", f"lies outside of samples 1 to {last}")
    kind = str(item.get("TemporalRangeType", ""))
    wanted = {"POINT": 1, "SEGMENT": 2, "BEGIN": 1, "END": 1}.get(kind)
    if wanted is not None and len(samples) != wanted:
        yield Finding(ERROR, place, "C.10.10", f"has {len(samples)} positions; a {kind} has {wanted}")
    if kind.endswith("SEGMENT") and any(a > b for a, b in pairwise(samples)):
        yield Finding(WARNING, place, "C.10.10", "are not in ascending order")
