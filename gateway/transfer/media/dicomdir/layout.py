"""How our DICOMDIR is laid out, and the order of writes that adds to it: every cut leaves a valid directory.

The last directory record of the sequence ends with Data Set Trailing Padding (FFFC,FFFC), which PS3.10 section 7.2
allows in items and tells every reader to ignore. Its value is the *reserve*. Items and sequence have undefined
length, so the end of the file never moves::

    ... | item | elements ... | FFFC,FFFC OB length R | R bytes of reserve | item end | sequence end | EOF

Adding records (at most PATIENT, STUDY, SERIES and the instance's own) is three synced writes, in this order:

1. *fill*: the new items go into the reserve, the last one with a padding header of its own that covers what remains
   of the reserve. For a reader nothing happened: it is the value of a padding element.
2. *publish*: four bytes, the old padding's length becomes its few bytes of alignment. The new items are now
   items of the sequence, complete and closed by the very delimiters that closed the old one. Nothing refers to them.
3. *link*: four bytes, the offset in the parent (or in the root) that pointed to its first child now points to
   the new record, whose own next-offset already names the old first child. The records are reachable.

New children come first among their siblings. So one write links them, whatever the level, nobody looks for
the end of a chain, and "offset of last record" of the root stays right forever. The order of siblings means nothing
in the standard.

A cut before 2 leaves the old directory, to the reader and byte for byte outside the padding. A cut between 2 and 3
leaves the old directory plus unreferenced records; the next start finds them and rebuilds the directory
(their file is complete, it was synced and re-read before 1). After 3 the new state holds. Each four-byte field that
is ever written again is placed inside one 512-byte sector, so that a torn write cannot tear it.

When the reserve is used up the file is copied with the new records, both links and a larger reserve, a quarter of its
size, and replaced; no offset changes by that. So the cost per instance stays the same on average, however many
there are. The same is done where a field of another program's record lies across two sectors.

A DICOMDIR of another program gets this layout with the first record of ours, by such a copy: what stands before the
Directory Record Sequence and every record keep their bytes and offsets, but for the sequence's length (now
undefined) and the one link to ours. What stood behind the sequence, which can only be padding, is dropped.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from gateway.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION
from gateway.transfer.media.dicomdir.elements import ITEM_HEAD, ITEM_TAIL, SEQUENCE_TAIL, UNDEFINED, encode
from gateway.transfer.media.dicomdir.records_table import EXPLICIT_LITTLE
from gateway.transfer.media.dicomdir.structure import DIRECTORY_CLASS

SMALLEST_RESERVE = 256 << 10  # bytes: some 600 instances of known series
FILE_TAIL = ITEM_TAIL + SEQUENCE_TAIL
PADDING_HEAD = struct.pack("<HH2sH", 0xFFFC, 0xFFFC, b"OB", 0)
SECTOR = 512
LOWER_AT = 38  # bytes from the start of an item to its (0004,1420) value


@dataclass(frozen=True, slots=True)
class Entry:
    """What one directory record says besides its links."""

    type: str
    keys: bytes  # encoded, ascending
    referenced: bytes = b""  # encoded (0004,1500) to (0004,1512); only the instance's own record has them


@dataclass(frozen=True, slots=True)
class Batch:
    """Records that hang on each other, encoded for one place in the file."""

    data: bytes  # items; the last one is open behind its padding header, whose length is still missing
    offsets: tuple[int, ...]  # of each item
    length_at: int  # where the missing length goes: four bytes at the end of ``data``


def referenced(file_id: str, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """The elements by which a record names its file. ``file_id`` uses '/' between components."""
    return (
        encode(0x00041500, b"CS", file_id.replace("/", "\\").encode("ascii"))
        + encode(0x00041510, b"UI", sop_class_uid.encode("ascii"))
        + encode(0x00041511, b"UI", sop_instance_uid.encode("ascii"))
        + encode(0x00041512, b"UI", transfer_syntax_uid.encode("ascii"))
    )


def lay_out(at: int, entries: list[Entry], sibling: int) -> Batch:
    """Encode ``entries``, each the parent of the next, from offset ``at``; the first one's next is ``sibling``."""
    kinds = [encode(0x00041430, b"CS", e.type.encode("ascii")) for e in entries]
    sizes = [
        8 + 34 + len(k) + len(e.referenced) + len(e.keys) + len(ITEM_TAIL) for k, e in zip(kinds, entries, strict=True)
    ]
    offsets = [at + sum(sizes[:i]) for i in range(len(entries))]
    data = bytearray()
    for i, (kind, entry) in enumerate(zip(kinds, entries, strict=True)):
        last = i == len(entries) - 1
        data += ITEM_HEAD
        data += encode(0x00041400, b"UL", struct.pack("<I", sibling if i == 0 else 0))
        data += encode(0x00041410, b"US", b"\xff\xff")
        data += encode(0x00041420, b"UL", struct.pack("<I", 0 if last else offsets[i + 1]))
        data += kind + entry.referenced + entry.keys
        data += PADDING_HEAD + bytes(4) if last else ITEM_TAIL
    return Batch(bytes(data), tuple(offsets), at + len(data) - 4)


def untorn(batch: Batch) -> bool:
    """Whether every field that will be written again lies within one sector."""
    return all(whole(field) for field in (batch.length_at, *(offset + LOWER_AT for offset in batch.offsets[:-1])))


def whole(field_at: int) -> bool:
    """Whether four bytes lie within one sector, so that a torn write cannot tear them."""
    return field_at % SECTOR <= SECTOR - 4


def within(raw: bytes, tag: int) -> tuple[int, bytes]:
    """Where the value of a short element stands in a record that was read as sound, and the value.

    ``raw`` starts with the record's item; (0, b"") if the element is not there.
    """
    at = 8
    while at + 8 <= len(raw):
        group, element, length = struct.unpack_from("<HH2xH", raw, at)
        if (found := group << 16 | element) >= tag:
            return (at + 8, raw[at + 8 : at + 8 + length]) if found == tag else (0, b"")
        at += 8 + length
    return 0, b""


def head(file_set_id: str, uid: str, first: int, slack: int) -> tuple[bytes, int]:
    """Everything before the first item, and where the root's link (0004,1200) lies.

    ``slack`` bytes of private information move what follows, for :func:`untorn`.
    """
    meta = (
        encode(0x00020001, b"OB", b"\0\1")
        + encode(0x00020002, b"UI", DIRECTORY_CLASS.encode("ascii"))
        + encode(0x00020003, b"UI", uid.encode("ascii"))
        + encode(0x00020010, b"UI", EXPLICIT_LITTLE.encode("ascii"))
        + encode(0x00020012, b"UI", IMPLEMENTATION_CLASS_UID.encode("ascii"))
        + encode(0x00020013, b"SH", IMPLEMENTATION_VERSION.encode("ascii"))
    )
    if slack:
        meta += encode(0x00020100, b"UI", IMPLEMENTATION_CLASS_UID.encode("ascii"))
        meta += encode(0x00020102, b"OB", bytes(slack))
    front = bytes(128) + b"DICM" + encode(0x00020000, b"UL", struct.pack("<I", len(meta))) + meta
    front += encode(0x00041130, b"CS", file_set_id.encode("ascii"))
    link_at = len(front) + 8
    front += encode(0x00041200, b"UL", struct.pack("<I", first)) + encode(0x00041202, b"UL", struct.pack("<I", first))
    front += encode(0x00041212, b"US", b"\0\0") + struct.pack("<HH2sHI", 0x0004, 0x1220, b"SQ", 0, UNDEFINED)
    return front, link_at
