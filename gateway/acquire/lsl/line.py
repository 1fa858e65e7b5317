"""The line to an LSL stream: whole samples come with their time stamps; there is nothing to decode.

liblsl reads the network in threads of its own and keeps :data:`BUFFER` seconds for us: so long the disk may stall
before a sample is lost, and then the stamps tell how many. Its own recovery of a lost stream is off: who comes back may
be another device, or the same one with other channels, and a person shall see that there was a break.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np

from gateway.acquire.line import AGAIN, Piece
from gateway.acquire.lsl.description import Described, described
from gateway.acquire.lsl.finding import found, library
from gateway.acquire.lsl.markers import Markers
from gateway.acquire.lsl.options import Options
from gateway.acquire.lsl.samples import Counting
from gateway.errors import Retry
from gateway.events import Ready

log = logging.getLogger(__name__)
BUFFER = 60  # seconds
ANSWER = 5.0  # seconds that a stream which was found may take to answer
_ROWS = 2048  # samples in one read
_TRUE = 30.0  # seconds that a stamp may be off from when it came; beyond, it is of no clock that LSL knows
_CORRECT = 5.0  # seconds between two looks at the sender's clock


class StreamLine:
    """A :class:`gateway.acquire.line.Line` whose pieces are events. One owner thread."""

    again = AGAIN

    def __init__(self, options: Options, monotonic: Callable[[], float]) -> None:
        self._options = options
        self._monotonic = monotonic
        self._lsl: Any = None
        self._inlet: Any = None
        self._known = ""  # source_id of the last stream
        self._stream: Described | None = None
        self._counting: Counting | None = None
        self._markers: Markers | None = None
        self._buffer: Any = None
        self._shift: float | None = None  # from the sender's clock to ours; None: not known yet
        self._foreign = False  # its stamps are of no clock that LSL knows
        self._corrected = 0.0
        self._pieces: list[Piece] = []
        self._lost: Retry | None = None

    def open(self) -> None:
        self._lsl = library()
        self.close()
        try:
            which = found(self._lsl, self._options, self._known)
            self._inlet = self._lsl.StreamInlet(which, max_buflen=BUFFER, recover=False)
            stream = described(self._inlet.info(ANSWER).as_xml(), self._options)
            self._inlet.open_stream(ANSWER)
            self._shift, self._foreign = self._correction(ANSWER), False
        except RuntimeError as error:  # all that pylsl raises are such
            self.close()
            raise Retry(
                f"the LSL stream {self._named} does not answer as it should ({error})", "see its program"
            ) from error
        except UnicodeDecodeError as error:
            self.close()
            raise Retry("an LSL stream describes itself in text that is not UTF-8", "correct its program") from error
        except Retry:
            self.close()
            raise
        steps = np.array([channel.sensitivity for channel in stream.group.channels])
        self._counting = Counting(stream.group.rate, steps, self._options.jitter)
        self._buffer = np.zeros((_ROWS, self._inlet.channel_count), np.dtype(self._inlet.value_type))
        self._stream, self._known, self._lost = stream, stream.started.source, None
        if self._options.markers:
            self._markers = Markers(self._lsl, self._options.markers, self._clocks)
        self._pieces = [(Ready(stream.started), self._monotonic())]

    def take(self, timeout: float) -> tuple[list[Piece], float]:
        """What came since. Raises Retry when the stream was lost, after everything was given that had come before."""
        try:
            while self._lost is None and self._pull(timeout):
                timeout = 0.0
        except RuntimeError as error:
            self._lost = Retry(f"the LSL stream {self._named} was lost ({error})", "see its program and the network")
        now = self._monotonic()
        if self._markers is not None:
            self._pieces += [(event, now) for event in self._markers.take(now)]
        taken, self._pieces = self._pieces, []
        if not taken and self._lost is not None:
            raise self._lost
        return taken, now

    def write(self, data: bytes) -> None:
        """Nothing is said to a stream."""

    def close(self) -> None:
        self._inlet = self._markers = None  # an inlet goes with its last reference

    @property
    def _named(self) -> str:
        return repr(self._options.stream or self._options.stream_type)

    def _pull(self, timeout: float) -> bool:
        """Whether more may be waiting."""
        assert self._stream is not None and self._counting is not None
        _, told = self._inlet.pull_chunk(timeout=timeout, max_samples=_ROWS, dest_obj=self._buffer)
        if not told:
            return False
        now, stamps = self._monotonic(), np.array(told)
        values = self._buffer[: len(stamps), list(self._stream.columns)]
        shift = self._shift_of(float(stamps[-1]), now)
        for event in self._counting.events(values, stamps, shift):
            self._pieces.append((event, now))
            if self._markers is not None:
                self._markers.reached(event.time)
        return len(stamps) == _ROWS

    def _shift_of(self, stamp: float, now: float) -> float:
        """From its stamps to our clock; if LSL cannot tell, or they are of another clock: from when they came."""
        if not self._foreign and now - self._corrected > _CORRECT:
            self._shift = self._correction(0.0) or self._shift
        if self._shift is None or abs(stamp + self._shift - now) > _TRUE:
            if not self._foreign:
                log.warning(
                    "the time stamps of the LSL stream %s are of a clock of its own: gaps within it follow them, the "
                    "time of day follows when its samples came",
                    self._named,
                )
            self._foreign, self._shift = True, now - stamp
        return self._shift

    def _correction(self, timeout: float) -> float | None:
        self._corrected = self._monotonic()
        try:
            return float(self._inlet.time_correction(timeout)) + self._clocks()
        except self._lsl.util.TimeoutError:
            return None

    def _clocks(self) -> float:
        """From LSL's clock on this box to ours; on Linux they are the same."""
        return self._monotonic() - float(self._lsl.local_clock())
