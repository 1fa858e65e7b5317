"""A folder in which others make sub-folders, and which of them still concern a worker.

Looking every second must cost next to nothing, however many are done: the folder is read again only when its
time has changed, and every so many rounds in any case, since a sub-folder made within the same tick of the clock
does not change it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

_FULL_LOOK = 60  # rounds
_FORGET = 1000  # names


class Watched:
    """Names below ``folder``, without those that are ``done``."""

    def __init__(self, folder: Path, done: Iterable[str]) -> None:
        self._folder = folder
        self._done = set(done)
        self._names: list[str] = []
        self._time = -1
        self._rounds = 0

    def done(self, name: str) -> None:
        """``name`` concerns the worker no longer."""
        self._done.add(name)

    def again(self, name: str) -> None:
        """``name`` concerns the worker after all."""
        self._done.discard(name)
        self._time = -1

    def names(self) -> list[str]:
        """What is not done, sorted; empty while the folder is not there."""
        try:
            changed = self._folder.stat().st_mtime_ns
        except FileNotFoundError:
            return []
        full = self._rounds % _FULL_LOOK == 0
        if full or changed != self._time:
            self._time = -1 if full else changed
            self._names = self._look()
        self._rounds += 1
        self._names = sorted(name for name in self._names if name not in self._done)
        return self._names

    def _look(self) -> list[str]:
        """One at a time, since there may be 100 000; what is gone is forgotten when it has become most of them."""
        found, there = [], 0
        for name in names(self._folder):
            if name in self._done:
                there += 1
            else:
                found.append(name)
        if len(self._done) > 2 * there + _FORGET:
            self._done.intersection_update(names(self._folder))
        return found


def names(folder: Path) -> Iterator[str]:
    """What lies in a folder of which others make sub-folders; hidden names are still being made."""
    try:
        with os.scandir(folder) as entries:
            yield from (entry.name for entry in entries if not entry.name.startswith("."))
    except FileNotFoundError:
        return
