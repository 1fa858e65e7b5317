"""A copy of a DICOMDIR, ours or not, without some of its records: what stands behind them moves up.

Whatever is left empty above them goes too. Links that led to a record that goes lead to the next one; every
link is corrected by what was taken out before its target; all else stays as it is, byte for byte.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left
from collections.abc import Callable
from typing import BinaryIO

from gateway.transfer.media.dicomdir import layout
from gateway.transfer.media.dicomdir.elements import ITEM_TAIL, SEQUENCE_TAIL, Malformed, Window
from gateway.transfer.media.dicomdir.links import Links
from gateway.transfer.media.dicomdir.structure import Record, Top, read_records, read_top

_BLOCK = 64 << 10


def without(source: Window, out: BinaryIO, doomed: Callable[[Record], bool], theirs: int = 0) -> int:
    """Write ``source`` to ``out`` without the instances whose record is ``doomed``.

    Returns where the last record stands in ``source`` that is left, 0 if none is. If it is at or behind ``theirs`` it
    gets the reserve of :mod:`layout` that the last one had. Raises Malformed if ``source`` is not sound.
    """
    top = read_top(source)
    cut = _Cut(source, top, doomed)
    front = bytearray(source.read(0, top.records_at))
    _put(front, top.first_at, cut.moved(top.first))
    _put(front, top.last_at, cut.moved(cut.last_of_root if cut.is_gone(top.last) else top.last))
    lost = sum(cut.sizes)
    if not top.undefined:
        _put(front, top.length_at, top.records_end - top.records_at - lost)
    out.write(front)
    last, end = None, top.records_at
    for record in read_records(source, top):
        end = record.end
        if cut.is_gone(record.at):
            continue
        last = record
        _copy(source, out, record, cut)
    at_end = last is not None and last.end == end
    if last is None or at_end or last.at < theirs or not last.closed:
        for at in range(end, source.size if at_end else end, _BLOCK):
            out.write(source.read(at, min(_BLOCK, source.size - at)))
        if top.undefined and not at_end:
            out.write(SEQUENCE_TAIL)
    else:
        _reserve(out, last)
    if top.group_length_at:
        size = out.tell()
        out.seek(top.group_length_at)
        out.write(struct.pack("<I", size - top.group_length_at - 4))
        out.seek(size)
    return last.at if last else 0


class _Cut:
    """What goes, and by how much the rest moves."""

    def __init__(self, source: Window, top: Top, doomed: Callable[[Record], bool]) -> None:
        self._links = Links()
        gone, sharing, sizes = bytearray(), [], array("Q")
        for record in read_records(source, top):
            self._links.add(record)
            gone.append(doomed(record))
            sizes.append(record.end - record.at)
            if record.shared:
                sharing.append((len(gone) - 1, record.shared))
        for i, at in sharing:  # whoever names its file through a record that goes
            gone[i] |= (named := self._links.index(at)) >= 0 and gone[named]
        self._gone = gone
        self._instead: dict[int, int] = {}  # which record that stays comes next behind one that goes; 0: none
        self.last_of_root = self._prune(top)
        self._starts = array("Q", (at for i, at in enumerate(self._links.at) if gone[i]))
        self.sizes = array("Q", (size for i, size in enumerate(sizes) if gone[i]))
        self._before = array("Q", [0])
        for size in self.sizes:
            self._before.append(self._before[-1] + size)

    def _prune(self, top: Top) -> int:
        """Add what is left empty; returns the last record of the root that stays."""
        links, gone = self._links, self._gone
        order, above = array("Q"), array("q")
        for i, parent in links.walk(top.first, _unsound):
            order.append(i)
            above.append(parent)
        left, lost, last = bytearray(len(gone)), bytearray(len(gone)), 0
        for i, parent in zip(reversed(order), reversed(above), strict=True):  # children before their parents
            if gone[i] and left[i]:
                raise Malformed(f"the record at {links.at[i]} has others below it")
            if lost[i] and not left[i]:
                gone[i] = 1
            if parent >= 0:
                (lost if gone[i] else left)[parent] = 1
            elif not gone[i] and not last:
                last = links.at[i]
        return last

    def is_gone(self, at: int) -> bool:
        return (i := self._links.index(at)) >= 0 and bool(self._gone[i])

    def moved(self, at: int) -> int:
        """Where a link to ``at`` leads now."""
        way = []
        while self.is_gone(at) and at not in self._instead:
            self._instead[at] = 0  # what nobody reaches may go round in a circle
            way.append(at)
            at = self._links.next[self._links.index(at)]
        at = self._instead.get(at, at)
        self._instead.update(dict.fromkeys(way, at))
        return 0 if self.is_gone(at) else at - self._before[bisect_left(self._starts, at)]


def _unsound(_whose: int, at: int, words: str) -> None:
    raise Malformed(f"a link leads to {at}, {words}")


def _copy(source: Window, out: BinaryIO, record: Record, cut: _Cut) -> None:
    first = bytearray(source.read(record.at, min(_BLOCK, record.end - record.at)))
    for place, target in (
        (record.next_at, record.next),
        (record.lower_at, record.lower),
        (record.shared_at, record.shared),
    ):
        if place:
            if place + 4 > record.at + len(first):
                raise Malformed(f"at {record.at}: the directory record does not begin with its links")
            _put(first, place - record.at, cut.moved(target))
    out.write(first)
    for at in range(record.at + len(first), record.end, _BLOCK):
        out.write(source.read(at, min(_BLOCK, record.end - at)))


def _reserve(out: BinaryIO, last: Record) -> None:
    """Turn the end of the record that was just written into ours."""
    out.seek(-len(ITEM_TAIL), 1)
    reserve = layout.SMALLEST_RESERVE
    length_at, length = last.padding
    if length_at:
        out.seek(length_at - 4 - (last.end - len(ITEM_TAIL)), 1)
        out.write(struct.pack("<I", length + reserve) + bytes(length))
    else:
        out.write(layout.PADDING_HEAD + struct.pack("<I", reserve))
    out.write(bytes(reserve) + layout.FILE_TAIL)


def _put(data: bytearray, at: int, value: int) -> None:
    struct.pack_into("<I", data, at, value)
