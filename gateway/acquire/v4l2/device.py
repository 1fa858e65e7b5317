"""One video device while it streams: its buffers are emptied as they fill, and given back at once.

The device never waits for the disk: a frame is copied out of its buffer, and the buffer is the device's again, before
anything else happens. All errors are Retry, in words for a person.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import select
import time
from collections.abc import Callable

from gateway.acquire.v4l2 import asking
from gateway.acquire.v4l2 import structs as s
from gateway.acquire.v4l2.formats import tidy
from gateway.acquire.v4l2.options import Options
from gateway.acquire.v4l2.setting_up import Set, no_signal, set_up
from gateway.errors import Retry
from gateway.events import Frame, Gap, Started
from gateway.model import Equipment

BUFFERS = 4  # the kernel's; what one frame takes, so many times
_LOOK = 0.5  # seconds between two looks at the signal, of a driver that does not tell when it goes


class VideoDevice:
    """A camera or an input of a grabber, one owner thread for all but :meth:`open` and :meth:`close`."""

    def __init__(self, path: str, options: Options, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._options = options
        self._monotonic = monotonic
        self._descriptor = -1
        self._maps: list[mmap.mmap] = []
        self._set: Set | None = None
        self._sequence: int | None = None  # of the last frame
        self._looked = 0.0  # at the signal

    def open(self) -> Started:
        """Set it up and let it stream. What it gives is in the answer."""
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            capability = asking.capability(self._descriptor)
            if not capability.captures:
                raise Retry(f"{self._path} is no video source", "gateway inputs shows which there are")
            self._set = set_up(self._descriptor, self._options, self._path)
            self._subscribe()
            self._stream()
        except OSError as error:
            self.close()
            raise self._not_opened(error) from error
        except Retry:
            self.close()
            raise
        self._sequence, self._looked = None, self._monotonic()
        equipment = Equipment(capability.driver, capability.card, software=capability.version)
        return Started(equipment, (), self._set.picture)

    def read(self, timeout: float) -> list[Frame | Gap]:
        """What came, after at most ``timeout`` seconds. A gap stands before the frame behind it."""
        try:
            waiting = select.poll()
            waiting.register(self._descriptor, select.POLLIN | select.POLLPRI)
            happened = dict(waiting.poll(timeout * 1000)).get(self._descriptor, 0)
            if happened & select.POLLPRI or self._monotonic() - self._looked > _LOOK:
                self._look_at_signal(bool(happened & select.POLLPRI))
            return self._frame() if happened & (select.POLLIN | select.POLLERR | select.POLLHUP) else []
        except OSError as error:
            raise self._lost(error) from error

    def close(self) -> None:
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):  # a device that was pulled out cannot be stopped
                fcntl.ioctl(self._descriptor, s.STREAMOFF, ctypes.c_int(s.VIDEO_CAPTURE), True)
        for each in self._maps:
            each.close()
        self._maps = []
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _subscribe(self) -> None:
        chosen = self._set.input if self._set is not None else None
        about = s.EventSubscription(type=s.SOURCE_CHANGE, id=chosen.number if chosen is not None else 0)
        asking.maybe(self._descriptor, s.SUBSCRIBE_EVENT, about)

    def _stream(self) -> None:
        asked = s.Requestbuffers(count=BUFFERS, type=s.VIDEO_CAPTURE, memory=s.MMAP)
        for index in range(asking.ioctl(self._descriptor, s.REQBUFS, asked).count):
            buffer = s.Buffer(index=index, type=s.VIDEO_CAPTURE, memory=s.MMAP)
            asking.ioctl(self._descriptor, s.QUERYBUF, buffer)
            self._maps.append(mmap.mmap(self._descriptor, buffer.length, offset=buffer.m.offset))
            asking.ioctl(self._descriptor, s.QBUF, buffer)
        fcntl.ioctl(self._descriptor, s.STREAMON, ctypes.c_int(s.VIDEO_CAPTURE), True)

    def _frame(self) -> list[Frame | Gap]:
        """Empty one buffer. It is the device's again as soon as its bytes are copied."""
        assert self._set is not None
        buffer = s.Buffer(type=s.VIDEO_CAPTURE, memory=s.MMAP)
        try:
            asking.ioctl(self._descriptor, s.DQBUF, buffer)
        except BlockingIOError:
            return []
        picture, found = self._set.picture, list[Frame | Gap]()
        with memoryview(self._maps[buffer.index]) as whole, whole[: buffer.bytesused] as filled:
            data = tidy(filled, self._set.fourcc, picture.columns, picture.rows, self._set.stride)
        flags, sequence = int(buffer.flags), int(buffer.sequence)
        kernels = (flags & s.CLOCK) == s.MONOTONIC
        at = buffer.timestamp.tv_sec + buffer.timestamp.tv_usec / 1e6 if kernels else self._monotonic()
        asking.ioctl(self._descriptor, s.QBUF, buffer)
        if self._sequence is not None and (lost := (sequence - self._sequence - 1) & 0xFFFFFFFF) < 1 << 31 and lost:
            found.append(Gap("the device dropped frames: its buffers were not emptied in time", at, samples=lost))
        self._sequence = sequence
        if flags & s.DAMAGED or data is None:
            found.append(Gap("the device gave a damaged frame", at, samples=1))
        else:
            found.append(Frame(data, at, picture.encoding))
        return found

    def _look_at_signal(self, told: bool) -> None:
        """Raises Retry if it is gone or another one: then the device must be set up anew."""
        self._looked = self._monotonic()
        event = s.Event()
        changed = False
        while told and asking.maybe(self._descriptor, s.DQEVENT, event) is not None:
            changed = changed or event.type == s.SOURCE_CHANGE
            told = event.pending > 0
        now = asking.current_input(self._descriptor)
        if now is not None and not now.signal:
            raise no_signal(self._path, now)
        if changed:
            raise Retry(f"the signal of {self._path} has changed", "nothing need be done: it is read anew")

    def _not_opened(self, error: OSError) -> Retry:
        if error.errno in (errno.ENOENT, errno.ENXIO, errno.ENODEV):
            return Retry(
                f"the video source {self._path} is not there",
                "plug it in; if it is, correct 'port' in the configuration (gateway inputs)",
            )
        if error.errno in (errno.EACCES, errno.EPERM):
            return Retry(
                f"no permission to open {self._path}",
                "add the user to the group that owns it: sudo usermod -aG video USER, then log in again",
            )
        if error.errno == errno.EBUSY:
            return Retry(f"{self._path} is in use by another program", "stop it")
        if error.errno in (errno.ENOLINK, errno.ENOLCK, errno.ERANGE):
            words = f"{self._path} sees no picture signal that it can follow ({error.strerror})"
            return Retry(words, "check the video cable, and the resolution that is sent")
        return Retry(f"the video source {self._path} cannot be opened ({error.strerror})", "is it a camera or grabber?")

    def _lost(self, error: OSError) -> Retry:
        return Retry(f"the video source {self._path} was lost ({error.strerror})", "check its cable and its power")
