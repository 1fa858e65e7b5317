"""EDF, EDF+, BDF and BDF+ files from a folder: EEG, sleep and whatever else stands in them, sample for sample.

A file holds signals of several kinds; each kind becomes a recording of its own, since a class of the standard holds
one, with a multiplex group for each sampling rate (:mod:`firmware_adapters.edf_layout`). Its annotations stand in each
of them, those for one signal ("Apnea@@Resp nasal") where that signal is; what the time-keeping of EDF+D leaves out is a
gap. Counts, scale and offset are the file's own: microvolt for microvolt.

EDF has local time without a zone: it is read as the box's. The beginning is kept to the fraction of a second that the
first annotation of EDF+ tells. Patient code and investigation of EDF+ are whom the device says that it measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from firmware_adapters import edf_header
from firmware_adapters.edf_annotations import Tal, tals
from firmware_adapters.edf_header import HEAD, Header
from firmware_adapters.edf_layout import Group, Layout, Options, lay_out
from gateway.acquire.adapter import Adapter, Folder, ReadAt
from gateway.errors import Unreadable
from gateway.events import Event, Finished, Gap, Identified, Marker, Samples, Started
from gateway.model import Equipment, Kind, MultiplexGroup
from gateway.sop_classes import SIGNALS

BATCH = 64 << 10  # bytes that are decoded together, in whole data records, however the file is cut
LONGEST = 31 * 86400  # seconds from the first data record to the last
LAST = 2**31  # samples; no annotation stands, or goes on, further
_NOW = Fraction(0)


def lacks(read: ReadAt, size: int) -> str:
    """What a file still lacks: the header tells how long it will be. One that cannot be read lacks nothing."""
    try:
        if len(head := read(0, HEAD)) < HEAD:
            return f"its header has {len(head)} of at least {2 * HEAD} bytes"
        needed = edf_header.length(head)
        if len(data := read(0, needed)) < needed:
            return f"its header has {len(data)} of {needed} bytes"
        header = edf_header.parse(data)
    except Unreadable:
        return ""
    if header.records < 0:
        return "byte 236: by its own header (-1 data records) it is still being recorded"
    return "" if size == header.size else f"it has {size} bytes, by its header it must have {header.size}"


class Decoder:
    """One file as a pure machine."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._reset()

    def _reset(self) -> None:
        self._buffer = bytearray()
        self._length = 0  # of the header, once it is known
        self._layout: Layout | None = None
        self._trigger = 0
        self._done = 0  # data records
        self._first = Fraction(0)  # onset of the first one
        self._begun = False

    def start(self, now: float) -> Iterator[Event]:
        self._reset()
        return iter(())

    def tick(self, now: float) -> Iterator[Event]:
        return iter(())

    def feed(self, data: bytes, now: float) -> Iterator[Event]:
        self._buffer += data
        if self._layout is None:
            if len(self._buffer) >= HEAD and not self._length:
                self._length = edf_header.length(bytes(self._buffer[:HEAD]))
            if not self._length or len(self._buffer) < self._length:
                return
            self._layout = lay_out(edf_header.parse(bytes(self._buffer[: self._length])), self._options)
            del self._buffer[: self._length]
        header = self._layout.header
        batch = max(1, BATCH // header.record)
        while (left := header.records - self._done) > 0:
            count = min(batch, left)
            if len(self._buffer) < count * header.record:
                return
            piece = bytes(self._buffer[: count * header.record])
            del self._buffer[: len(piece)]
            yield from self._decode(self._layout, piece, count, now)
        if self._buffer and header.records >= 0:
            raise Unreadable(f"byte {header.size}: more follows than the header tells", "have it exported anew")

    def stop(self, now: float) -> Iterator[Event]:
        if self._layout is None:
            raise Unreadable("it ends within its header", "have it exported anew")
        records = self._layout.header.records
        if records < 1:
            raise Unreadable(f"byte 236: {records} data records", "have it exported anew when it is finished")
        if self._done < records:
            raise Unreadable(f"it ends in data record {self._done + 1} of {records}", "have it exported anew")
        yield Finished("the end of the file")

    def _begin(self, layout: Layout, onset: Fraction, now: float) -> Iterator[Event]:
        self._first, self._begun = onset, True
        header = layout.header
        yield from self._identify(header, now)
        groups = tuple(
            MultiplexGroup(f"{group.kind} {float(group.rate):g} Hz"[:16], float(group.rate), tuple(group.channels))
            for group in layout.groups
        )
        at = None if header.start is None else header.start.timestamp() + float(onset)
        yield Started(self._equipment(header), groups, at=at, kinds=tuple(group.kind for group in layout.groups))
        if at is None:
            words = "The file does not tell when it was recorded: it is dated when it was taken"
            yield from _mark(layout.firsts, words, now)
        for kind, words in layout.words:
            yield from _mark([one for one in layout.firsts if kind in (None, one[1].kind)], words, now)

    def _identify(self, header: Header, now: float) -> Iterator[Event]:
        patient, recording = header.patient.split(), header.recording.split()
        if not header.plus and recording[:1] != ["Startdate"]:
            return  # plain EDF has free text there
        if patient and patient[0] != "X":
            yield Identified("patient_id", patient[0], now)
        if self._options.investigation != "none" and len(recording) > 2 and recording[2] != "X":
            yield Identified(self._options.investigation, recording[2], now)

    def _equipment(self, header: Header) -> Equipment:
        words = header.recording.split()
        named = words[4].replace("_", " ") if words[:1] == ["Startdate"] and len(words) > 4 and words[4] != "X" else ""
        return Equipment(self._options.manufacturer, self._options.model or named, self._options.serial)

    def _decode(self, layout: Layout, piece: bytes, count: int, now: float) -> Iterator[Event]:
        """So many whole data records, which belong together unless the file says otherwise."""
        header = layout.header
        rows = np.frombuffer(piece, np.uint8).reshape(count, header.record // header.width, header.width)
        listed = [self._listed(layout, rows[number], self._done + number) for number in range(count)]
        if not self._begun:
            yield from self._begin(layout, listed[0][0], now)
        begin = 0
        for number, (onset, _) in enumerate(listed):
            if header.plus == "D" and (lost := self._lost(layout, onset, number - begin, self._done + number)):
                yield from _samples(layout.groups, rows[begin:number], now)
                begin = number
                for index, samples in lost.items():
                    layout.groups[index].position += samples
                    yield Gap("the file is discontinuous there", now, samples=samples, group=index)
        yield from _samples(layout.groups, rows[begin:], now)
        for row, (onset, found) in zip(rows, listed, strict=True):
            for tal in found:
                yield from self._annotate(layout, tal, onset, now)
            if layout.status is not None:
                yield from self._triggers(layout, row, onset, now)
        self._done += count

    def _listed(self, layout: Layout, row: NDArray[np.uint8], place: int) -> tuple[Fraction, list[Tal | int]]:
        """Onset and annotations of a data record, by its number; where one cannot be read, its byte in the file."""
        header = layout.header
        found: list[Tal | int] = []
        onset: Fraction | None = None
        for which, (at, length) in enumerate(layout.annotations):
            for one in tals(row[at : at + length].tobytes()):
                if isinstance(one, int):
                    found.append(header.length + place * header.record + at * header.width + one)
                elif onset is None and which == 0 and not one.texts[0]:
                    onset = one.onset
                    found.append(replace(one, texts=one.texts[1:]))
                else:
                    found.append(one)
        if onset is None and header.plus == "D":
            at = header.length + place * header.record
            raise Unreadable(f"byte {at}: data record {place + 1} does not tell when it began", "have it exported anew")
        if onset is None or (header.plus == "C" and self._begun):
            onset = self._first + place * header.duration
        return onset, found

    def _lost(self, layout: Layout, onset: Fraction, pending: int, place: int) -> dict[int, int]:
        """Samples of each group missing before a data record; ``pending`` ones before it are not counted yet."""
        since, header = onset - self._first, layout.header
        lost = [round(since * g.rate) - g.position - pending * g.per_record for g in layout.groups]
        if min(lost) < -1 or since > LONGEST:
            at, why = header.length + place * header.record, "before the one before it ends"
            why = "more than 31 days" if since > LONGEST else why
            words = f"byte {at}: data record {place + 1} begins {float(since):g} s after the first: {why}"
            raise Unreadable(words, "have it exported anew")
        return {index: samples for index, samples in enumerate(lost) if samples > 0} if max(lost) > 1 else {}

    def _annotate(self, layout: Layout, tal: Tal | int, onset: Fraction, now: float) -> Iterator[Event]:
        if isinstance(tal, int):
            words = f"An annotation of the file cannot be read (byte {tal})"
            yield from _mark(layout.firsts, words, now, onset - self._first)
            return
        for text in filter(None, map(str.strip, tal.texts)):
            yield from _mark(layout.places(text), text, now, tal.onset - self._first, tal.duration)

    def _triggers(self, layout: Layout, row: NDArray[np.uint8], onset: Fraction, now: float) -> Iterator[Event]:
        """Where the lower 16 bits of BioSemi's Status change to a code that is not 0."""
        assert layout.status is not None
        at, length = layout.status
        codes = _counts(row[np.newaxis, at : at + length])[0] & 0xFFFF
        before = np.concatenate([[self._trigger], codes[:-1]])
        self._trigger = int(codes[-1])
        for place in np.flatnonzero((codes != before) & (codes != 0)).tolist():
            since = onset - self._first + Fraction(place, length) * layout.header.duration
            yield from _mark(layout.firsts, f"Trigger {codes[place]}", now, since)


def _samples(groups: list[Group], rows: NDArray[np.uint8], now: float) -> Iterator[Event]:
    if not len(rows):
        return
    counts = _counts(rows)
    for index, group in enumerate(groups):
        columns = [counts[:, at : at + group.per_record].reshape(-1) for at in group.offsets]
        group.position += len(columns[0])
        yield Samples(np.stack(columns, axis=1), now, index)


def _mark(
    places: list[tuple[int, Group]], text: str, now: float, since: Fraction = _NOW, duration: Fraction = _NOW
) -> Iterator[Event]:
    """A marker in each of these groups. ``since``: seconds from the first sample."""
    for index, group in places:
        sample = min(max(0, round(since * group.rate)), LAST)
        yield Marker(text, now, index, sample, samples=min(round(duration * group.rate), LAST))


def _counts(rows: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Little-endian two's complement, 16 or 24 bits: shape (records, samples) from (records, samples, bytes)."""
    if rows.shape[2] == 2:
        return np.ascontiguousarray(rows).view("<i2")[:, :, 0].astype(np.int32)
    wide = rows.astype(np.int32)
    high = rows[:, :, 2].astype(np.int8).astype(np.int32)
    counts: NDArray[np.int32] = wide[:, :, 0] | wide[:, :, 1] << 8 | high << 16
    return counts


ADAPTER = Adapter(
    name="edf",
    kind=Kind.EEG,
    transport=Folder(("*.edf", "*.bdf", "*.rec"), lacks),
    decoder=Decoder,
    version="1",
    options=Options,
    others=tuple(kind for kind in SIGNALS if kind not in (Kind.EEG, Kind.OTHER)),
)
