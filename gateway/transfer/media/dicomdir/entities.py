"""Which records are the same patient, study, series or instance, and the index by which an add finds them.

One number per record (some 200 bytes per instance): the offset of the record, and the number that the names of our
folders use for it (PAnnnnnn, STnnnnnn, SEnnnnnn, INnnnnnn), 0 for a record of another program under which we have
no folder yet.
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

from gateway.errors import Held
from gateway.transfer.media.dicomdir.header import Header
from gateway.transfer.media.dicomdir.repertoire import same
from gateway.transfer.media.dicomdir.structure import Record

LEVELS = ("PATIENT", "STUDY", "SERIES")
FILE_ID = re.compile(r"PA(\d{6})/ST(\d{6})/SE(\d{6})/IN(\d{6})")
MOST = 999_999
_NUMBER_BITS = 20  # 999 999 fits; the offset stands above
_NUMBER = (1 << _NUMBER_BITS) - 1
_FIX = "one file-set tells patients apart by the ID only: correct the ID, or use another medium"

Chain = tuple[int, int, int, int]  # digests of patient, study, series, instance

# Record type -> the attribute that identifies its entity, and what else must be known of it.
_IDENTITY: dict[str, tuple[int, tuple[int, ...]]] = {
    "PATIENT": (0x00100020, (0x00100021, 0x00100030)),
    "STUDY": (0x0020000D, ()),
    "SERIES": (0x0020000E, ()),
}
_PERSON = _IDENTITY["PATIENT"][1]


class Node(NamedTuple):
    """What following the links needs of a record."""

    at: int
    next: int
    lower: int
    shared: int
    in_use: bool
    type: str
    key: bytes | None  # in a form that can be compared; None if it cannot be read
    more: tuple[bytes, ...]  # of a patient: issuer of the ID, birth date; of a file's record: File ID


def node(record: Record) -> Node:
    key, more = _IDENTITY.get(record.type, (0x00041511, (0x00041500,)))
    repertoire = record.values.get(0x00080005, b"")
    values = tuple(same(v, repertoire) or v for v in (record.values.get(tag, b"") for tag in more))
    found = same(record.values.get(key, b""), repertoire)
    return Node(record.at, record.next, record.lower, record.shared, record.in_use, record.type, found, values)


def file_id_of(raw: bytes) -> str:
    """A File ID with '/' between its components, which some programs pad one by one."""
    return "/".join(part.strip() for part in raw.decode("ascii", "replace").split("\\"))


def patient_of(header: Header) -> bytes:
    """Raises Held if the Patient ID cannot be read, and so not be compared."""
    found = same(header.patient_id, header.values.get(0x00080005, b""))
    if found is None:
        raise Held("the Patient ID cannot be read in the character set that the instance names", "correct the ID")
    return found


def person_of(header: Header) -> tuple[bytes, ...]:
    repertoire = header.values.get(0x00080005, b"")
    return tuple(same(v, repertoire) or v for v in (header.values.get(tag, b"") for tag in _PERSON))


def digests(instance: bytes, patient: bytes = b"", study: bytes = b"", series: bytes = b"") -> Chain:
    """Of patient, study (of this patient), series (of this study), instance (of the file-set)."""
    return (
        _digest(b"P", patient),
        _digest(b"S", patient, study),
        _digest(b"E", patient, study, series),
        _digest(b"", instance),
    )


def _digest(*parts: bytes) -> int:
    joined = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return int.from_bytes(hashlib.sha256(joined).digest()[:16], "big")


class Entities:
    """What a directory names, found by digest."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys((*LEVELS, "instance"), 0)
        self._places: dict[int, int] = {}  # offset and number
        self._persons: dict[int, tuple[bytes, ...]] = {}
        self.unclear: set[int] = set()  # patients with more than one record
        self.unreadable = False  # some Patient ID cannot be compared with others

    def instance(self, sop_instance_uid: str) -> int:
        """Offset of the record that names it, 0 if there is none."""
        return self.record(_digest(b"", sop_instance_uid.encode()))

    def record(self, digest: int) -> int:
        return self._places.get(digest, 0) >> _NUMBER_BITS

    def number(self, digest: int) -> int:
        return self._places.get(digest, 0) & _NUMBER

    def admit(self, patient: bytes, digest: int, person: tuple[bytes, ...]) -> None:
        """Raises Held if the patient may be another one than the record with the same ID says."""
        there = self._persons.get(digest, ())
        if any(one and other and one != other for one, other in zip(there, person, strict=False)):
            raise Held("the medium has another patient with the same Patient ID (issuer or birth date differ)", _FIX)
        if digest in self.unclear:
            raise Held("the medium has two patients with this Patient ID", _FIX)
        if self.unreadable and not patient.isascii():
            raise Held("the medium has a Patient ID that cannot be read, it may be this one", "use another medium")

    def add(self, level: int, digest: int, at: int, number: int = 0) -> bool:
        """Take a record in (levels 0 to 3); False if the entity has one already, which stays."""
        known = self._places.get(digest)
        if known is None:
            self.counts[(*LEVELS, "instance")[level]] += 1
            self._places[digest] = at << _NUMBER_BITS | number
        elif not known & _NUMBER:
            self._places[digest] = known | number
        return known is None

    def person(self, digest: int, values: tuple[bytes, ...]) -> None:
        """What is known of a patient; what an earlier record left open is filled in."""
        there = self._persons.get(digest, (b"",) * len(values))
        self._persons[digest] = tuple(old or new for old, new in zip(there, values, strict=True))
