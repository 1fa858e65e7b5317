"""What a DICOMDIR says, read without believing it (PS3.3 F.3): top level, and its directory records one by one.

Reads any DICOMDIR, ours or not, with defined or undefined lengths. Links are handed on as numbers; who follows
them must expect lies.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.transfer.media.dicomdir.elements import (
    ITEM_END,
    PADDING,
    SEQUENCE_END,
    UNDEFINED,
    Element,
    Malformed,
    Window,
    element_at,
    elements,
    item_at,
    name,
    tag_at,
)
from gateway.transfer.media.dicomdir.records_table import EXPLICIT_LITTLE
from gateway.transfer.media.walking import shown

DIRECTORY_CLASS = "1.2.840.10008.1.3.10"
MOST_RECORDS = 400_000  # 100 000 instances, each with its own patient, study and series; bounds the memory used
MOST_BYTES = 1 << 30  # of a DICOMDIR; icons for 100 000 images take as much
_LONGEST = 64 << 10
_MOST_ELEMENTS = 1000  # in one record, or before the first
_MOST_TEXT = 1 << 20  # bytes of one record's values
_LONGEST_TYPE = 16  # a CS; what a hostile one says beyond that is nobody's record type
_TEXT = frozenset({b"LO", b"LT", b"PN", b"SH", b"ST", b"UC", b"UT"})
_LINKS = frozenset({0x00041400, 0x00041420, 0x00041504})


@dataclass(frozen=True, slots=True)
class Top:
    """The top level. ``*_at`` are offsets of 4-byte values in the file."""

    file_set_id: str
    file_set_uid: str  # Media Storage SOP Instance UID (0002,0003)
    first: int  # offset of the first record of the root entity, 0 if none
    first_at: int
    last: int
    last_at: int
    length_at: int  # of the sequence
    records_at: int  # where the first item starts
    records_end: int  # behind the last item; of an undefined sequence the limit, not the end
    undefined: bool
    consistency: int  # (0004,1212), 0 unless something is wrong
    group_length_at: int  # of the retired (0004,0000), which counts the whole file; 0 if it is not there


@dataclass(frozen=True, slots=True)
class Record:
    """One directory record. ``padding``: (offset, length) of its trailing padding's value, (0, 0) if none."""

    at: int
    end: int  # behind its item
    next: int
    next_at: int  # where that link lies, and the next one's
    lower: int
    lower_at: int
    shared: int  # (0004,1504), retired: offset of the MRDR record that names the file in its place; 0 if none
    shared_at: int
    in_use: bool
    closed: bool  # its item ends with a delimiter: it has no length that would have to grow
    extended: bool  # some text in it goes beyond ASCII
    type: str
    values: dict[int, bytes]  # without padding characters; sequences as b"SQ" if they have items, else b""
    padding: tuple[int, int]

    def text(self, tag: int) -> str:
        return self.values.get(tag, b"").decode("ascii", "replace")


def read_meta(source: Window) -> tuple[dict[int, bytes], int]:
    """File Meta Information without padding, and where it ends. Raises Malformed if this is no DICOM file."""
    if source.read(0, 132)[128:] != b"DICM":
        raise Malformed("there is no DICM at 128")
    length = element_at(source, 132, source.size)
    if length.tag != 0x00020000 or length.length != 4:
        raise Malformed("the file meta information does not start with its length")
    start = length.end + _number(source, length)
    if start - length.end > _LONGEST:
        raise Malformed(f"the file meta information says {start - length.end} bytes")
    return {e.tag: source.read(e.value, e.length).rstrip(b"\0 ") for e in elements(source, length.end, start)}, start


def read_top(source: Window) -> Top:
    """Raises Malformed if this is no DICOMDIR."""
    if source.size > MOST_BYTES:
        raise Malformed(f"it has {source.size} bytes, more than a DICOMDIR that can be believed")
    meta, start = read_meta(source)
    if meta.get(0x00020002) != DIRECTORY_CLASS.encode():
        raise Malformed("the file is not of the class Media Storage Directory")
    if meta.get(0x00020010) != EXPLICIT_LITTLE.encode():
        raise Malformed("the transfer syntax is not Explicit VR Little Endian")
    found: dict[int, Element] = {}
    at = start
    while at < source.size:  # the sequence is the last; its inside is read record by record, not here
        head = source.read(at, 8)
        if head[:6] == b"\x04\x00\x20\x12SQ":
            return _top(source, found, at, meta.get(0x00020003, b"").decode("ascii", "replace"))
        element = element_at(source, at, source.size)
        if len(found) == _MOST_ELEMENTS:
            break
        found[element.tag] = element
        at = element.end
    raise Malformed("there is no Directory Record Sequence (0004,1220)")


