"""What is on a stick when its power fails. Pure.

Two kinds of stick. *Write-through*: what it has acknowledged is there; of the write it was at, any sectors are. Linux
takes a stick for that if it says nothing of a cache, and then never tells it to flush. *Write-back*: it has a cache and
is told to flush; of each sector written since the last flush any version may be there. Whatever the first kind can
leave, the second can too: it is the harsher one.
"""

from __future__ import annotations

import random

SECTOR = 512


class Flash:
    """``image`` as it is now; one thread at a time."""

    def __init__(self, image: bytes, write_back: bool) -> None:
        self.write_back = write_back
        self._now = bytearray(image)
        self._before: dict[int, list[bytes]] = {}  # sector -> what may be there instead, oldest first

    @property
    def size(self) -> int:
        return len(self._now)

    def read(self, offset: int, length: int) -> bytes:
        return bytes(self._now[offset : offset + length])

    def write(self, offset: int, data: bytes) -> None:
        """Not acknowledged before :meth:`acknowledge`."""
        for sector in range(offset // SECTOR, (offset + len(data) + SECTOR - 1) // SECTOR):
            at = sector * SECTOR
            self._before.setdefault(sector, []).append(bytes(self._now[at : at + SECTOR]))
        self._now[offset : offset + len(data)] = data

    def acknowledge(self) -> None:
        """The write has ended; a stick without a cache has it for good."""
        if not self.write_back:
            self._before.clear()

    def flush(self) -> None:
        self._before.clear()

    def lose_power(self, dice: random.Random) -> int:
        """Afterwards reads give what is left. Returns how many sectors were open."""
        share = dice.choice((0.0, 0.1, 0.5, 0.9, 1.0))  # of the sectors that made it
        for sector, versions in self._before.items():
            if dice.random() >= share:
                at = sector * SECTOR
                self._now[at : at + SECTOR] = dice.choice(versions)
        open_sectors = len(self._before)
        self._before.clear()
        return open_sectors

    def content(self) -> bytes:
        return bytes(self._now)
