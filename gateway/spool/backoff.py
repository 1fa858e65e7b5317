"""How long to wait before the next attempt: doubling, with a most, and scattered so that boxes do not march in step."""

from __future__ import annotations

import random
from collections.abc import Callable


def wait(attempts: int, first: float, most: float, scatter: Callable[[], float] = random.random) -> float:
    """Seconds to wait after the ``attempts``-th failure in a row (1 = the first); between half and all of the step."""
    step = min(most, first * 2.0 ** min(max(attempts, 1) - 1, 40))
    return step * (0.5 + 0.5 * scatter())


class Pause:
    """A peer that does not answer is left alone for a while. Counts on the monotonic clock."""

    def __init__(self, first: float, most: float, monotonic: Callable[[], float]) -> None:
        self._first = first
        self._most = most
        self._monotonic = monotonic
        self._failures = 0
        self._until = 0.0

    def failed(self, grows: bool = True) -> float:
        """One more failure in a row; returns the seconds to wait, no longer than the last time unless it ``grows``."""
        self._failures = max(self._failures + grows, 1)
        seconds = wait(self._failures, self._first, self._most)
        self._until = self._monotonic() + seconds
        return seconds

    def worked(self) -> None:
        self._failures = 0
        self._until = 0.0

    def left(self) -> float:
        """Seconds until the next attempt is due."""
        return max(0.0, self._until - self._monotonic())

    def end(self) -> None:
        """A person said: now."""
        self._until = 0.0
