"""Explicit VR Little Endian data elements (PS3.5 section 7), as much as a DICOMDIR and its files' headers need.

Own, not pydicom's: adding one instance must cost what one instance costs, in a process that never loads pydicom
(42 MiB, 0.2 s), and a checker of offsets must see bytes, not a data set that a library already tidied up.

Reading is made for hostile input: every length is checked against what is there before it is used, nesting is
limited, and each step moves forward, so that no file can hang the box or make it read outside of it.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import NamedTuple

UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END, PADDING = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD, 0xFFFCFFFC
ITEM_HEAD = struct.pack("<HHI", 0xFFFE, 0xE000, UNDEFINED)
ITEM_TAIL = struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
SEQUENCE_TAIL = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)

_WIDE = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_NARROW = frozenset(
    {b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS"}
) | {b"ST", b"TM", b"UI", b"UL", b"US"}
_ZERO_PADDED = frozenset({b"UI", b"OB", b"UN"})
_DEEPEST = 16
_BLOCK = 64 << 10
MOST_READS = 20_000_000  # of one file: 50 for each of the 400 000 records of the largest DICOMDIR; a minute of work
_ALL = 0xFFFFFFFF
_head = struct.Struct("<HH2sH").unpack_from  # group, element, VR, and the length of a narrow VR
_item = struct.Struct("<HHI").unpack_from
_long = struct.Struct("<I").unpack_from
_pack_narrow = struct.Struct("<HH2sH").pack
_pack_wide = struct.Struct("<HH2sHI").pack


class Malformed(ValueError):
    """The bytes are not what PS3.5 says; the message tells where (offset from the start of the file)."""


class Element(NamedTuple):
    """Where one element lies: offsets in bytes from the start of the file; ``end`` is just behind it."""

    tag: int
    vr: bytes
    value: int
    length: int  # of the value; UNDEFINED for a sequence that ends with a delimiter
    end: int


class Window:
    """A file read through one block in memory. Not mapped: a pulled stick must be an error, not a SIGBUS.

    ``start``: the file's first bytes, of whoever has read them already; all of it if there is no ``descriptor``.
    After ``most`` looks it is Malformed: so a file of a thousand million tiny elements keeps nobody busy for hours.
    """

    def __init__(self, descriptor: int | None, start: bytes = b"", most: int = MOST_READS) -> None:
        self._descriptor = descriptor
        self._left = self._most = most
        self._at = 0
        self._block = start
        self.size = len(start) if descriptor is None else os.fstat(descriptor).st_size

    def read(self, at: int, count: int) -> bytes:
        """``count`` bytes at offset ``at``; raises Malformed if the file is shorter, or was looked at too often."""
        self.spend()
        start = at - self._at
        if start < 0 or start + count > len(self._block):
            self._fill(at, count)
            start = 0
        return self._block[start : start + count]

    def around(self, at: int, count: int) -> tuple[bytes, int]:
        """The block that holds ``count`` bytes from offset ``at``, and where in it they start: nothing is copied."""
        self.spend()
        start = at - self._at
        if start < 0 or start + count > len(self._block):
            self._fill(at, count)
            start = 0
        return self._block, start

    def spend(self, looks: int = 1) -> None:
        """Count what was looked at in a block of :meth:`around`."""
        self._left -= looks
        if self._left < 0:
            raise Malformed(f"it has more elements than can be believed ({self._most} looks did not suffice)")

    def _fill(self, at: int, count: int) -> None:
        block = b""
        if self._descriptor is not None and at + count <= self.size:
            block = os.pread(self._descriptor, max(count, _BLOCK), at)
        if len(block) < count:
            raise Malformed(f"the file ends at {self.size}, within what starts at {at}")
        self._block, self._at = block, at


def encode(tag: int, vr: bytes, value: bytes) -> bytes:
    """One element; an odd value is padded as its VR wants it. Raises Malformed if it is too long for its VR."""
    if len(value) % 2:
        value += b"\0" if vr in _ZERO_PADDED else b" "
    if vr in _WIDE:
        return _pack_wide(tag >> 16, tag & 0xFFFF, vr, 0, len(value)) + value
    if len(value) > 0xFFFF:
        raise Malformed(f"{name(tag)}: {len(value)} bytes are too long for {vr.decode()}")
    return _pack_narrow(tag >> 16, tag & 0xFFFF, vr, len(value)) + value


def name(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def tag_at(source: Window, at: int) -> tuple[int, int]:
    """Tag and 32-bit length of an item or delimiter at ``at``."""
    group, element, length = _item(*source.around(at, 8))
    return group << 16 | element, length


def element_at(source: Window, at: int, limit: int, depth: int = 0) -> Element:
    """The element whose header is at ``at``; it must end at or before ``limit``."""
    if at + 8 > limit:
        raise Malformed(f"at {at}: no room for an element before {limit}")
    group, number, vr, short = _head(*source.around(at, 8))
    tag = group << 16 | number
    if vr in _NARROW:
        value, length = at + 8, short
    elif vr in _WIDE:
        value, length = at + 12, _long(*source.around(at + 8, 4))[0]
    else:
        raise Malformed(f"at {at}: {name(tag)} has no known value representation")
    if length == UNDEFINED:
        if vr != b"SQ":
            raise Malformed(f"at {at}: {name(tag)} {vr.decode()} has no length")
        return Element(tag, vr, value, length, _sequence_end(source, value, limit, depth + 1))
    if value + length > limit:
        raise Malformed(f"at {at}: {name(tag)} says {length} bytes, that is beyond {limit}")
    return Element(tag, vr, value, length, value + length)


def elements(source: Window, at: int, limit: int, depth: int = 0, last: int = _ALL) -> Iterator[Element]:
    """The elements from ``at`` up to ``limit`` exactly, or up to an item delimiter, in the file's order.

    It stops before the first one beyond the tag ``last``, whose value may be of any size.
    """
    block, behind, seen = b"", 0, 0  # ``behind``: where the block starts in the file
    while at < limit:
        place, seen = at - behind, seen + 1
        if place < 0 or place + 8 > len(block):
            source.spend(seen)
            seen = 0
            block, place = source.around(at, 8)
            behind = at - place
        group, number, vr, short = _head(block, place)
        if (tag := group << 16 | number) == ITEM_END or tag > last:
            break
        end = at + 8 + short
        if vr in _NARROW and end <= limit:  # nearly all of them
            yield tuple.__new__(Element, (tag, vr, at + 8, short, end))
            at = end
        else:
            element = element_at(source, at, limit, depth)
            yield element
            at = element.end
    source.spend(seen)


def item_at(source: Window, at: int, limit: int, depth: int = 0) -> tuple[int, int, int]:
    """The item whose header is at ``at``: where its elements start, where they end, where the item ends."""
    tag, length = tag_at(source, at)
    if tag != ITEM:
        raise Malformed(f"at {at}: {name(tag)} where an item should start")
    if length != UNDEFINED:
        if at + 8 + length > limit:
            raise Malformed(f"at {at}: an item says {length} bytes, that is beyond {limit}")
        return at + 8, at + 8 + length, at + 8 + length
    end = at + 8
    for element in elements(source, end, limit, depth):
        end = element.end
    if end + 8 > limit or tag_at(source, end) != (ITEM_END, 0):
        raise Malformed(f"at {at}: the item has no end")
    return at + 8, end, end + 8


def _sequence_end(source: Window, at: int, limit: int, depth: int) -> int:
    if depth > _DEEPEST:
        raise Malformed(f"at {at}: sequences are nested more than {_DEEPEST} deep")
    while at + 8 <= limit:
        if tag_at(source, at)[0] == SEQUENCE_END:
            return at + 8
        at = item_at(source, at, limit, depth)[2]
    raise Malformed(f"at {at}: the sequence has no end")
