"""The seconds before the trigger: the last frames, as they were encoded, bounded in seconds and in bytes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from gateway.acquire import keyframes
from gateway.events import Frame, Gap

MOST = 24 << 20  # bytes; six frames of 1920 x 1080 YUYV, some minutes of a camera's H.264


@dataclass(slots=True)
class PreRoll:
    """A ring. What goes beyond ``seconds`` or ``most`` bytes is forgotten, the oldest first."""

    seconds: float = 0.0
    most: int = MOST
    _kept: deque[Frame | Gap] = field(default_factory=deque)
    _bytes: int = 0

    def keep(self, event: Frame | Gap) -> None:
        if not self.seconds:
            return
        self._kept.append(event)
        self._bytes += _size(event)
        while self._kept and (self._bytes > self.most or event.time - self._kept[0].time > self.seconds):
            self._bytes -= _size(self._kept.popleft())

    def take(self, since: float) -> deque[Frame | Gap]:
        """What was kept from ``since`` on, from the first frame that a decoder can begin with; then it is empty."""
        taken, self._kept, self._bytes = self._kept, deque(), 0
        while taken and (taken[0].time < since or not _begins(taken[0])):
            taken.popleft()
        return taken

    def clear(self) -> None:
        self._kept.clear()
        self._bytes = 0


def _size(event: Frame | Gap) -> int:
    return len(event.data) if isinstance(event, Frame) else 64


def _begins(event: Frame | Gap) -> bool:
    return isinstance(event, Frame) and keyframes.begins(event)
