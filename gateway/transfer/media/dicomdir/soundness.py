"""Is a DICOMDIR what PS3.3 annex F says, by itself: structure, links, flags, keys. No file is opened.

Nothing in it is believed: links are followed only to places where a record really starts, each record at most
once. What is remembered of a record is some 40 bytes, so that the most that one can name fits into memory.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Callable, Iterator

from gateway.transfer.media.dicomdir.elements import Window
from gateway.transfer.media.dicomdir.entities import LEVELS, identity
from gateway.transfer.media.dicomdir.links import Links
from gateway.transfer.media.dicomdir.records_table import ALLOWED, BELOW, KEYS, RECORD_TYPE
from gateway.transfer.media.dicomdir.repertoire import known
from gateway.transfer.media.dicomdir.structure import Record, Top, read_records

_REFERENCE = ((0x00041510, "SOP Class UID"), (0x00041511, "SOP Instance UID"), (0x00041512, "Transfer Syntax UID"))
_IN_USE = b"\xff\xff"

Say = Callable[[str], None]


class Sound:
    """The records of a DICOMDIR, checked one by one and then by their links."""

    def __init__(self, source: Window, top: Top, say: Say) -> None:
        self.counts: Counter[str] = Counter()
        self._links = Links()
        self._keys = array("Q")  # digest of what identifies each record's entity
        self._above = array("l")
        self._say = say
        if top.consistency:
            say(f"the File-set Consistency Flag is {top.consistency:04X}H, not 0000H")
        seen: set[int] = set()
        for record in read_records(source, top):
            self._take(record, seen)
        self._follow(top)

    def _take(self, record: Record, seen: set[int]) -> None:
        self._links.add(record)
        key = identity(record)
        self._keys.append(digest(record.type if record.type in LEVELS else "", key or b""))
        self._above.append(-1)
        if not record.in_use:
            self._say(f"{where(record)} is marked as not in use, which is retired")
            return
        self.counts[record.type] += 1
        if record.values[0x00041410] != _IN_USE:
            self._say(
                f"{where(record)} has the In-use Flag {record.values[0x00041410][::-1].hex().upper()}H, not FFFFH"
            )
        for words in _lacks(record):
            self._say(f"{where(record)} lacks {words}")
        for words in _unique(record, key, seen):
            self._say(f"{where(record)} has the {words} of another one")

    def _follow(self, top: Top) -> None:
        links, last = self._links, 0
        for i, above in links.walk(top.first, self._fault):
            self._above[i] = above
            kind, at = links.type(i), links.at[i]
            if above < 0:
                last = at
            parent = links.type(above)
            if kind not in ALLOWED.get(parent, frozenset({"PRIVATE"})):
                self._say(f"the {kind or 'nameless'} record at {at} may not stand below {parent or 'the root'}")
            if kind in LEVELS and not links.lower[i] and links.in_use[i]:
                self._say(f"the {kind} record at {at} has nothing below it")
        if top.last != last:
            self._say(f"the last record of the root is at {last}, not at {top.last} as (0004,1202) says")
        for i, at in enumerate(links.at):
            if not links.reached[i] and links.in_use[i] and links.type(i) != "MRDR":
                self._say(f"nothing refers to the {links.type(i) or 'nameless'} record at {at}")

    def _fault(self, whose: int, at: int, words: str) -> None:
        kind = self._links.type(whose) or "nameless"
        name = f"the {kind} record at {self._links.at[whose]}" if whose >= 0 else "the root"
        self._say(f"{name} points to {at}, {words}")

    def belongs(self, record: Record, patient: bytes | None, study: bytes, series: bytes) -> bool:
        """Whether the records above this one are those of a file's patient, study and series."""
        if (i := self._links.index(record.at)) < 0:
            return True
        for kind, key in (("SERIES", series), ("STUDY", study), ("PATIENT", patient)):
            i = self._above[i]
            if i < 0 or self._links.type(i) != kind:
                return True  # said already, or a kind of hierarchy of its own
            if key is not None and self._keys[i] != digest(kind, key):
                return False
        return True


def where(record: Record) -> str:
    return f"the {record.type or 'nameless'} record at {record.at}"


def digest(kind: str, key: bytes) -> int:
    return int.from_bytes(hashlib.sha256(kind.encode() + b"\0" + key).digest()[:8], "big")


def _lacks(record: Record) -> Iterator[str]:
    for key in KEYS.get(record.type, ()):
        empty = key.type == "1" and not record.values.get(key.tag)
        if empty or (key.type == "2" and key.tag not in record.values):
            yield key.keyword
    if record.type not in LEVELS and record.type in BELOW["SERIES"] and not record.shared:
        if not record.values.get(0x00041500):
            yield "Referenced File ID"
        for tag, name in _REFERENCE:
            if not record.values.get(tag):
                yield f"Referenced {name} in File"
        if RECORD_TYPE.get(record.text(0x00041510), record.type) != record.type:
            yield f"the record type of its SOP class, {RECORD_TYPE[record.text(0x00041510)]}"
    repertoire = record.values.get(0x00080005, b"")
    if record.extended and not repertoire:
        yield "Specific Character Set, and has text that needs one"
    if repertoire and not known(repertoire):
        yield f"a known Specific Character Set: {repertoire.decode('ascii', 'replace')!r}"


def _unique(record: Record, key: bytes | None, seen: set[int]) -> Iterator[str]:
    """What only one record may have: its Patient ID, its file and its instance."""
    file_id = record.values.get(0x00041500)
    found = {
        "Patient ID": key if record.type == "PATIENT" else None,
        "File ID": file_id,
        "SOP Instance UID": file_id and record.values.get(0x00041511),
    }
    for name, value in found.items():
        if not value:
            continue
        one = digest(name, value)
        if one in seen:
            yield name
        seen.add(one)
