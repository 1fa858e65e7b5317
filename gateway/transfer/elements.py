"""The few data elements of storage commitment (PS3.4 tables J.3-1 and J.3-2), to bytes and back, without any library.

In Implicit and Explicit VR Little Endian (PS3.5 section 7). What else stands in a data set is stepped over, and nothing
is believed: every length is checked, items have a number and nesting an end. So memory is a small multiple of the data
set's, which the caller bounds.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

from gateway.transfer.association.pdu import ProtocolError
from gateway.transfer.names import IMPLICIT

SOP_CLASS_UID = 0x0008_1150
SOP_INSTANCE_UID = 0x0008_1155
TRANSACTION_UID = 0x0008_1195
FAILURE_REASON = 0x0008_1197
FAILED_SOP_SEQUENCE = 0x0008_1198
REFERENCED_SOP_SEQUENCE = 0x0008_1199

_SEQUENCES = frozenset((FAILED_SOP_SEQUENCE, REFERENCED_SOP_SEQUENCE))
_VALUES = frozenset((TRANSACTION_UID, SOP_CLASS_UID, SOP_INSTANCE_UID, FAILURE_REASON))
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFE_E000, 0xFFFE_E00D, 0xFFFE_E0DD
_UNDEFINED = 0xFFFFFFFF
_LONG = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
_DEEPEST = 16  # sequences within each other
_MOST_ITEMS = 10_000  # in one data set; we ask for a tenth of that at a time


@dataclass(slots=True)
class Elements:
    """What is known here of a data set or an item: values as bytes, and items of sequences, by tag."""

    values: dict[int, bytes] = field(default_factory=dict)
    sequences: dict[int, list[Elements]] = field(default_factory=dict)

    def uid(self, tag: int) -> str:
        """A UID, or "" if there is none. Raises ProtocolError if it is something else."""
        text = self.values.get(tag, b"").decode("ascii", "replace").strip(" \0")
        if len(text) > 64 or not set(text) <= set("0123456789."):
            raise _broken(f"{_named(tag)} is no UID")
        return text

    def number(self, tag: int) -> int | None:
        """An unsigned short (VR US). Raises ProtocolError if it is something else."""
        raw = self.values.get(tag, b"")
        if len(raw) not in (0, 2):
            raise _broken(f"{_named(tag)} of {len(raw)} bytes instead of 2")
        return int.from_bytes(raw, "little") if raw else None


def action(transaction_uid: str, instances: Iterable[tuple[str, str]], syntax: str) -> bytes:
    """Action Information: ``instances`` are (SOP class, SOP Instance UID)."""
    items = bytearray()
    for sop_class_uid, instance_uid in instances:
        item = _element(SOP_CLASS_UID, b"UI", _uid(sop_class_uid), syntax)
        item += _element(SOP_INSTANCE_UID, b"UI", _uid(instance_uid), syntax)
        items += _tag(_ITEM) + struct.pack("<I", len(item)) + item
    return _element(TRANSACTION_UID, b"UI", _uid(transaction_uid), syntax) + _element(
        REFERENCED_SOP_SEQUENCE, b"SQ", bytes(items), syntax
    )


def read(data: bytes, syntax: str) -> Elements:
    """What is known here of the data set ``data``. Raises ProtocolError if it cannot be read to its end."""
    return _Reading(data).elements(len(data), syntax == IMPLICIT, 0)


class _Reading:
    """A place in the bytes of one data set; each method reads what begins there and leaves the place behind it."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._items = 0

    def elements(self, end: int | None, implicit: bool, depth: int) -> Elements:
        """Elements up to ``end``, or with None to the item's delimiter."""
        found = Elements()
        while self._at != end:
            tag, vr, length = self._header(implicit, len(self._data) if end is None else end)
            if tag == _ITEM_END and end is None:
                return found
            if tag >> 16 == 0xFFFE:
                raise _broken("a delimiter stands where an element should")
            if tag in _SEQUENCES or length == _UNDEFINED:
                items = self._sequence(length, implicit or vr == b"UN", depth + 1)
                if tag in _SEQUENCES:
                    found.sequences.setdefault(tag, items)
                continue
            if tag in _VALUES:
                found.values.setdefault(tag, self._data[self._at : self._at + length])
            self._at += length
        return found

    def _sequence(self, length: int, implicit: bool, depth: int) -> list[Elements]:
        """The items; a sequence of unknown VR (UN) holds implicit ones (PS3.5 6.2.2, note 5)."""
        if depth > _DEEPEST:
            raise _broken(f"more than {_DEEPEST} sequences within each other")
        end = None if length == _UNDEFINED else self._at + length
        items: list[Elements] = []
        while self._at != end:
            tag, _, length = self._header(True, len(self._data) if end is None else end)
            if tag == _SEQUENCE_END and end is None:
                break
            if tag != _ITEM:
                raise _broken(f"{_named(tag)} stands where an item should")
            self._items += 1
            if self._items > _MOST_ITEMS:
                raise _broken(f"more than {_MOST_ITEMS} items")
            items.append(self.elements(None if length == _UNDEFINED else self._at + length, implicit, depth))
        return items

    def _header(self, implicit: bool, limit: int) -> tuple[int, bytes, int]:
        """Tag, VR (if it is there) and length of the element or item that begins here; it may not pass ``limit``."""
        data, at = self._data, self._at
        if at + 8 > limit:
            raise _broken("it ends within an element")
        group, number, length = struct.unpack_from("<HHI", data, at)
        tag, vr, self._at = group << 16 | number, b"", at + 8
        if not implicit and group != 0xFFFE:
            vr, (length,) = data[at + 4 : at + 6], struct.unpack_from("<H", data, at + 6)
            if vr in _LONG:
                if at + 12 > limit:
                    raise _broken("it ends within an element")
                (length,), self._at = struct.unpack_from("<I", data, at + 8), at + 12
        if length != _UNDEFINED and self._at + length > limit:
            raise _broken(f"{_named(tag)} is cut short")
        return tag, vr, length


def _broken(words: str) -> ProtocolError:
    return ProtocolError(f"a data set that cannot be read: {words}")


def _named(tag: int) -> str:
    return f"element ({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _tag(tag: int) -> bytes:
    return struct.pack("<HH", tag >> 16, tag & 0xFFFF)


def _element(tag: int, vr: bytes, value: bytes, syntax: str) -> bytes:
    if syntax == IMPLICIT:
        return _tag(tag) + struct.pack("<I", len(value)) + value
    if vr in _LONG:
        return _tag(tag) + vr + struct.pack("<HI", 0, len(value)) + value
    return _tag(tag) + vr + struct.pack("<H", len(value)) + value


def _uid(text: str) -> bytes:
    raw = text.encode("ascii")
    return raw + b"\0" * (len(raw) % 2)
