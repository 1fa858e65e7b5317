"""A TCP connection as the sender needs it, and nothing about DICOM.

Three manners decide the speed and are kept here: TCP_NODELAY; TCP_QUICKACK around each receive (peers answer in
two small writes, and the kernel's delayed acknowledgement would cost 40 ms for each instance); and many small
and large buffers in one sendmsg, never copied together. What the peer says while we write is heard at once.
Time-outs run per progress.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Callable, Sequence

Buffer = bytes | memoryview
AT_ONCE = 512  # buffers in one sendmsg; the kernel takes 1024
RECEIVED = 1 << 16  # bytes taken at a time


class Connection:
    """All methods raise OSError as the system says it, TimeoutError after ``timeout`` seconds without progress.

    Owned by one thread; only :meth:`cut` may be called by another.
    """

    def __init__(self, host: str, port: int, timeout: float) -> None:
        self._timeout = timeout
        self._socket = socket.create_connection((host, port), timeout=timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        self._descriptor = self._socket.fileno()
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLIN)

    def describe(self) -> str:
        """How it is protected, for a person; "" = not at all."""
        return ""

    def deadline(self) -> float:
        """When, in monotonic seconds, what begins now has taken too long."""
        return time.monotonic() + self._timeout

    def readable(self, deadline: float) -> bool:
        """Whether bytes (or the end) came before ``deadline``; behind it no, even for a peer that talks without end."""
        return time.monotonic() < deadline and bool(self._ready(select.POLLIN, deadline))

    def receive(self) -> bytes | None:
        """What is there: b"" at the peer's end, None if there is nothing yet."""
        self._acknowledge_quickly()
        try:
            data = self._socket.recv(RECEIVED)
        except BlockingIOError:
            return None
        self._acknowledge_quickly()
        return data

    def write(self, buffers: Sequence[Buffer], hear: Callable[[], None]) -> None:
        """Send all of ``buffers``; ``hear`` is called when the peer says something meanwhile (it may raise)."""
        deadline = self.deadline()
        if self._ready(select.POLLIN, 0.0):
            hear()
        for at in range(0, len(buffers), AT_ONCE):
            batch = buffers[at : at + AT_ONCE]
            left = sum(map(len, batch))
            while left:
                sent = self._send(batch)
                if not sent:
                    self._wait_to_write(deadline, hear)
                    continue
                deadline = self.deadline()
                left -= sent
                if left:
                    batch = _rest(batch, sent)

    def close(self, last_words: bytes = b"") -> None:
        """Close; ``last_words`` are said if the peer still listens. Never raises."""
        with contextlib.suppress(OSError):
            if last_words:
                self._socket.send(last_words)
        self._socket.close()

    def cut(self) -> None:
        """Make whatever the owner does with this connection end at once. For another thread; never raises."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def _send(self, buffers: Sequence[Buffer]) -> int:
        """Hand over what can be of ``buffers``, in their order; returns the bytes taken."""
        try:
            return self._socket.sendmsg(buffers)
        except BlockingIOError:
            return 0

    def _wait_to_write(self, deadline: float, hear: Callable[[], None]) -> None:
        late = time.monotonic() >= deadline  # asked first: a peer that talks and never listens is always ready
        ready = 0 if late else self._ready(select.POLLIN | select.POLLOUT, deadline)
        if not ready:
            raise TimeoutError
        if ready & ~select.POLLOUT:
            hear()

    def _ready(self, wanted: int, deadline: float) -> int:
        """What of ``wanted`` came true before ``deadline``; an error or a hang-up counts as true."""
        self._poll.modify(self._descriptor, wanted)
        found = self._poll.poll(max(0.0, deadline - time.monotonic()) * 1000 if deadline else 0)
        return found[0][1] if found else 0

    def _acknowledge_quickly(self) -> None:
        """The kernel forgets TCP_QUICKACK after a while: it is said around each receive."""
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


def _rest(buffers: Sequence[Buffer], sent: int) -> list[Buffer]:
    """``buffers`` without their first ``sent`` bytes."""
    for number, buffer in enumerate(buffers):
        if sent < len(buffer):
            return [memoryview(buffer)[sent:], *buffers[number + 1 :]]
        sent -= len(buffer)
    return []
