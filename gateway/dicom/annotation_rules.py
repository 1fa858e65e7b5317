"""What an annotation may be about: channels and positions that are there (PS3.3 C.10.10.1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from pydicom.dataset import Dataset

from gateway.dicom.definition import Shape
from gateway.dicom.finding import ERROR, WARNING, Finding

_SEQUENCE = "WaveformAnnotationSequence"
_POSITIONS = {"POINT": 1, "SEGMENT": 2, "BEGIN": 1, "END": 1}  # the others have several
_KINDS = ("ReferencedSamplePositions", "ReferencedTimeOffsets", "ReferencedDateTime")


def findings(dataset: Dataset, shapes: list[Shape]) -> Iterator[Finding]:
    for number, item in enumerate(dataset.get(_SEQUENCE) or [], 1):
        yield from _annotation(item, shapes, f"{_SEQUENCE}[{number}]")
    if pair := _numbers(dataset.get("SynchronizationChannel")):
        yield from _channels(pair, shapes, "SynchronizationChannel", "PS3.3 C.7.4.2.1.3")


def _numbers(value: object) -> list[int]:
    if value is None:
        return []
    return (
        [int(one) for one in value] if isinstance(value, Sequence) and not isinstance(value, str) else [int(str(value))]
    )


def _channels(numbers: list[int], shapes: list[Shape], where: str, section: str) -> Iterator[Finding]:
    if len(numbers) % 2:
        yield Finding(ERROR, where, "annotation", section, "must be pairs of group and channel")
        return
    for group, channel in zip(numbers[::2], numbers[1::2], strict=True):
        if not 1 <= group <= len(shapes) or not 0 <= channel <= len(shapes[group - 1].labels):
            words = f"names group {group}, channel {channel}, which is not there"
            yield Finding(ERROR, where, "annotation", section, words)
            return


def _annotation(item: Dataset, shapes: list[Shape], where: str) -> Iterator[Finding]:
    numbers = _numbers(item.get("ReferencedWaveformChannels"))
    found = list(_channels(numbers, shapes, f"{where}.ReferencedWaveformChannels", "PS3.3 C.10.10.1.1"))
    yield from found
    kind = str(item.get("TemporalRangeType") or "")
    given = [keyword for keyword in _KINDS if keyword in item]
    if len(given) > 1:
        words = f"stands beside {given[0]}; only one of them says where"
        yield Finding(ERROR, f"{where}.{given[1]}", "annotation", "PS3.3 C.10.10", words)
    for keyword in given:
        count = len(_values(item.get(keyword)))
        if (wanted := _POSITIONS.get(kind)) is not None and count != wanted:
            words = f"has {count} positions; a {kind} has {wanted}"
            yield Finding(ERROR, f"{where}.{keyword}", "annotation", "PS3.3 C.10.10", words)
        elif kind == "MULTISEGMENT" and count % 2:
            words = f"has {count} positions; a MULTISEGMENT has pairs"
            yield Finding(ERROR, f"{where}.{keyword}", "annotation", "PS3.3 C.10.10", words)
    if numbers and not found and "ReferencedSamplePositions" in item:
        yield from _samples(item, numbers, shapes, kind, f"{where}.ReferencedSamplePositions")


def _values(value: object) -> list[object]:
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]


def _samples(item: Dataset, numbers: list[int], shapes: list[Shape], kind: str, where: str) -> Iterator[Finding]:
    section = "PS3.3 C.10.10.1.3"
    if len(set(numbers[::2])) > 1:
        words = "may be used only with channels of a single multiplex group"
        yield Finding(ERROR, where, "annotation", section, words)
    samples = _numbers(item.ReferencedSamplePositions)
    last = shapes[numbers[0] - 1].samples
    if any(not 1 <= position <= last for position in samples):
        yield Finding(ERROR, where, "annotation", section, f"lies outside of samples 1 to {last}")
    if kind.endswith("SEGMENT") and any(a > b for a, b in pairwise(samples)):
        yield Finding(WARNING, where, "annotation", section, "are not in ascending order")
