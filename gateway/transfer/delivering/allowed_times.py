"""The hours in which a destination may be sent to, in the local time of the box.

What counts is what a clock on the wall shows: where clocks are put forward, an hour that the day does not have is not
waited for; where they are put back, the hour that comes twice counts twice. A box whose clock nobody has set does not
know the hour: it sends at any time, since a busy line harms less than an archive that gets nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from gateway.clock import Clock

Span = tuple[int, int]  # minutes of the day: from, and up to (not with)
_DAY = 1440  # minutes

Local = Callable[[float], time.struct_time]


def span(text: str) -> Span:
    """Of "HH:MM-HH:MM", as the configuration has checked it."""
    begin, end = (int(part[:2]) * 60 + int(part[3:]) for part in text.split("-"))
    return begin, end


def open_at(spans: Sequence[Span], minute: int) -> bool:
    """Whether ``minute`` of the day is within one of ``spans``; one that ends before it begins goes over midnight."""
    return not spans or any(b <= minute < e if b < e else minute >= b or minute < e for b, e in spans)


def opens(spans: Sequence[Span], minute: int) -> int:
    """The minute of the day at which the next of ``spans`` begins."""
    return min((b for b, _ in spans), key=lambda b: (b - minute) % _DAY)


class Hours:
    """The hours of one destination."""

    def __init__(self, texts: Sequence[str], clock: Clock, local: Local = time.localtime) -> None:
        self._spans = [span(text) for text in texts]
        self._clock = clock
        self._local = local

    def closed(self) -> str:
        """Why nothing is sent now, in words; "" if it may be."""
        if not self._spans or not self._clock.trusted():
            return ""
        here = self._local(self._clock.wall())
        minute = here.tm_hour * 60 + here.tm_min
        if open_at(self._spans, minute):
            return ""
        hour, minute = divmod(opens(self._spans, minute), 60)
        return f"outside its hours; it is sent to again at {hour:02}:{minute:02}"
