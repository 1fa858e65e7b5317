"""A link with a delay: two network namespaces, a TUN device in each, and a relay that hands on every packet later.

TCP sees the delay as it would on a real line: acknowledgements, slow start and Nagle's algorithm pay for it too. It
needs root, and nothing of the kernel but namespaces and TUN. Addresses are of RFC 5737, which nobody has.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import struct
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator

_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000  # linux/if_tun.h
_LARGEST = 1 << 16  # bytes of a packet
HERE, THERE = "192.0.2.1", "192.0.2.2"


class Link:
    """``here`` and ``there``: what to put before a command, to run it at that end of the line."""

    def __init__(self, delay: float) -> None:
        """``delay`` in seconds, each way."""
        self._delay = delay
        self._names = [f"gwbench{os.getpid()}{end}" for end in "ab"]
        self._ends = [_tun(name) for name in self._names]
        self._stop, self._wake = os.pipe()
        self.here, self.there = (["ip", "netns", "exec", name] for name in self._names)
        for name, own, other in zip(self._names, (HERE, THERE), (THERE, HERE), strict=True):
            _ip("netns", "add", name)
            _ip("link", "set", name, "netns", name)
            _ip("-n", name, "address", "add", own, "peer", other, "dev", name)
            _ip("-n", name, "link", "set", name, "up")
            _ip("-n", name, "link", "set", "lo", "up")
        self._thread = threading.Thread(target=self._relay, daemon=True)
        self._thread.start()

    def _relay(self) -> None:
        """Read at one end, write at the other when its time has come; what does not fit there is lost, as on a line."""
        waiting: deque[tuple[float, int, bytes]] = deque()
        others = dict(zip(self._ends, reversed(self._ends), strict=True))
        while True:
            left = waiting[0][0] - time.monotonic() if waiting else None
            ready, _, _ = select.select([*self._ends, self._stop], [], [], None if left is None else max(0.0, left))
            if self._stop in ready:
                return
            now = time.monotonic()
            for end in ready:
                with contextlib.suppress(BlockingIOError):
                    while True:
                        waiting.append((now + self._delay, others[end], os.read(end, _LARGEST)))
            while waiting and waiting[0][0] <= time.monotonic():
                _, end, packet = waiting.popleft()
                with contextlib.suppress(OSError):
                    os.write(end, packet)

    def close(self) -> None:
        os.close(self._wake)
        self._thread.join()
        for name, end in zip(self._names, self._ends, strict=True):
            os.close(end)
            _ip("netns", "delete", name)
        os.close(self._stop)


@contextlib.contextmanager
def link(delay: float) -> Iterator[Link]:
    made = Link(delay)
    try:
        yield made
    finally:
        made.close()


def _tun(name: str) -> int:
    end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(end, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
    return end


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
