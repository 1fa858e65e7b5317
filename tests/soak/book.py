"""What was promised while the storm blew, noted by those to whom it was promised. Positions are device numbers."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

FOREVER = 1 << 62


@dataclass(slots=True)
class Visit:
    """One patient at one device: what it sent from ``first`` up to ``behind`` is his."""

    device: int
    patient: str
    first: int
    behind: int = FOREVER
    began: float = 0.0  # wall clock
    ended: float = float("inf")


@dataclass(slots=True)
class Recording:
    """What the box said of one acquisition."""

    acquisition: str
    stop_asked: bool = False
    kept: bool = False  # it said: kept, whole
    samples: int | None = None  # it said: so many
    durable: int = 0  # it said: so many are safe, while it was recording


@dataclass(slots=True)
class Book:
    visits: list[Visit] = field(default_factory=list)
    recordings: dict[str, Recording] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def visit(self, device: int, patient: str, first: int, began: float) -> Visit:
        with self.lock:
            self.visits.append(Visit(device, patient, first, began=began))
            return self.visits[-1]

    def recording(self, acquisition: str, stop_asked: bool = False) -> Recording:
        """The entry of an acquisition, made when it is first heard of."""
        with self.lock:
            found = self.recordings.setdefault(acquisition, Recording(acquisition))
            found.stop_asked |= stop_asked
            return found

    def durable(self, acquisition: str, samples: int, stop_asked: bool) -> None:
        """The box says that so many samples are safe."""
        with self.lock:
            found = self.recording(acquisition, stop_asked)
            found.durable = max(found.durable, samples)
