"""Reading the samples of an acquisition as a stream: one scan for the header, one pass for the data.

Small sample records are put together into blocks of a useful size; a gap is a run of missing samples at its
place. Never more than one block of each multiplex group is in memory.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gateway import records
from gateway.dicom.leads import Column
from gateway.dicom.parts import Part
from gateway.dicom.scaling import combine
from gateway.errors import Held
from gateway.events import Frame, Gap, Marker, Samples
from gateway.model import Code
from gateway.records import Type

BLOCK = 1 << 16  # counts in a block, roughly: 256 KiB
MOST_EVENTS = 2000  # gaps and markers that are described one by one
_STRIDE = 4 << 20  # bytes between two beats


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Consecutive samples of one group. ``counts`` None: ``samples`` of them are missing."""

    group: int
    samples: int
    counts: NDArray[np.int32] | None


@dataclass(frozen=True, slots=True)
class Happening:
    """A gap or a marker at its place; ``first`` is 1-based, as Referenced Sample Positions are."""

    text: str
    group: int
    first: int
    samples: int = 0  # 0: a point
    concept: Code | None = None


@dataclass(slots=True)
class Survey:
    """What the header must know of one multiplex group; ``low`` and ``high`` are counts of each column."""

    samples: int = 0
    missing: int = 0
    low: list[int] = field(default_factory=list)
    high: list[int] = field(default_factory=list)
    missing_in: list[int] = field(default_factory=list)  # of the missing ones, how many are in each part


@dataclass(slots=True)
class Scan:
    groups: list[Survey]
    happenings: list[Happening] = field(default_factory=list)
    untold: int = 0  # gaps and markers beyond MOST_EVENTS, anywhere in the recording

    def only(self, kept: Sequence[int]) -> Scan:
        """The scan of some of the groups, renumbered."""
        place = {group: index for index, group in enumerate(kept)}
        told = [replace(h, group=place[h.group]) for h in self.happenings if h.group in place]
        return Scan([self.groups[i] for i in kept], told, self.untold)

    def part(self, part: Part) -> Scan:
        """What of it concerns one part, in the part's own sample positions; what reaches over a border is in both.

        What happened while the recording was interrupted stands at the beginning of the part that follows.
        """
        groups = [
            replace(survey, samples=last - first, missing=survey.missing_in[part.number - 1])
            for survey, (first, last) in zip(self.groups, part.ranges, strict=True)
        ]
        told = []
        for h in self.happenings:
            (first, last), at = part.ranges[h.group], max(h.first - 1, 0)
            begin, end = max(at, first), min(at + max(h.samples, 1), last)
            if begin < end or (part.number == part.of and at >= last):  # a marker may stand behind the last sample
                told.append(replace(h, first=begin - first + 1, samples=max(0, end - begin) if h.samples else 0))
            elif part.after and part.after[h.group] <= at < first:
                told.append(replace(h, text=f"{h.text}, before this part", first=1, samples=0))
        return Scan(groups, told, self.untold)


def _events(path: Path, beat: Callable[[], None]) -> Iterator[Samples | Frame | Marker | Gap]:
    """What was captured, with a beat every few MiB, whatever they hold."""
    due = 0
    for record in records.read(path, skip=(Type.END,)):
        if record.end >= due:
            beat()
            due = record.end + _STRIDE
        if (event := records.decode(record)) is not None:
            yield event


def blocks(path: Path, groups: int, beat: Callable[[], None] = lambda: None) -> Iterator[Block]:
    """The samples of a record file, group by group in the order of arrival, in blocks."""
    waiting: list[list[NDArray[np.int32]]] = [[] for _ in range(groups)]
    held = [0] * groups

    def flush(group: int) -> Iterator[Block]:
        if waiting[group]:
            counts = np.concatenate(waiting[group])
            waiting[group].clear()
            held[group] = 0
            yield Block(group, len(counts), counts)

    for event in _events(path, beat):
        if isinstance(event, Samples):
            waiting[event.group].append(event.data)
            held[event.group] += event.data.size
            if held[event.group] >= BLOCK:
                yield from flush(event.group)
        elif isinstance(event, Gap) and event.samples:
            yield from flush(event.group)
            yield Block(event.group, event.samples, None)
    for group in range(groups):
        yield from flush(group)


def scan(
    path: Path, columns: tuple[tuple[Column, ...], ...], parts: Sequence[Part], beat: Callable[[], None] = lambda: None
) -> Scan:
    """Count the samples, find each column's extent, note gaps and markers, and what of them is missing in each part.

    Raises Held if a record does not have the channels that the facts announced.
    """
    found = Scan([Survey(low=[0] * len(g), high=[0] * len(g), missing_in=[0] * len(parts)) for g in columns])
    widths = [1 + max((c for column in group for c, _ in column.terms), default=-1) for group in columns]
    seen = [False] * len(columns)
    waiting: list[list[NDArray[np.int32]]] = [[] for _ in columns]
    held = [0] * len(columns)

    def measure(group: int) -> None:
        if not waiting[group]:
            return
        counts = np.concatenate(waiting[group])
        waiting[group].clear()
        held[group] = 0
        if not len(counts):
            return
        survey = found.groups[group]
        for i, column in enumerate(columns[group]):
            values = combine(counts, column)
            low, high = int(values.min()), int(values.max())
            survey.low[i] = min(survey.low[i], low) if seen[group] else low
            survey.high[i] = max(survey.high[i], high) if seen[group] else high
        seen[group] = True

    for event in _events(path, beat):
        group = getattr(event, "group", 0)
        if group >= len(columns):
            raise Held(f"{path} has samples of a multiplex group that its facts do not name")
        survey = found.groups[group]
        match event:
            case Samples(data=data):
                if data.shape[1] != widths[group]:
                    raise Held(f"{path} has {data.shape[1]} channels where its facts name {widths[group]}")
                survey.samples += len(data)
                waiting[group].append(data)
                held[group] += data.size
                if held[group] >= BLOCK:
                    measure(group)
            case Gap():
                text = f"Gap: {event.reason}" + (f", {event.seconds:g} s" if event.seconds else "")
                _note(found, Happening(text, group, survey.samples + 1, event.samples))
                for part, _, count in pieces(parts, group, survey.samples, event.samples):
                    survey.missing_in[part.number - 1] += count
                survey.samples += event.samples
                survey.missing += event.samples
            case Marker():
                place = survey.samples if event.sample is None else event.sample + 1
                _note(found, Happening(event.text, group, place, event.samples, event.concept))
            case _:
                continue
    for group in range(len(columns)):
        measure(group)
    return found


def pieces(parts: Sequence[Part], group: int, first: int, count: int) -> Iterator[tuple[Part, int, int]]:
    """Where ``count`` samples from the position ``first`` of a group go: part, how many were before, how many go in."""
    at = 0
    for part in parts[bisect_right(parts, first, key=lambda p: p.ranges[group][1]) :]:
        at = max(at, part.ranges[group][0] - first)  # what was lost in an interruption goes nowhere
        if at >= count:
            return
        taken = min(part.ranges[group][1] - first - at, count - at)
        if taken > 0:
            yield part, at, taken
            at += taken


def _note(found: Scan, happening: Happening) -> None:
    if len(found.happenings) < MOST_EVENTS:
        found.happenings.append(happening)
    else:
        found.untold += 1
