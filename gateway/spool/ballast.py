"""A little room kept for the ledger: on a full disk, noting that a PACS has taken something must still be possible.

Without it a full disk is a trap: what would free it (an answer of a destination, a purge) has to be written down first.
The ballast is a file of its own; whoever is told that the disk is full throws it overboard, and takes it in again when
there is room.
"""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

from gateway import fsops

log = logging.getLogger(__name__)
SIZE = 4 << 20  # bytes; a write-ahead log grows to about as much before SQLite folds it back
NAME = "ballast"


class Ballast:
    """The file ``folder/ballast``; any thread may use it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._lock = threading.Lock()

    def take_in(self) -> bool:
        """Have it, if there is room for twice as much; whether it is there."""
        with self._lock:
            if self._path.exists():
                return True
            room = os.statvfs(self._path.parent)
            if room.f_bavail * room.f_frsize < 2 * SIZE:
                return False
            try:
                fsops.allot(self._path, SIZE)
            except OSError:  # somebody else was quicker: the next round tries again
                return False
            return True

    def throw_overboard(self) -> bool:
        """Give the room to the ledger; whether there was any."""
        with self._lock:
            if not self._path.exists():
                return False
            fsops.unlink(self._path)
            log.error("the disk is full: the last %d MiB, kept for this, go to the ledger", SIZE >> 20)
            return True
