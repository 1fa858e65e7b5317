"""A stream's numbers and time stamps as events: counts, and gaps where the stamps say that samples are missing.

Float samples are rounded to the channel's sensitivity, and only so: what a record holds is int32. A sample that is no
number in one channel, or beyond what the record holds, is missing in all of them: a gap, never an invented value.

Stamps shake by what the network and the sender's scheduler do; they are not smoothed. Where the next sample should be
follows them slowly (a device's crystal is not exact), and one that is later by more than ``jitter`` seconds says how
many samples are missing before it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.events import Gap, Samples

NO_NUMBER = "the device sent no number, or one beyond what a record holds"
LATE = "time stamps jump: samples are missing"
_FOLLOW = 30.0  # seconds in which the expected time follows the stamps
_MOST = 2**31 - 1


class Counting:
    """One stream from when it was opened. Pure: no clock, no library."""

    def __init__(self, rate: float, steps: NDArray[np.float64], jitter: float) -> None:
        """``steps``: what one count is, of each channel."""
        self._rate, self._steps, self._jitter = rate, steps, jitter
        self._next: float | None = None  # the stamp that the next sample should have

    def events(self, values: NDArray[Any], stamps: NDArray[np.float64], shift: float) -> Iterator[Samples | Gap]:
        """``values``: (samples, channels); ``shift`` makes monotonic seconds of their ``stamps``."""
        counts = np.rint(values.astype(np.float64) / self._steps)
        with np.errstate(invalid="ignore"):
            good: NDArray[np.bool_] = np.all(np.abs(counts) <= _MOST, axis=1)  # false of what is no number
        missing = dict(self._missing(stamps))
        cuts = sorted({0, len(stamps), *missing, *(np.flatnonzero(np.diff(good)) + 1).tolist()})
        for begin, end in itertools.pairwise(cuts):
            if begin in missing:
                yield Gap(LATE, float(stamps[begin]) + shift, samples=missing[begin])
            at = float(stamps[end - 1]) + shift
            if good[begin]:
                yield Samples(counts[begin:end].astype(np.int32), at)
            else:
                yield Gap(NO_NUMBER, at, samples=end - begin)

    def _missing(self, stamps: NDArray[np.float64]) -> Iterator[tuple[int, int]]:
        """Before which sample how many are missing."""
        at = 0
        while at < len(stamps):
            expected = float(stamps[at]) if self._next is None else self._next
            off = stamps[at:] - (expected + np.arange(len(stamps) - at) / self._rate)
            wrong = np.flatnonzero(np.abs(off) > max(self._jitter, 0.5 / self._rate))
            run = int(wrong[0]) if len(wrong) else len(off)
            drift = float(off[:run].mean()) * min(1.0, run / self._rate / _FOLLOW) if run else 0.0
            self._next = expected + run / self._rate + drift
            at += run
            if run < len(off):
                if (lost := round(float(off[run]) * self._rate)) > 0:
                    yield at, lost
                self._next = float(stamps[at])  # one that went back begins anew: nothing is taken away
