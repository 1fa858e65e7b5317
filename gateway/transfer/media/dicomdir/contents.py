"""What a DICOMDIR that is being loaded holds, in 44 bytes a record, until its links are followed.

Only the links tell which record stands below which, and whether anybody refers to it at all.
"""

from __future__ import annotations

from array import array

from gateway.transfer.media.dicomdir import entities
from gateway.transfer.media.dicomdir.elements import Malformed
from gateway.transfer.media.dicomdir.entities import LEVELS, Entities
from gateway.transfer.media.dicomdir.links import Links
from gateway.transfer.media.dicomdir.records_table import BELOW
from gateway.transfer.media.dicomdir.structure import Record

Above = tuple[str, tuple[bytes, ...] | None]  # type of the record above; digests of patient, study, series so far


class NotOurs(Malformed):
    """A DICOMDIR that another program wrote, perhaps over ours."""


class Broken(Malformed):
    """Ours, but cut between two writes or damaged: it must be rebuilt from the files."""


class Contents(Links):
    """Filled record by record in the order of the file, then entered once."""

    def __init__(self) -> None:
        super().__init__()
        self._summaries = bytearray()
        self._shared = array("I")

    def add(self, record: Record) -> None:
        super().add(record)
        self._summaries += entities.summary(record)
        self._shared.append(record.shared)

    def enter(self, into: Entities, first: int, theirs: int) -> int:
        """Follow the links from ``first``; returns the highest number of a file of ours.

        Raises Broken if a link leads nowhere or twice to one record, if none leads to one of ours, which stand at
        ``theirs`` and behind, or if we would not have written one there.
        """
        into.expect(len(self.at))
        highest = 0
        todo: list[tuple[int, Above]] = [(first, ("", ()))]
        while todo:
            at, above = todo.pop()
            while at:
                i = self.index(at)
                if i < 0 or self.reached[i]:
                    raise Broken(f"a link to {at} leads to no record, or to one a second time")
                self.reached[i] = 1
                kind = self.type(i)
                if at >= theirs and kind not in BELOW.get(above[0], frozenset()):
                    raise Broken(f"the record at {at} is none of ours")
                at = self.next[i]
                if not self.in_use[i]:
                    continue
                if kind in LEVELS:
                    below = self._entity(into, i, kind, above[1])
                else:
                    below, number = None, self._file(into, i, above[1], theirs)
                    highest = max(highest, number)
                if self.lower[i]:
                    if at:
                        todo.append((at, above))  # goes on there once all below is done: few wait at a time
                    todo.append((self.lower[i], (kind, below)))
                    break
        for i, reached in enumerate(self.reached):
            if not reached and self.at[i] >= theirs:
                raise Broken(f"nothing refers to the record at {self.at[i]}")
        return highest

    def _entity(self, into: Entities, i: int, kind: str, above: tuple[bytes, ...] | None) -> tuple[bytes, ...] | None:
        """Enter a patient, study or series; returns the digests down to it, None if it stands in an odd place."""
        if above is None or len(above) == len(LEVELS) or kind != LEVELS[len(above)]:
            return None
        own, more = self._summary(i)
        if own == entities.NONE:
            into.unreadable = True
            return None
        digest = entities.below(above[-1] if above else b"", own)
        fresh = into.add(len(above), digest, self.at[i])
        if not above and fresh:
            into.person(digest, entities.marks_in(more))
        elif not above:
            into.unclear(digest)
        return (*above, digest)

    def _file(self, into: Entities, i: int, above: tuple[bytes, ...] | None, theirs: int) -> int:
        """Enter an instance, perhaps named by the record that this one shares; returns its number."""
        named = self.index(self._shared[i]) if self._shared[i] else i
        if named < 0 or (named != i and self.type(named) != "MRDR"):
            named = i
        own, more = self._summary(named)
        if own == entities.NONE:
            return 0
        numbers = entities.numbers_in(more)
        if not numbers[3] and self.at[i] >= theirs:
            raise Broken(f"the record at {self.at[i]} has a File ID that is none of ours")
        into.add(3, own, self.at[named], numbers[3])
        if above is not None and len(above) == len(LEVELS) and numbers[3]:
            for level, digest in enumerate(above):
                into.add(level, digest, 0, numbers[level])
        return numbers[3]

    def _summary(self, i: int) -> tuple[bytes, bytes]:
        both = bytes(self._summaries[i * entities.SUMMARY : (i + 1) * entities.SUMMARY])
        return both[: len(entities.NONE)], both[len(entities.NONE) :]
