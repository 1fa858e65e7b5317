"""The line to an image source: frames are read without a pause, and what the disk cannot follow is dropped and counted.

One thread owns the reading. What waits for the disk is bounded by :data:`MOST`; a frame that comes when that much
waits already is dropped, the newest one: what was seen first is kept in order, and the gap stands where it was. The
device never waits, and memory does not grow.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

from gateway.acquire.line import Piece
from gateway.errors import Retry
from gateway.events import Frame, Gap, Ready, Started

log = logging.getLogger(__name__)
MOST = 24 << 20  # bytes of frames that may wait for the disk
_POLL = 0.05  # seconds that one look at the source takes at most
_TOO_SLOW = "frames were dropped: the disk or the processor could not follow"


class FrameSource(Protocol):
    """A shell that reads frames. ``open`` and ``read`` raise Retry when the source is not there or goes away."""

    def open(self) -> Started: ...

    def read(self, timeout: float) -> list[Frame | Gap]: ...

    def close(self) -> None: ...


class FrameLine:
    """A :class:`gateway.acquire.line.Line` whose pieces are events. All but the reading is done by one owner thread."""

    again = 0.5  # seconds between two attempts to open it, at most: a signal comes back at any moment

    def __init__(self, source: FrameSource, monotonic: Callable[[], float], most: int = MOST) -> None:
        self._source = source
        self._monotonic = monotonic
        self._most = most
        self._news = threading.Condition()
        self._pieces: deque[Piece] = deque()
        self._waiting = 0  # bytes of frames that wait, or are being written
        self._taken = 0  # of them, bytes that were taken last
        self._dropped = 0  # frames, since the last one that was let in
        self._since = 0.0  # when the first of them came
        self._dry = 0.0
        self._lost: Retry | None = None
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        started = self._source.open()
        now = self._monotonic()
        self._pieces = deque([(Ready(started), now)])
        self._waiting = self._taken = self._dropped = 0
        self._lost, self._dry = None, now
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(self._ended,), name="frames", daemon=True)
        self._thread.start()

    def take(self, timeout: float) -> tuple[list[Piece], float]:
        """What came since; what was taken before is done with. Raises Retry as :class:`ReadAhead` does."""
        with self._news:
            self._waiting -= self._taken
            self._taken = 0
            self._news.wait_for(lambda: self._pieces or self._lost, timeout)
            taken = list(self._pieces)
            self._pieces.clear()
            self._taken = self._waiting
            if self._dropped:
                taken.append(self._gap(self._monotonic()))
            if not taken and self._lost is not None:
                raise self._lost
            return taken, taken[-1][1] if taken else self._dry

    def write(self, data: bytes) -> None:
        """Nothing is said to an image source."""

    def close(self) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._source.close()

    def _read(self, ended: threading.Event) -> None:
        while not ended.is_set():
            try:
                events = self._source.read(_POLL)
            except Retry as error:
                with self._news:
                    self._lost = error
                    self._news.notify_all()
                return
            now = self._monotonic()
            with self._news:
                self._dry = now
                for event in events:
                    self._let_in(event, now)
                if self._pieces:
                    self._news.notify_all()

    def _let_in(self, event: Frame | Gap, now: float) -> None:
        size = len(event.data) if isinstance(event, Frame) else 0
        if size and self._waiting and self._waiting + size > self._most:
            if not self._dropped:
                self._since = event.time
                log.warning("%s; %d KiB wait to be written", _TOO_SLOW, self._waiting >> 10)
            self._dropped += 1
            return
        if self._dropped:
            self._pieces.append(self._gap(event.time))
        self._pieces.append((event, now))
        self._waiting += size

    def _gap(self, until: float) -> Piece:
        gap = Gap(_TOO_SLOW, until, samples=self._dropped, seconds=max(0.0, until - self._since))
        self._dropped = 0
        return gap, until
