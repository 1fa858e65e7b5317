"""The links of a DICOMDIR that is being loaded: 21 bytes a record, and 10 more of each patient, study and series.

The records come in the order of the file; only the links, followed when all have come, tell which stands below which.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

from gateway.transfer.media.dicomdir import index
from gateway.transfer.media.dicomdir.elements import Malformed
from gateway.transfer.media.dicomdir.records_table import BELOW

LEVELS = ("PATIENT", "STUDY", "SERIES")
_MOST_TYPES = 255


class Broken(Malformed):
    """Ours, but cut between two writes or damaged: it must be rebuilt from the files."""


class Place(NamedTuple):
    """A patient, study or series that the links led to: its digest, and where its record is."""

    digest: bytes
    at: int


class Links:
    """Filled by :meth:`take`, record by record in ascending order, then followed once."""

    def __init__(self) -> None:
        self._at = array("I")
        self._next = array("I")
        self._lower = array("I")
        self._type = bytearray()
        self._types: list[str] = []
        self._what = array("Q")  # of an instance what :meth:`take` was given, else the place in _own
        self._own = bytearray()

    def take(self, at: int, following: int, lower: int, record_type: str, what: int | bytes) -> None:
        """One record. ``what``: of a patient, study or series its own digest, else any number below 2^64."""
        if record_type not in self._types:
            if len(self._types) == _MOST_TYPES:
                raise Malformed(f"there are more than {_MOST_TYPES} types of directory records")
            self._types.append(record_type)
        self._at.append(at)
        self._next.append(following)
        self._lower.append(lower)
        self._type.append(self._types.index(record_type))
        if isinstance(what, bytes):
            self._what.append(len(self._own))
            self._own += what
        else:
            self._what.append(what)

    def follow(self, first: int) -> Iterator[tuple[tuple[Place, ...], int, int]]:
        """Of each instance's record: what it stands below, where it is, and its number.

        A link that leads nowhere or a second time to one record, and a record that no link leads to, raise Broken.
        """
        reached = bytearray(len(self._at))
        todo: list[tuple[int, tuple[Place, ...]]] = [(first, ())]
        while todo:
            at, above = todo.pop()
            allowed = BELOW[LEVELS[len(above) - 1] if above else ""]
            while at:
                row = bisect_left(self._at, at)
                found = row < len(self._at) and self._at[row] == at and not reached[row]
                record_type = self._types[self._type[row]] if found else ""
                if record_type not in allowed:
                    raise Broken(f"a link to {at} leads to no record, or to one a second time")
                reached[row] = True
                if record_type in LEVELS:
                    own = bytes(self._own[self._what[row] : self._what[row] + index.SIZE])
                    digest = index.below(above[-1].digest if above else b"", own)
                    todo.append((self._next[row], above))  # goes on there once all below is done: few wait at a time
                    todo.append((self._lower[row], (*above, Place(digest, at))))
                    break
                yield above, at, self._what[row]
                at = self._next[row]
        if (row := reached.find(0)) >= 0:
            raise Broken(f"nothing refers to the record at {self._at[row]}")
