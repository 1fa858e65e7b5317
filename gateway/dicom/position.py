"""Body Position Waveform: either fixed positions in one channel, or two angles (PS3.3 A.34.17.4)."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset

from gateway.dicom import groups
from gateway.dicom.definition import Iod
from gateway.dicom.finding import ERROR, Finding
from gateway.dicom.reading import Extent, WaveformFile

FIXED = ("DCM", "130410")  # Patient position
ANGLES = (("DCM", "130411"), ("DCM", "130412"))  # rotation around the longitudinal axis, then elevation
POSITIONS = bytes((0, 1, 2, 3, 4, 0xFF))  # supine, left, prone, right, upright, undefined: table A.34.17-2
_CHUNK = 1 << 20  # bytes


def findings(file: WaveformFile, iod: Iod) -> Iterator[Finding]:
    section = f"PS3.3 {iod.section}.4"
    items = file.dataset.get("WaveformSequence") or []
    for number, (item, extent) in enumerate(zip(items, file.extents, strict=True), 1):
        where = f"WaveformSequence[{number}]"
        sources = [_source(channel) for channel in item.get("ChannelDefinitionSequence") or []]
        kind = str(item.get("WaveformSampleInterpretation") or "")
        if FIXED in sources:
            yield from _fixed(file, item, extent, sources, where, section)
        elif sources and (tuple(sources) != ANGLES or kind != "SS"):
            words = "must be rotation (130411) and elevation (130412), of SS, or the position (130410) alone, of UB"
            yield Finding(ERROR, f"{where}.ChannelDefinitionSequence", "source", section, words)
        elif sources:
            yield from _degrees(item, where, section)


def _source(channel: Dataset) -> tuple[str, str]:
    codes = channel.get("ChannelSourceSequence") or [Dataset()]
    return groups.code(codes[0])


def _fixed(
    file: WaveformFile, item: Dataset, extent: Extent | None, sources: list[tuple[str, str]], where: str, section: str
) -> Iterator[Finding]:
    if len(sources) != 1:
        words = f"has {len(sources)} channels; fixed positions have one"
        yield Finding(ERROR, f"{where}.ChannelDefinitionSequence", "channels", section, words)
    elif (kind := str(item.get("WaveformSampleInterpretation") or "")) != "UB":
        words = f"is {kind:.20}; fixed positions are UB"
        yield Finding(ERROR, f"{where}.WaveformSampleInterpretation", "interpretation", section, words)
    elif extent is not None and (other := _other(file, extent, int(item.get("NumberOfWaveformSamples") or 0))):
        words = f"holds the value {other[0]:02X}H; fixed positions are 00 to 04 and FF"
        yield Finding(ERROR, f"{where}.WaveformData", "data", section, words)


def _other(file: WaveformFile, extent: Extent, samples: int) -> bytes:
    """The first values that are no position; in small pieces, since a night is long."""
    with file.path.open("rb") as stream:
        stream.seek(extent.offset)
        left = min(samples, extent.length)
        while left > 0 and (chunk := stream.read(min(left, _CHUNK))):
            if other := chunk.translate(None, POSITIONS):
                return other
            left -= len(chunk)
    return b""


def _degrees(item: Dataset, where: str, section: str) -> Iterator[Finding]:
    for number, channel in enumerate(item.get("ChannelDefinitionSequence") or [], 1):
        units = [groups.code(code) for code in channel.get("ChannelSensitivityUnitsSequence") or []]
        if units != [("UCUM", "deg")]:
            place = f"{where}.ChannelDefinitionSequence[{number}].ChannelSensitivityUnitsSequence"
            yield Finding(ERROR, place, "channel", section, "must be degrees (deg, UCUM)")
