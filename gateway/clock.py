"""Wall clock, monotonic clock, and whether the wall clock may be believed.

Small boards have no battery-backed clock: after a power cut they wake up in the past until NTP answers.
The kernel knows whether it is synchronized (adjtimex(2), STA_UNSYNC), whichever NTP client runs.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import ClassVar

from gateway.model import Instant

_STA_UNSYNC = 0x0040
_TIME_ERROR = 5
EARLIEST_CREDIBLE = datetime(2025, 1, 1, tzinfo=UTC).timestamp()


class _Timex(ctypes.Structure):
    """struct timex of <sys/timex.h>; only modes and status are used, the rest is room for the kernel."""

    _fields_: ClassVar = [
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("room", ctypes.c_byte * 256),
    ]


def kernel_synchronized() -> bool:
    """Whether an NTP client keeps the kernel's clock (adjtimex reports no STA_UNSYNC)."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        timex = _Timex()
        state = libc.adjtimex(ctypes.byref(timex))
    except (OSError, AttributeError):
        return False
    return state not in (-1, _TIME_ERROR) and not timex.status & _STA_UNSYNC


@cache
def boot_id() -> str:
    """The kernel's random id of this boot: monotonic times compare only under the same one."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "unknown"


class Clock:
    """The one source of time of a process. ``trust`` is the setting ``clock.trust``: "ntp" or "always"."""

    def __init__(
        self,
        trust: str = "ntp",
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.trust = trust
        self.wall = wall
        self.monotonic = monotonic

    def trusted(self) -> bool:
        """Whether the wall clock may date a recording or let the retention time run out."""
        credible = self.wall() >= EARLIEST_CREDIBLE
        return credible and (self.trust == "always" or kernel_synchronized())

    def now(self) -> Instant:
        return Instant(self.wall(), self.monotonic(), boot_id(), self.trusted())
