"""Whether a Part 10 file is whole, element by element, before anything that believes lengths may read it.

Any transfer syntax that is Little Endian and not deflated: implicit, explicit, and the encapsulated ones (PS3.5
section 7 and annex A). Values are passed over, not read, so that a file of any size takes the same memory. What is
sound here may still break rules; those are for :mod:`gateway.dicom.check`.
"""

from __future__ import annotations

import struct

from gateway.transfer.media.dicomdir.elements import ITEM, ITEM_END, SEQUENCE_END, UNDEFINED, Malformed, Window, name
from gateway.transfer.part10 import Header

IMPLICIT = "1.2.840.10008.1.2"
DEFLATED, BIG_ENDIAN = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
UNREADABLE = {DEFLATED: "deflated", BIG_ENDIAN: "Big Endian"}
MOST_READS = 4_000_000  # of one instance: a film of 100 000 frames with the groups of each takes some two million
_DEEPEST = 32
_PIXEL_DATA = 0x7FE00010
_WIDE = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_NARROW = frozenset(
    {b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS"}
) | {b"ST", b"TM", b"UI", b"UL", b"US"}
# What an import must know of an instance.
SOP_CLASS, SOP_INSTANCE, INSTITUTION = 0x00080016, 0x00080018, 0x00080080
PATIENT_ID, STUDY, SERIES = 0x00100020, 0x0020000D, 0x0020000E
_WANTED = frozenset({SOP_CLASS, SOP_INSTANCE, INSTITUTION, PATIENT_ID, STUDY, SERIES})
_LONGEST = 1024  # bytes of a wanted value


def walk(source: Window, header: Header) -> dict[int, bytes]:
    """Go through the whole data set; returns the values above, without padding. Raises Malformed where it breaks."""
    if (what := UNREADABLE.get(header.transfer_syntax_uid)) is not None:
        raise Malformed(f"its transfer syntax is {what}, which is not read here")
    at, implicit, last = header.offset, header.transfer_syntax_uid == IMPLICIT, -1
    found: dict[int, bytes] = {}
    while at < source.size:
        tag, vr, length, value = _head(source, at, source.size, implicit)
        if tag <= last or tag >> 16 <= 0x0002:
            raise Malformed(f"at {at}: {name(tag)} is out of order")
        last = tag
        if tag in _WANTED:
            if length > _LONGEST:
                raise Malformed(f"at {at}: {length} bytes are too long for {name(tag)}")
            found[tag] = source.read(value, length).strip(b" \0")
        at = _end(source, tag, vr, length, value, source.size, implicit, 0)
    if missing := [tag for tag in (SOP_CLASS, SOP_INSTANCE, STUDY, SERIES) if not found.get(tag)]:
        raise Malformed(f"{name(missing[0])} is missing or empty")
    for tag, said in ((SOP_CLASS, header.sop_class_uid), (SOP_INSTANCE, header.sop_instance_uid)):
        if found[tag] != said.encode("ascii"):
            raise Malformed(f"{name(tag)} is not what its file meta information says")
    return found


def _head(source: Window, at: int, limit: int, implicit: bool) -> tuple[int, bytes, int, int]:
    """Tag, VR ("" if implicit), length and place of the value of the element at ``at``."""
    if at + 8 > limit:
        raise Malformed(f"at {at}: {limit - at} bytes that are no element")
    group, element, vr, short = struct.unpack("<HH2sH", source.read(at, 8))
    tag = group << 16 | element
    if implicit or group == 0xFFFE:
        return tag, b"", int.from_bytes(vr, "little") | short << 16, at + 8
    if vr in _NARROW:
        return tag, vr, short, at + 8
    if vr not in _WIDE:
        raise Malformed(f"at {at}: {name(tag)} has no known value representation")
    if at + 12 > limit:
        raise Malformed(f"at {at}: {name(tag)} is cut off")
    return tag, vr, int.from_bytes(source.read(at + 8, 4), "little"), at + 12


def _end(source: Window, tag: int, vr: bytes, length: int, value: int, limit: int, implicit: bool, depth: int) -> int:
    """Where the element ends whose value starts at ``value``; it must end at or before ``limit``."""
    if length != UNDEFINED:
        if value + length > limit:
            raise Malformed(f"at {value}: {name(tag)} says {length} bytes, that is beyond {limit}")
        return value + length
    if tag == _PIXEL_DATA and vr in (b"OB", b"OW"):
        return _sequence(source, value, limit, None, depth)
    if vr not in (b"SQ", b"UN", b""):
        raise Malformed(f"at {value}: {name(tag)} {vr.decode()} has no length")
    return _sequence(source, value, limit, implicit or vr == b"UN", depth + 1)  # UN: implicit within (PS3.5 6.2.2)


def _sequence(source: Window, at: int, limit: int, implicit: bool | None, depth: int) -> int:
    """Where a sequence of undefined length ends; ``implicit`` None: its items are fragments, not data sets."""
    if depth > _DEEPEST:
        raise Malformed(f"at {at}: sequences are nested more than {_DEEPEST} deep")
    while True:
        tag, _, length, value = _head(source, at, limit, True)
        if tag == SEQUENCE_END:
            return value
        if tag != ITEM or (implicit is None and length == UNDEFINED):
            raise Malformed(f"at {at}: {name(tag)} where an item should start")
        if length != UNDEFINED:
            if value + length > limit:
                raise Malformed(f"at {at}: an item says {length} bytes, that is beyond {limit}")
            at = value + length
        else:
            at = _item(source, value, limit, bool(implicit), depth)


def _item(source: Window, at: int, limit: int, implicit: bool, depth: int) -> int:
    """Where an item of undefined length ends."""
    while True:
        tag, vr, length, value = _head(source, at, limit, implicit)
        if tag == ITEM_END:
            return value
        at = _end(source, tag, vr, length, value, limit, implicit, depth)
