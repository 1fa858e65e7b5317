"""When the frames of a clip came: at a regular Frame Time, or each at its own (PS3.3 C.7.6.5)."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LONGEST_VECTOR = 65534  # bytes of a DS value in Explicit VR (PS3.5 7.1.2)
_LATE = 0.25  # of a frame's time: what deviates less is jitter of the arrival
_SLOWEST = 3600.0  # seconds between two frames; more, or less than none, is no time
_FALLBACK = 25.0  # frames per second, where neither times nor the device tell


@dataclass(frozen=True, slots=True, eq=False)
class Timing:
    """``interval``: mean, in seconds. ``vector``: ms since the frame before, if the frames are irregular and it fits
    into one value. ``worst``: seconds that frames are off, if they are irregular and it does not."""

    interval: float
    durations: NDArray[np.float64]  # seconds, of each frame
    vector: tuple[str, ...] = ()
    worst: float = 0.0

    @property
    def rate(self) -> float:
        return 1 / self.interval


def timing(times: array[float], announced: float) -> Timing:
    """``times``: monotonic seconds; ``announced``: frames per second as the device told, 0 if it did not."""
    moments = np.frombuffer(times, np.float64)
    count = len(moments)
    steps = np.diff(moments)
    if count < 2 or not (steps > 0).all() or steps.max() > _SLOWEST:
        interval = 1 / (announced or _FALLBACK)
        return Timing(interval, np.full(count, interval))
    interval = float(moments[-1] - moments[0]) / (count - 1)
    off = np.abs(moments - moments[0] - np.arange(count) * interval)
    usual = float(np.median(steps))
    if off.max() <= _LATE * interval and np.abs(steps - usual).max() <= _LATE * usual:
        return Timing(interval, np.full(count, interval))
    durations = np.concatenate((steps, [usual]))
    told = ("0", *(f"{step * 1000:.2f}".rstrip("0").rstrip(".") or "0" for step in steps))
    if sum(map(len, told)) + count - 1 <= LONGEST_VECTOR:
        return Timing(interval, durations, told)
    return Timing(interval, durations, worst=float(off.max()))
