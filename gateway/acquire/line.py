"""A device's line, read without a pause: a disk that takes seconds to sync must not cost a sample.

The kernel keeps a few KiB for a process that does not read its serial port; an SD card may hold a sync up for
seconds. So one thread owns the reading and does nothing else: it notes when each piece came, and the device's
thread takes the pieces when the disk lets it. What waits is bounded by :data:`MOST`; at that limit the reading waits
too, which is said, and what the kernel then drops is a gap like any other loss.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from gateway.acquire.shells import Shell
from gateway.errors import Retry
from gateway.events import Event

log = logging.getLogger(__name__)
MOST = 8 << 20  # bytes that may wait for the disk
POLL = 0.05  # seconds that one look at the line takes at most
AGAIN = 5.0  # seconds between two attempts to open a line, at most

Piece = tuple[bytes | Event, float]  # bytes as received, or what a shell that gives events said; and when


class Line(Protocol):
    """What an attendant needs of the way to a device. All raise Retry when it is not there or goes away."""

    @property
    def again(self) -> float:
        """Seconds between two attempts to open it, at most."""

    def open(self) -> None: ...

    def take(self, timeout: float) -> tuple[list[Piece], float]:
        """What came, waiting at most ``timeout`` seconds for it, and until when the line is known to be read dry."""

    def write(self, data: bytes) -> None: ...

    def close(self) -> None: ...


class NoLine:
    """A device inside the box: time passes."""

    again = AGAIN

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic

    def open(self) -> None:
        """Nothing to open."""

    def take(self, timeout: float) -> tuple[list[Piece], float]:
        time.sleep(timeout)
        return [], self._monotonic()

    def write(self, data: bytes) -> None:
        """Nobody listens."""

    def close(self) -> None:
        """Nothing to close."""


class ReadAhead:
    """A shell with a thread that reads it. Everything but the reading is done by the one thread that owns this."""

    again = AGAIN

    def __init__(self, shell: Shell, monotonic: Callable[[], float], most: int = MOST) -> None:
        self._shell = shell
        self._monotonic = monotonic
        self._most = most
        self._news = threading.Condition()
        self._pieces: deque[tuple[bytes, float]] = deque()
        self._waiting = 0  # bytes in them
        self._dry = 0.0  # when the line was last seen empty
        self._lost: Retry | None = None
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        self._shell.open()
        self._pieces.clear()
        self._waiting, self._lost, self._dry = 0, None, self._monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(self._ended,), name="line", daemon=True)
        self._thread.start()

    def take(self, timeout: float) -> tuple[list[Piece], float]:
        """Raises Retry when the line was lost, after everything was given that had come before."""
        with self._news:
            self._news.wait_for(lambda: self._pieces or self._lost, timeout)
            taken: list[Piece] = list(self._pieces)
            self._pieces.clear()
            self._waiting = 0
            self._news.notify_all()
            if not taken and self._lost is not None:
                raise self._lost
            return taken, taken[-1][1] if taken else self._dry

    def write(self, data: bytes) -> None:
        self._shell.write(data)

    def close(self) -> None:
        self._ended.set()
        if self._thread is not None:
            with self._news:
                self._news.notify_all()
            self._thread.join()
            self._thread = None
        self._shell.close()

    def _read(self, ended: threading.Event) -> None:
        said = False
        while not ended.is_set():
            try:
                data = self._shell.read(POLL)
            except Retry as error:
                with self._news:
                    self._lost = error
                    self._news.notify_all()
                return
            now = self._monotonic()
            with self._news:
                if not data:
                    self._dry = now
                    continue
                self._pieces.append((data, now))
                self._waiting += len(data)
                self._news.notify_all()
                if self._waiting >= self._most and not said:
                    said = True
                    log.error(
                        "the disk has taken nothing for too long: %d KiB from the device wait for it, and what it "
                        "sends now may be lost and is recorded as a gap; check the storage medium",
                        self._waiting >> 10,
                    )
                self._news.wait_for(lambda: self._waiting < self._most or ended.is_set())
