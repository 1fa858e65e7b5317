"""Waveform Annotation Sequence (PS3.3 C.10.10): gaps, markers, and what a reader must know of the recording.

A gap is a SEGMENT of sample positions (the samples there are padding), a marker a POINT, or a SEGMENT if it goes on for
longer; a note about the whole recording (cut off, test) names every group and no range. What has a code is its Concept
Name, all else unformatted text; an item has one or the other, so words that say more than the code are an item beside.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydicom.dataset import Dataset

from gateway.dicom import mapping
from gateway.dicom.samples import Happening, Scan

LONGEST_TEXT = 1024  # characters of ST


def annotation_items(
    scan: Scan, notes: Sequence[str], of_channels: Sequence[tuple[int, int, str]] = ()
) -> list[Dataset]:
    """The items, notes first; empty if there is nothing to say. ``of_channels``: group and channel from 1, text."""
    everything = [value for group in range(1, len(scan.groups) + 1) for value in (group, 0)]
    items = [_note(text, everything) for text in notes]
    items += [_note(text, [group, channel]) for group, channel, text in of_channels]
    items += [item for happening in scan.happenings for item in _happening(happening, scan)]
    if scan.untold:
        items.append(_note(f"{scan.untold} further gaps and markers of the recording are not listed", everything))
    return items


def _note(text: str, channels: list[int]) -> Dataset:
    item = Dataset()
    item.UnformattedTextValue = text[:LONGEST_TEXT]
    item.ReferencedWaveformChannels = channels
    return item


def _happening(happening: Happening, scan: Scan) -> Iterator[Dataset]:
    samples, concept = scan.groups[happening.group].samples, happening.concept
    if not samples:
        return
    if concept is not None:
        item = _placed(happening, samples)
        item.ConceptNameCodeSequence = [mapping.code(concept)]
        yield item
    if concept is None or happening.text.casefold() not in ("", concept.meaning.casefold()):
        item = _placed(happening, samples)
        item.UnformattedTextValue = happening.text[:LONGEST_TEXT]
        yield item


def _placed(happening: Happening, samples: int) -> Dataset:
    """An item that says where; in a group of so many samples."""
    item = Dataset()
    item.ReferencedWaveformChannels = [happening.group + 1, 0]
    first = min(max(1, happening.first), samples)
    last = min(first + happening.samples - 1, samples)
    item.TemporalRangeType = "SEGMENT" if last > first else "POINT"
    item.ReferencedSamplePositions = [first, last] if last > first else first
    return item
