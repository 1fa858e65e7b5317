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
from collections import deque
from collections.abc import Callable, Iterable

Buffer = bytes | memoryview
AT_ONCE = 512  # buffers in one sendmsg; the kernel takes 1024


class Connection:
    """All methods raise OSError as the system says it, TimeoutError after ``timeout`` seconds without progress."""

    def __init__(self, host: str, port: int, timeout: float) -> None:
        self._timeout = timeout
        self._socket = socket.create_connection((host, port), timeout=timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)

    def deadline(self) -> float:
        """When, in monotonic seconds, what begins now has taken too long."""
        return time.monotonic() + self._timeout

    def readable(self, deadline: float) -> bool:
        """Whether bytes (or the end) came before ``deadline``."""
        return bool(self._poll(select.POLLIN, deadline))

    def receive(self) -> bytes | None:
        """What is there: b"" at the peer's end, None if there is nothing yet."""
        self._acknowledge_quickly()
        try:
            data = self._socket.recv(1 << 16)
        except BlockingIOError:
            return None
        self._acknowledge_quickly()
        return data

    def write(self, buffers: Iterable[Buffer], hear: Callable[[], None]) -> None:
        """Send all of ``buffers``; ``hear`` is called when the peer says something meanwhile (it may raise)."""
        waiting = deque(memoryview(b) for b in buffers)
        deadline = self.deadline()
        if self.readable(0.0):
            hear()
        while waiting:
            try:
                sent = self._socket.sendmsg([waiting[i] for i in range(min(len(waiting), AT_ONCE))])
            except BlockingIOError:
                sent = 0
                self._wait_to_write(deadline, hear)
            if sent:
                deadline = self.deadline()
            while sent:
                if sent < len(waiting[0]):
                    waiting[0] = waiting[0][sent:]
                    break
                sent -= len(waiting.popleft())

    def close(self, last_words: bytes = b"") -> None:
        """Close; ``last_words`` are said if the peer still listens. Never raises."""
        with contextlib.suppress(OSError):
            if last_words:
                self._socket.send(last_words)
        self._socket.close()

    def _wait_to_write(self, deadline: float, hear: Callable[[], None]) -> None:
        ready = self._poll(select.POLLIN | select.POLLOUT, deadline)
        if not ready:
            raise TimeoutError
        if ready & ~select.POLLOUT:
            hear()

    def _poll(self, wanted: int, deadline: float) -> int:
        poll = select.poll()
        poll.register(self._socket, wanted)
        found = poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
        return found[0][1] if found else 0

    def _acknowledge_quickly(self) -> None:
        """The kernel forgets TCP_QUICKACK after a while: it is said around each receive."""
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
