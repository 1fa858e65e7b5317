"""A stream of markers beside the samples: each becomes an event at the sample that its time stamp falls on.

It may come, go and come again while the samples are recorded; both is said in the recording.
"""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

from gateway.events import Marker

log = logging.getLogger(__name__)
_LATE = 1.0  # seconds that a marker waits for the samples of its time
_TRUE = 30.0  # seconds that a stamp may be off from when it came; beyond, it is of no clock that LSL knows
_MOST = 1000  # markers that may wait
_LONGEST = 200  # characters
_ANSWER = 2.0  # seconds that it may take to answer; meanwhile liblsl keeps the samples


class Markers:
    """The stream of that name. One owner thread, which is the samples'."""

    def __init__(self, lsl: Any, name: str, clocks: Callable[[], float]) -> None:
        """``clocks``: seconds from LSL's clock on this box to ours."""
        self._lsl, self._name, self._clocks = lsl, name, clocks
        self._looking = lsl.ContinuousResolver(pred=f"name='{name}' and type='Markers'")
        self._inlet: Any = None
        self._uid = ""  # of the stream it is open to
        self._shift = 0.0
        self._gone: set[str] = set()  # uids of what does not answer any more, though it may be seen for a while
        self._waiting: deque[Marker] = deque(maxlen=_MOST)
        self._reached = 0.0  # until when samples came

    def reached(self, time: float) -> None:
        """Samples came until then."""
        self._reached = time

    def take(self, now: float) -> list[Marker]:
        """Those whose samples are there, or do not come."""
        if self._inlet is None:
            self._open()
        if self._inlet is not None:
            self._pull(now)
        taken = []
        while self._waiting and (self._waiting[0].time < self._reached or now - self._waiting[0].time > _LATE):
            taken.append(self._waiting.popleft())
        return taken

    def _open(self) -> None:
        there = [one for one in self._looking.results() if one.uid() not in self._gone]
        if not there:
            return
        inlet = self._lsl.StreamInlet(there[0], max_buflen=10, recover=False)
        try:
            inlet.open_stream(_ANSWER)
        except self._lsl.util.TimeoutError:
            return  # it is asked again
        except RuntimeError:
            self._gone = {*list(self._gone)[-10:], there[0].uid()}
            return
        with contextlib.suppress(RuntimeError):  # without it, the sender's clock is taken for this box's
            self._shift = float(inlet.time_correction(_ANSWER)) + self._clocks()
        self._inlet, self._uid = inlet, there[0].uid()
        log.info("the LSL marker stream %r is there", self._name)

    def _pull(self, now: float) -> None:
        try:
            for _ in range(_MOST):
                try:
                    values, stamp = self._inlet.pull_sample(0.0)
                except UnicodeDecodeError:
                    values, stamp = ["a marker that is no UTF-8 text"], now - self._shift
                if values is None:
                    return
                text = " ".join(str(value) for value in values)[:_LONGEST]
                at = stamp + self._shift
                self._waiting.append(Marker(text, at if abs(at - now) < _TRUE else now))
        except RuntimeError:
            self._inlet, self._gone = None, {*list(self._gone)[-10:], self._uid}
            log.warning("the LSL marker stream %r was lost; it is taken again when it is back", self._name)
            self._waiting.append(Marker(f"the marker stream {self._name} was lost", now))
