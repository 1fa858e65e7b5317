"""TCP ports for those who must be told theirs before they listen: a PACS that reports to the box, a page's address.

A port that the system gave and that was closed again may be anybody's a moment later: whoever connects or asks for any
port may get it. So these lie outside the range that the system gives from, and two processes never share them.
"""

from __future__ import annotations

import functools
import itertools
import socket
from collections.abc import Iterator
from pathlib import Path

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")  # what the system gives from, first and last
_LOWEST = 10_000  # below it are the ports of services
_AT_ONCE = 1000  # ports of one process; given again only after all of them


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on, and that is this process's to give until it ends."""
    ports = _own()
    for _ in range(_AT_ONCE):
        if _is_free(port := next(ports)):
            return port
    raise OSError(f"none of {_AT_ONCE} ports of 127.0.0.1 is free")


@functools.cache
def _own() -> Iterator[int]:
    """The ports of this process, over and over; any that the system gives, where all others are taken."""
    first, last = map(int, _RANGE.read_text().split())
    outside = (*range(_LOWEST, first - _AT_ONCE, _AT_ONCE), *range(last + 1, 65_535 - _AT_ONCE, _AT_ONCE))
    for start in outside:
        taken = socket.socket(socket.AF_UNIX)
        try:
            taken.bind(f"\0gateway ports {start}")  # unix(7): an abstract name goes with its socket
        except OSError:
            taken.close()
        else:
            _held.append(taken)
            return itertools.cycle(range(start, start + _AT_ONCE))
    return iter(_any, None)


_held: list[socket.socket] = []  # until this process ends


def _any() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one that was closed a moment ago is free
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
