"""Who attends a device: one thread that owns its line, its session and its recorder, and never gives up on it.

The attendant carries out what the session decides. A line that is lost is opened again, with back-off; each change of
state is one line in the log that says what to do. It knows no exam files, no sockets and no systemd: its
surroundings (:mod:`gateway.capture`) tell it whose a recording is.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from gateway.acquire.limit import FULL, Limit
from gateway.acquire.line import Line
from gateway.acquire.live import Live
from gateway.acquire.recorder import Recorder
from gateway.acquire.session import Act, Begin, End, Identify, Record, RecordBytes, Send, Session
from gateway.acquire.shutter import Shutter
from gateway.acquire.silence import not_starting, silent
from gateway.clock import Clock
from gateway.device import Device
from gateway.errors import Held, Retry
from gateway.events import Frame, Samples, Started
from gateway.model import Facts

log = logging.getLogger(__name__)
TURN = 0.05  # seconds that one turn waits for bytes at most
LOST_FOR_GOOD = 300.0  # seconds without a sample, at most, after which a recording is over
_LOOK = 1.0  # seconds between two looks at the room on the disk
_BACK_OFF = (0.25, 0.5, 1.0, 2.0, 5.0)  # seconds between attempts to open the line; no more than the line's own limit
_GARBAGE_AGAIN = 60.0  # seconds between two complaints


@dataclass(slots=True)
class Kept:
    """A finished acquisition."""

    facts: Facts
    samples: int  # of the first group, missing ones included
    missing: int
    gaps: int
    reason: str


class Attendant:
    """One device's owner. Call :meth:`turn` again and again, from one thread; orders come from the same thread."""

    def __init__(
        self,
        device: Device,
        session: Session,
        line: Line,
        recorder: Recorder,
        clock: Clock,
        whose: Callable[[], str | None],
        admit: Callable[[Started, float | None], None],
        limit: Callable[[Facts], Limit],
        since: Callable[[str | None], float] = lambda _exam: 0.0,
        shutter: Shutter | None = None,
    ) -> None:
        self.device = device
        self.session = session
        self.recorder = recorder
        self.live = Live()
        self.problem: Retry | Held | None = None  # what a person should know
        self.kept: Kept | None = None  # the last finished acquisition, since the last start
        self._line = line
        self._clock = clock
        self._whose = whose  # the exam of a recording that begins
        self._admit = admit  # raises Held if there is no room for so many seconds (None: as many as expected)
        self._limit_of = limit
        self._since = since  # monotonic: what an image source showed before is not of that exam
        self.shutter = shutter  # of an image source
        self._limit: Limit | None = None  # of the running acquisition
        self._looked = 0.0  # at the limit
        self._planned: float | None = None  # seconds, of the recording that was asked for
        self._open = False
        self._attempts = 0
        self._next_attempt = 0.0
        self._garbage = 0
        self._complained = -_GARBAGE_AGAIN

    @property
    def connected(self) -> bool:
        """Whether the line is open (which says nothing of the device behind it)."""
        return self._open

    def start(self, seconds: float | None = None, still: bool = False) -> None:
        """A person wants a recording of ``seconds``, if they are known, or a ``still``. Raises Held if one runs."""
        self.refuse_second()
        self.kept, self._planned = None, seconds
        self._carry_out(self.session.start(self._clock.monotonic(), still))

    def refuse_second(self) -> None:
        """Raises Held if a recording runs or is about to begin."""
        if self.session.recording or self.session.wanted:
            raise Held(f"device {self.device.name!r} is recording already", "stop that recording first")

    def stop(self, reason: str) -> None:
        """End what runs. What the device had said by then belongs to it, however long it waited for the disk."""
        if self._open:
            self._listen(0)
        self._carry_out(self.session.stop(reason, self._clock.monotonic()))

    def turn(self) -> None:
        """One turn of at most about TURN seconds: sync, read, decode, record; open the line again if it is lost.

        Reading comes last: when an order is served after it, nothing from before that order waits to be decoded.
        """
        now = self._clock.monotonic()
        self._sync(now)
        self._keep_within_limit(now)
        if self._open or self._reopen(now):
            self._listen(TURN)
            self._watch(self._clock.monotonic())
        else:
            time.sleep(TURN)  # without a line there is nothing to wait for but time

    def _sync(self, now: float) -> None:
        try:
            self.recorder.sync_if_due(now)
        except Held as full:
            self._overflow(full)

    def _keep_within_limit(self, now: float) -> None:
        """Close the recording while what must still be written of it has room."""
        end = self.recorder.end
        if self._limit is None or end is None or now - self._looked < _LOOK:
            return
        self._looked = now
        if (full := self._limit.reached(end, now)) is not None:
            self._overflow(full)

    def _overflow(self, full: Held) -> None:
        """End what runs, or what the disk has cut off; the alarm comes last: the device's own last samples clear it."""
        self.stop(FULL)
        self._alarm(full)

    def _alarm(self, problem: Held) -> None:
        self.problem = problem
        log.error("%s: %s", self.device.name, problem)

    def close(self, reason: str) -> None:
        """End what runs, and the line with it."""
        self.stop(reason)
        self._line.close()
        self._open = False

    def _listen(self, timeout: float) -> None:
        """Take what the line has, each piece at the time at which it came, and give the decoder its tick."""
        try:
            pieces, dry = self._line.take(timeout)
        except Retry as lost:
            self._lose(lost)
            return
        for data, at in pieces:
            self._carry_out(chain(self._over(at), self.session.feed(data, at)))
        if self._open:
            self._carry_out(chain(self._over(dry), self.session.tick(dry)))

    @property
    def away(self) -> float:
        """Seconds without a sample after which a recording is over: who comes next may be another patient."""
        return min(float(self.device.exam_idle), LOST_FOR_GOOD)

    def _over(self, now: float) -> Iterator[Act]:
        return self.session.end_if_lost(self.away, now)

    def _reopen(self, now: float) -> bool:
        self._carry_out(self._over(now))
        if now < self._next_attempt:
            return False
        self._next_attempt = now + self._back_off()
        self._attempts += 1
        try:
            self._line.open()
        except Retry as error:
            self._say(error)
            return False
        self._open = True
        if isinstance(self.problem, Retry) and not self.session.wanted:
            log.info("%s: the line to the device is open again", self.device.name)
            self.problem = None
        self._carry_out(self.session.connect(self._clock.monotonic()))
        return self._open

    def _lose(self, error: Retry) -> None:
        """The line, or the device behind it, is gone for now."""
        self._line.close()
        self._open = False
        self._say(error)
        self._next_attempt = self._clock.monotonic() + self._back_off()
        self._carry_out(self.session.disconnect(error.message, self._clock.monotonic()))

    def _back_off(self) -> float:
        return min(self._line.again, _BACK_OFF[min(self._attempts, len(_BACK_OFF) - 1)])

    def _say(self, problem: Retry | Held) -> None:
        """One line for one state, not for each attempt."""
        if self.problem is None or self.problem.message != problem.message:
            going_on = "; the recording goes on with a gap" if self.session.recording else ""
            log.warning("%s: %s%s; trying again until it answers", self.device.name, problem, going_on)
        self.problem = problem

    def _watch(self, now: float) -> None:
        """Silence of a device that should speak, and garbage on the line."""
        session = self.session
        if self._open and session.recording and now - session.heard > self.device.silence:
            self._lose(silent(self.device, self.shutter is not None))
        elif self._open and session.wanted and not session.recording and now - session.heard > self.device.silence:
            self._say(not_starting(self.device, session.garbage > self._garbage))
        if session.garbage > self._garbage and now - self._complained >= _GARBAGE_AGAIN:
            log.warning(
                "%s: %d bytes on the line are not this device's protocol and were skipped; "
                "if that goes on, check cable, baud rate and that the adapter is the right one",
                *(self.device.name, session.garbage - self._garbage),
            )
            self._garbage, self._complained = session.garbage, now

    def _carry_out(self, acts: Iterable[Act]) -> None:
        """Do all that the session decided; a device that does not answer or listen (Retry) has its line opened anew."""
        remaining, lost, full = iter(acts), None, None
        while True:
            try:
                act = next(remaining, None)
                if act is None:
                    break
                self._do(act)
            except Retry as error:
                lost = error  # what was decided after it is done all the same: above all, END
            except Held as error:
                full = error  # nothing more is recorded
        if full is not None:
            self._overflow(full)
        if lost is not None:
            self._lose(lost)

    def _do(self, act: Act) -> None:
        match act:
            case Record():
                self.recorder.take(act.event)
                if isinstance(act.event, (Samples, Frame)):
                    self._hear(act.event)
            case Identify():
                self.recorder.identify(act.event)
            case RecordBytes():
                self.recorder.take_bytes(act.data, act.time)
            case Send():
                self._line.write(act.data)
            case Begin():
                self._begin(act)
            case End():
                self._end(act.reason)

    def _begin(self, act: Begin) -> None:
        try:
            self._admit(act.started, self._planned)
            facts = self.recorder.begin(act.started, exam := self._whose())
            if facts.picture is not None:
                self.session.since = self._since(exam)
        except Held as refusal:
            self._alarm(refusal)
            self.session.refuse()
            return
        self._limit = self._limit_of(facts)
        self.live.begin(facts.groups)
        whose = f"exam {exam}" if exam else "no exam is open: it will be held until a person says whose it is"
        self.problem = None
        log.info("%s: recording %s (%s)", self.device.name, facts.acquisition, whose)

    def _hear(self, event: Samples | Frame) -> None:
        if isinstance(event, Samples):
            self.live.take(event)
        if self.problem is not None:
            log.info("%s: the device delivers again", self.device.name)
        self.problem, self._attempts = None, 0

    def _end(self, reason: str) -> None:
        self._limit = None
        if self.recorder.facts is None:
            return  # the disk was full: it has ended already
        facts, end = self.recorder.close(reason)
        first = end.groups[0]
        self.kept = Kept(facts, first.samples, first.missing, end.gaps, reason)
        log.info(
            "%s: kept %s: %d %s, %d of them missing in %d gaps (%s)",
            *(self.device.name, facts.acquisition, first.samples, "samples" if facts.picture is None else "frames"),
            *(first.missing, end.gaps, reason),
        )
