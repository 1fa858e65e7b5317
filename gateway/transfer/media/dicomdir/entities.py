"""Which records are the same patient, study, series or instance, and the index by which an add finds them.

One number per record (:mod:`.index`): the offset of the record, and the number that the names of our folders use for
it (PAnnnnnn, STnnnnnn, SEnnnnnn, INnnnnnn), 0 for a record of another program under which we have no folder yet.
"""

from __future__ import annotations

import re

from gateway.errors import Held
from gateway.transfer.media.dicomdir import index
from gateway.transfer.media.dicomdir.header import Header
from gateway.transfer.media.dicomdir.repertoire import same
from gateway.transfer.media.dicomdir.structure import Record

LEVELS = ("PATIENT", "STUDY", "SERIES")
FILE_ID = re.compile(r"PA(\d{6})/ST(\d{6})/SE(\d{6})/IN(\d{6})")
MOST = 999_999
_NUMBER_BITS = 20  # 999 999 fits; the offset stands above
_NUMBER = (1 << _NUMBER_BITS) - 1
_FIX = "one file-set tells patients apart by the ID only: correct the ID, or use another medium"

NONE = bytes(index.SIZE)  # where there is no digest: nothing to identify an entity by, or it cannot be read
SUMMARY = 2 * index.SIZE  # bytes

Chain = tuple[bytes, bytes, bytes, bytes]  # digests of patient, study, series, instance

_IDENTITY = {"PATIENT": 0x00100020, "STUDY": 0x0020000D, "SERIES": 0x0020000E}
_PERSON = (0x00100021, 0x00100030)  # issuer of the ID, birth date
_MARK = 5  # bytes


def identity(record: Record) -> bytes | None:
    """What tells the entity of a record apart, in a form that can be compared; None if it cannot be read."""
    return same(record.values.get(_IDENTITY.get(record.type, 0x00041511), b""), record.values.get(0x00080005, b""))


def summary(record: Record) -> bytes:
    """What following the links needs of a record: :func:`own` of its identity, and as many bytes of something else.

    Of a patient the marks of issuer and birth date; of an instance the four numbers of its File ID, 0 if that
    is none of ours.
    """
    key = identity(record)
    if record.type in _IDENTITY:
        patient = record.type == "PATIENT"
        marks = _marks(record.values, record.values.get(0x00080005, b"")) if patient else (0, 0)
        return (NONE if patient and key is None else own(key or b"")) + b"".join(
            mark.to_bytes(_MARK, "little") for mark in marks
        )
    match = FILE_ID.fullmatch(file_id_of(record.values.get(0x00041500, b"")))
    numbers = 0
    for part in match.groups() if match else ():
        numbers = numbers << _NUMBER_BITS | int(part)
    return (own(key) if key else NONE) + numbers.to_bytes(index.SIZE, "big")


def marks_in(more: bytes) -> tuple[int, int]:
    return int.from_bytes(more[:_MARK], "little"), int.from_bytes(more[_MARK:], "little")


def numbers_in(more: bytes) -> tuple[int, int, int, int]:
    """Of patient, study, series, instance."""
    high, low = int.from_bytes(more[:5], "big"), int.from_bytes(more[5:], "big")
    return high >> _NUMBER_BITS, high & _NUMBER, low >> _NUMBER_BITS, low & _NUMBER


def file_id_of(raw: bytes) -> str:
    """A File ID with '/' between its components, which some programs pad one by one."""
    return "/".join(part.strip() for part in raw.decode("ascii", "replace").split("\\"))


def patient_of(header: Header) -> bytes:
    """Raises Held if the Patient ID cannot be read, and so not be compared."""
    found = same(header.patient_id, header.values.get(0x00080005, b""))
    if found is None:
        raise Held("the Patient ID cannot be read in the character set that the instance names", "correct the ID")
    return found


def marks_of(header: Header) -> tuple[int, ...]:
    return _marks(header.values, header.values.get(0x00080005, b""))


def _marks(values: dict[int, bytes], repertoire: bytes) -> tuple[int, ...]:
    """Numbers that differ where issuer or birth date do; 0 for one that is not known."""
    return tuple(_mark(value, repertoire) if (value := values.get(tag, b"")) else 0 for tag in _PERSON)


def _mark(value: bytes, repertoire: bytes) -> int:
    return int.from_bytes(index.digest(same(value, repertoire) or value)[:_MARK], "little") or 1


def digests(instance: bytes, patient: bytes, study: bytes, series: bytes) -> Chain:
    """Of patient, study (of this patient), series (of this study), instance (of the file-set)."""
    first = below(b"", own(patient))
    second = below(first, own(study))
    return first, second, below(second, own(series)), own(instance)


def own(identity: bytes) -> bytes:
    """Digest of what identifies an entity among its siblings."""
    return index.digest(b"=" + identity)


def below(above: bytes, sibling: bytes) -> bytes:
    """Digest of an entity, given the one above it and its own."""
    return index.digest(b"/" + above + sibling)


class Entities:
    """What a directory names, found by digest."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys((*LEVELS, "instance"), 0)
        self.unreadable = False  # some Patient ID cannot be compared with others
        self._index = index.Index()  # offset and number of a record; under other digests what is known of patients

    def expect(self, records: int) -> None:
        """So many are coming: room for them is made once."""
        self._index.reserve(records)

    def instance(self, sop_instance_uid: str) -> int:
        """Offset of the record that names it, 0 if there is none."""
        return self.record(own(sop_instance_uid.encode()))

    def record(self, digest: bytes) -> int:
        return self._index.get(digest) >> _NUMBER_BITS

    def number(self, digest: bytes) -> int:
        return self._index.get(digest) & _NUMBER

    def admit(self, patient: bytes, digest: bytes, marks: tuple[int, ...]) -> None:
        """Raises Held if the patient may be another one than the record with the same ID says."""
        there = [self._index.get(key) for key in _of_person(digest)]
        if any(one and other and one != other for one, other in zip(there, marks, strict=True)):
            raise Held("the medium has another patient with the same Patient ID (issuer or birth date differ)", _FIX)
        if self._index.get(_twice(digest)):
            raise Held("the medium has two patients with this Patient ID", _FIX)
        if self.unreadable and not patient.isascii():
            raise Held("the medium has a Patient ID that cannot be read, it may be this one", "use another medium")

    def add(self, level: int, digest: bytes, at: int, number: int = 0) -> bool:
        """Take a record in (levels 0 to 3); False if the entity has one already, which stays."""
        known = self._index.get(digest)
        if not known:
            self.counts[(*LEVELS, "instance")[level]] += 1
            self._index.put(digest, at << _NUMBER_BITS | number)
        elif number and not known & _NUMBER:
            self._index.put(digest, known | number)
        return not known

    def person(self, digest: bytes, marks: tuple[int, ...]) -> None:
        """What is known of a patient; what an earlier record left open is filled in."""
        for key, mark in zip(_of_person(digest), marks, strict=True):
            if mark and key not in self._index:
                self._index.put(key, mark)

    def unclear(self, digest: bytes) -> None:
        """There is more than one record with this Patient ID."""
        self._index.put(_twice(digest), 1)


def _of_person(digest: bytes) -> tuple[bytes, ...]:
    return tuple(index.digest(tag.to_bytes(4, "big") + digest) for tag in _PERSON)


def _twice(digest: bytes) -> bytes:
    return index.digest(b"2" + digest)
