"""A foot switch, or any button that the kernel knows as a key: USB pedals, and pins (device tree overlay gpio-key).

Its presses are read from its own input device (linux/input.h), which is taken for this process alone: a pedal that
plays keyboard would type into the console. It may come and go.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import logging
import os
import select
import threading
from collections.abc import Callable, Iterator

from gateway.errors import GatewayError

log = logging.getLogger(__name__)
_KEY, _PRESSED = 1, 1  # type and value; 0 is let go, 2 is held
_GRAB = 1 << 30 | ctypes.sizeof(ctypes.c_int) << 16 | ord("E") << 8 | 0x90  # EVIOCGRAB
_AGAIN = 1.0  # seconds between two attempts to open it
_BOUNCE = 0.3  # seconds in which a second press is none
_MOST = 64  # events in one read


class InputEvent(ctypes.Structure):
    _fields_ = (
        *(("sec", ctypes.c_long), ("usec", ctypes.c_long)),
        *(("type", ctypes.c_uint16), ("code", ctypes.c_uint16), ("value", ctypes.c_int32)),
    )


def presses(data: bytes) -> Iterator[tuple[int, float]]:
    """Key codes and times of what was pressed down, in what was read from an input device."""
    size = ctypes.sizeof(InputEvent)
    for at in range(0, len(data) - size + 1, size):
        event = InputEvent.from_buffer_copy(data, at)
        if event.type == _KEY and event.value == _PRESSED:
            yield int(event.code), event.sec + event.usec / 1e6


class Bounce:
    """A press that follows the one before of the same key too quickly is the switch's own doing."""

    def __init__(self) -> None:
        self._last: dict[int, float] = {}

    def real(self, key: int, at: float) -> bool:
        before = self._last.get(key)
        self._last[key] = at
        return before is None or not 0 <= at - before < _BOUNCE


class Pedal:
    """Reads one input device in a thread of its own. ``pressed`` gets the key's code; what it raises is said, no more.

    While ``pressed`` works, further presses are not kept: who is impatient shall not take a series.
    """

    def __init__(self, path: str, pressed: Callable[[int], None], stopping: threading.Event) -> None:
        self._path = path
        self._pressed = pressed
        self._stopping = stopping
        self._bounce = Bounce()
        self._missing = False  # and that was said
        self.thread = threading.Thread(target=self._attend, name="pedal", daemon=True)

    def start(self) -> None:
        self.thread.start()

    def _attend(self) -> None:
        while not self._stopping.is_set():
            try:
                descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError as error:
                self._say_missing(error)
                self._stopping.wait(_AGAIN)
                continue
            try:
                fcntl.ioctl(descriptor, _GRAB, 1)
                log.info("the trigger %s is there", self._path)
                self._missing = False
                self._listen(descriptor)
            except OSError as error:
                self._say_missing(error)
            finally:
                os.close(descriptor)
            self._stopping.wait(_AGAIN)

    def _listen(self, descriptor: int) -> None:
        waiting = select.poll()
        waiting.register(descriptor, select.POLLIN)
        while not self._stopping.is_set():
            if not waiting.poll(200):
                continue
            for key, at in presses(self._read(descriptor)):
                if self._bounce.real(key, at):
                    self._press(key)
                    with contextlib.suppress(BlockingIOError):
                        while self._read(descriptor):
                            pass
                    break

    def _read(self, descriptor: int) -> bytes:
        return os.read(descriptor, _MOST * ctypes.sizeof(InputEvent))

    def _press(self, key: int) -> None:
        try:
            self._pressed(key)
        except GatewayError as refused:
            log.error("the trigger was pressed in vain: %s", refused)

    def _say_missing(self, error: OSError) -> None:
        if not self._missing:
            log.warning(
                "the trigger %s cannot be read (%s); plug it in, or correct 'trigger' (ls -l /dev/input/by-id)",
                *(self._path, error.strerror),
            )
        self._missing = True
