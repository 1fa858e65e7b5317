"""Which files of a watched folder are complete: a pure core. Directory entries and the time go in, names come out.

A share has no inotify, and a copy over the network stops and goes on: so a file is ready when its size and time did
not change between looks for ``settle`` seconds of the box's own clock, and then by what its format tells
(:class:`gateway.acquire.adapter.Folder`). What stays incomplete for ``patience`` seconds is said once.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.acquire.taken import Stamp

MOST = 1000  # files that are waited for at a time; the others wait for their turn
LONG = 20.0  # seconds between two looks in which an exam may have ended and another one begun
AGAIN = 10.0  # seconds, at least, until a file that is not complete is examined again, if it does not change


def fits(name: str, patterns: re.Pattern[str]) -> bool:
    """Whether a name is one of the device's: hidden ones never are, they are still being written."""
    return not name.startswith(".") and patterns.fullmatch(name) is not None


def compiled(patterns: Sequence[str]) -> re.Pattern[str]:
    """Shell patterns as one expression, blind to case."""
    return re.compile("|".join(fnmatch.translate(one) for one in patterns), re.IGNORECASE)


@dataclass(slots=True)
class _File:
    stamp: Stamp
    since: float  # when it was last seen to change
    arrived: float | None  # when it was first seen, or before; None: it may have been there when the looking began
    due: float  # when it is examined next
    lacks: str = ""  # what it lacked when it was examined
    said: bool = False


class Waiting:
    """The files that are not taken yet. All times are monotonic seconds."""

    def __init__(self, settle: float, patience: float) -> None:
        self._settle = settle
        self._patience = patience
        self._files: dict[str, _File] = {}
        self._seen: float | None = None  # when all that was in the folder was seen last

    def __len__(self) -> int:
        return len(self._files)

    def look(self, entries: Iterable[tuple[str, Stamp]], now: float) -> None:
        """One look at the folder: all that is in it and was not taken or refused."""
        here = set()
        crowded = False
        room = MOST - sum(not file.said for file in self._files.values())
        # A look that was long in coming, since a large file was read, says only that it came since the one before.
        arrived = now if self._seen is not None and now - self._seen < LONG else self._seen
        for name, stamp in entries:
            found = self._files.get(name)
            if found is None and room > 0:
                room -= 1
                self._files[name] = _File(stamp, now, arrived, now + self._settle)
            elif found is None:
                crowded = True
            elif found is not None and found.stamp != stamp:
                self._files[name] = _File(stamp, now, found.arrived, now + self._settle)
            here.add(name)
        for name in self._files.keys() - here:
            del self._files[name]
        self._seen = None if crowded else now

    def blind(self) -> None:
        """The folder could not be seen, or is another one now: what is in it at the next look may be old."""
        self._seen = None

    def ready(self, now: float) -> list[tuple[str, Stamp, float | None]]:
        """Name, stamp and arrival of those that are to be examined now, in order of name."""
        return [(name, file.stamp, file.arrived) for name, file in sorted(self._files.items()) if now >= file.due]

    def lacks(self, name: str, words: str, now: float) -> None:
        """It was examined and is not complete, for a reason that may pass: examined again, or when it changes."""
        file = self._files[name]
        file.lacks, file.due = words, now + max(AGAIN, self._settle)

    def done(self, name: str) -> None:
        """It was taken, or refused."""
        self._files.pop(name, None)

    def overdue(self, now: float) -> list[tuple[str, str]]:
        """Name and what it lacks of those that stay incomplete, each once."""
        late = [(n, f) for n, f in self._files.items() if f.lacks and not f.said and now - f.since >= self._patience]
        for _, file in late:
            file.said = True
        return [(name, file.lacks) for name, file in late]

    def expected(self) -> bool:
        """Whether something came, while the folder was watched, that is about to be taken."""
        return any(file.arrived is not None and not file.lacks for file in self._files.values())
