"""A DICOMDIR as patients, studies and instances, in little memory: numbers in arrays, values read again when shown.

Links are followed as far as they make sense, each record once: a lie in a foreign directory may cost its own entries,
nothing else. What is wrong with a directory is for ``media verify`` to say.
"""

from __future__ import annotations

import base64
import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator

from gateway.transfer.media.dicomdir.elements import Window
from gateway.transfer.media.dicomdir.structure import Record, read_records, read_top, record_at

_LEVELS = {"PATIENT": 1, "STUDY": 2, "SERIES": 3}
_LEAF = 4
_IDENTITY = {"PATIENT": 0x00100020, "STUDY": 0x0020000D, "SERIES": 0x0020000E}
_LINKS = frozenset({0x00041400, 0x00041410, 0x00041420})
_TOP = 0xFFFFFFFF  # owner of patients and studies
_BEAT_EVERY = 1024  # records


class Tree:
    """Records by their number in the file's order. ``digest``: of all its values; ``key``: of what identifies it."""

    def __init__(self, source: Window, beat: Callable[[], None] = lambda: None) -> None:
        """Raises Malformed if this is no DICOMDIR."""
        top = read_top(source)
        self.file_set_id = top.file_set_id
        self.digest, self.key = array("Q"), array("Q")
        self._source = source
        self._at, self._next, self._lower = array("Q"), array("Q"), array("Q")
        self._level = bytearray()
        for number, record in enumerate(read_records(source, top)):
            if number % _BEAT_EVERY == 0:
                beat()
            self._take(record)
        self._owner = array("L", bytes(len(self._at) * array("L").itemsize))  # study + 1 that a record belongs to
        self._studies = sorted(self._find(top.first))

    def studies(self) -> Iterator[tuple[int, int]]:
        """Patient and study, in the order in which the studies came to the medium."""
        for pair in self._studies:
            yield pair & 0xFFFFFFFF, pair >> 32

    def __len__(self) -> int:
        return len(self._studies)

    def leaves(self, study: int) -> list[tuple[int, int]]:
        """Series and instance of a study, in the order in which the instances came."""
        found = [
            (leaf, series)
            for series in self._chain(self._lower[study], _LEVELS["SERIES"], study + 1)
            for leaf in self._chain(self._lower[series], _LEAF, study + 1)
        ]
        return [(series, leaf) for leaf, series in sorted(found)]

    def record(self, number: int) -> Record:
        return record_at(self._source, self._at[number])

    def _take(self, record: Record) -> None:
        level = (_LEVELS.get(record.type, _LEAF) if record.type else 0) if record.in_use else 0
        values = [b"%d %d " % (tag, len(v)) + v for tag, v in record.values.items() if tag not in _LINKS]
        identity = record.values.get(_IDENTITY.get(record.type, 0x00041511), b"")
        self._at.append(record.at)
        self._next.append(record.next)
        self._lower.append(record.lower)
        self._level.append(level)
        self.digest.append(_number(b"".join(values)))
        self.key.append(_number(record.type.encode() + identity))

    def _find(self, first: int) -> Iterator[int]:
        for patient in self._chain(first, _LEVELS["PATIENT"], _TOP):
            for study in self._chain(self._lower[patient], _LEVELS["STUDY"], _TOP):
                yield study << 32 | patient

    def _chain(self, at: int, level: int, owner: int) -> Iterator[int]:
        """The records from ``at`` on; it ends where they are another's already, or turn in a circle."""
        here: set[int] = set()
        while at:
            number = bisect_left(self._at, at)
            if number == len(self._at) or self._at[number] != at:
                return
            if number in here or self._owner[number] not in (0, owner):
                return
            here.add(number)
            self._owner[number] = owner
            if self._level[number] == level:
                yield number
            at = self._next[number]


def name(*keys: int) -> str:
    """A file name of eight characters that these keys always give (A-Z, 2-7)."""
    seed = b"".join(key.to_bytes(8, "big") for key in keys)
    return base64.b32encode(hashlib.blake2b(seed, digest_size=5).digest()).decode("ascii")


def _number(data: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")
