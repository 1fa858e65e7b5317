"""The links of a DICOMDIR in a few bytes per record, so that all lies of a hostile one fit into memory, and a walk."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator

from gateway.transfer.media.dicomdir.structure import Record


class Links:
    """Records in the order of the file, known by index; -1 is the root, or nothing."""

    def __init__(self) -> None:
        self.at = array("Q")
        self.next = array("I")
        self.lower = array("I")
        self.kind = array("H")  # index into ``kinds``
        self.kinds = ["..."]  # the first stands for those that are too many to be told apart
        self._kind: dict[str, int] = {}
        self.in_use = bytearray()
        self.reached = bytearray()

    def add(self, record: Record) -> None:
        if record.type not in self._kind and len(self.kinds) < _MOST_KINDS:
            self._kind[record.type] = len(self.kinds)
            self.kinds.append(record.type)
        self.at.append(record.at)
        self.next.append(record.next)
        self.lower.append(record.lower)
        self.kind.append(self._kind.get(record.type, 0))
        self.in_use.append(record.in_use)
        self.reached.append(0)

    def index(self, at: int) -> int:
        i = bisect_left(self.at, at)
        return i if i < len(self.at) and self.at[i] == at else -1

    def type(self, i: int) -> str:
        return self.kinds[self.kind[i]] if i >= 0 else ""

    def walk(self, first: int, fault: Callable[[int, int, str], None]) -> Iterator[tuple[int, int]]:
        """Each record that is reached and the one above it, parents first.

        ``fault`` is told of each link that leads nowhere or to a record a second time: whose it is, the offset it
        holds, and what is wrong in words. It is not followed.
        """
        todo = [(-1, first, -1)]
        while todo:
            whose, at, above = todo.pop()
            while at:
                i = self.index(at)
                if i < 0:
                    fault(whose, at, "where no directory record starts")
                    break
                if self.reached[i]:
                    fault(whose, at, "a record that is reached a second time")
                    break
                self.reached[i] = 1
                yield i, above
                if self.lower[i]:
                    todo.append((i, self.lower[i], i))
                whose, at = i, self.next[i]


_MOST_KINDS = 1000
