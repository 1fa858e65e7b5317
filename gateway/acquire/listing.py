"""What a watched folder holds: plain files by name, whatever else lies there."""

from __future__ import annotations

import logging
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from gateway.acquire.putting_away import stamp_of
from gateway.acquire.taken import MOST, Stamp
from gateway.acquire.waiting import compiled, fits
from gateway.errors import Held

log = logging.getLogger(__name__)
MOST_SAID = 1000  # names that are remembered because something was said of them
_STRIDE = 1000  # entries between two beats


class Listing:
    """Looks at one device's folder; says once of each name that it is no file."""

    def __init__(self, device: str, where: Path, patterns: Sequence[str]) -> None:
        self._device = device
        self._where = where
        self._patterns = compiled(patterns)
        self._odd: set[str] = set()

    def entries(self, folder: int, beat: Callable[[], None]) -> Iterator[tuple[str, Stamp]]:
        """The files below the descriptor ``folder`` that may be the device's. Raises OSError; Held for too many."""
        count = 0
        with os.scandir(folder) as entries:
            for entry in entries:
                if not fits(entry.name, self._patterns):
                    continue
                count += 1
                if count % _STRIDE == 0:
                    beat()
                if count > MOST:
                    words = f"{self._where} holds more than {MOST} files: nothing is taken from it"
                    raise Held(words, "move away what was taken")
                try:
                    found = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue  # renamed or removed in this moment
                if stat.S_ISREG(found.st_mode):
                    yield entry.name, stamp_of(found)
                elif entry.name not in self._odd and len(self._odd) < MOST_SAID:
                    self._odd.add(entry.name)
                    log.warning("%s: something in %s is no plain file and is left alone", self._device, self._where)
                    log.debug("%s: its name is %s", self._device, shown(entry.name))


def shown(name: str) -> str:
    """A file's name in one line, whatever is in it. For a person's eyes: it may be a patient's name."""
    return repr(name)[:200]


def unnamed(stamp: Stamp) -> str:
    """What tells a file from others, and nothing of a patient."""
    written = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(stamp.mtime_ns / 1e9))
    return f"the file of {stamp.size} bytes, written {written},"