def _top(source: Window, found: dict[int, Element], at: int, uid: str) -> Top:
    sizes = ((0x00041200, 4), (0x00041202, 4), (0x00041212, 2), *([(0x00040000, 4)] if 0x00040000 in found else []))
    for tag, size in sizes:
        if tag not in found or found[tag].length != size:
            raise Malformed(f"{name(tag)} is missing or not {size} bytes long")
    (length,) = struct.unpack("<I", source.read(at + 8, 4))
    undefined = length == UNDEFINED
    end = source.size if undefined else at + 12 + length
    if end > source.size:
        raise Malformed(f"the Directory Record Sequence says {length} bytes, that is beyond the file's end")
    title = found.get(0x00041130)
    return Top(
        file_set_id=shown(source.read(title.value, min(title.length, 64)).decode("ascii", "replace")).strip()
        if title
        else "",
        file_set_uid=uid,
        first=_number(source, found[0x00041200]),
        first_at=found[0x00041200].value,
        last=_number(source, found[0x00041202]),
        last_at=found[0x00041202].value,
        length_at=at + 8,
        records_at=at + 12,
        records_end=end,
        undefined=undefined,
        consistency=_number(source, found[0x00041212]),
        group_length_at=found[0x00040000].value if 0x00040000 in found else 0,
    )


def read_records(source: Window, top: Top) -> Iterator[Record]:
    """Every item of the sequence in the order of the file. Raises Malformed, at the latest at the end."""
    at, count = top.records_at, 0
    while at < top.records_end:
        if top.undefined and tag_at(source, at)[0] == SEQUENCE_END:
            at += 8
            break
        count += 1
        if count > MOST_RECORDS:
            raise Malformed(f"there are more than {MOST_RECORDS} directory records")
        record, at = _record(source, at, top.records_end)
        yield record
    else:
        if top.undefined:
            raise Malformed("the Directory Record Sequence has no end")
    for element in elements(source, at, source.size):
        if element.tag != PADDING:
            raise Malformed(f"at {at}: {name(element.tag)} behind the Directory Record Sequence")
        at = element.end
    if at != source.size:
        raise Malformed(f"at {at}: {source.size - at} bytes that are no element")


def record_at(source: Window, at: int) -> Record:
    """The record whose item starts at ``at``."""
    return _record(source, at, source.size)[0]


def _record(source: Window, at: int, limit: int) -> tuple[Record, int]:
    undefined = tag_at(source, at)[1] == UNDEFINED
    start, end = (at + 8, limit) if undefined else item_at(source, at, limit)[:2]
    values: dict[int, bytes] = {}
    padding, behind, previous = (0, 0), start, -1
    places: dict[int, int] = {}
    extended, room = False, _MOST_TEXT
    for element in elements(source, start, end):
        if element.tag <= previous:
            raise Malformed(f"at {behind}: {name(element.tag)} is out of order")
        room -= element.length if element.length <= _LONGEST else 0
        if room < 0 or len(values) > _MOST_ELEMENTS:
            raise Malformed(f"at {at}: the directory record holds more than can be believed")
        previous, behind = element.tag, element.end
        if element.tag == PADDING:
            padding = (element.value, element.length)
        elif element.vr == b"SQ":
            values[element.tag] = b"SQ" if element.end - element.value > 8 else b""
        elif element.length <= _LONGEST:
            if element.tag in _LINKS:
                places[element.tag] = element.value
            raw = source.read(element.value, element.length)
            extended = extended or (element.vr in _TEXT and (not raw.isascii() or b"\x1b" in raw))
            values[element.tag] = raw if element.vr in (b"UL", b"US") else raw.strip(b" \0")
    if undefined:
        if behind + 8 > limit or tag_at(source, behind) != (ITEM_END, 0):
            raise Malformed(f"at {at}: the directory record has no end")
        behind += 8
    kind = sys.intern(shown(values.get(0x00041430, b"").decode("ascii", "replace"))[:_LONGEST_TYPE])
    for tag, size in ((0x00041400, 4), (0x00041410, 2), (0x00041420, 4), (0x00041504, 4)):
        if len(values.get(tag, b"")) != size and (tag != 0x00041504 or tag in values):
            raise Malformed(f"at {at}: the directory record's {name(tag)} is missing or not {size} bytes long")
    record = Record(
        at=at,
        end=behind,
        next=int.from_bytes(values[0x00041400], "little"),
        next_at=places[0x00041400],
        lower=int.from_bytes(values[0x00041420], "little"),
        lower_at=places[0x00041420],
        shared=int.from_bytes(values.get(0x00041504, b""), "little"),
        shared_at=places.get(0x00041504, 0),
        in_use=values[0x00041410] != b"\0\0",
        closed=undefined,
        extended=extended,
        type=kind,
        values=values,
        padding=padding,
    )
    return record, behind


def _number(source: Window, element: Element) -> int:
    return int.from_bytes(source.read(element.value, element.length), "little")
