"""What happens to a device's words: a pure core between its decoder and the disk.

Events of the line and of persons go in, :data:`Act` objects come out; the attendant (:mod:`gateway.acquire.attendant`)
carries them out. The rules that live here:

- an acquisition begins when the device says Started, and only then has it a folder;
- what was received before that (the handshake) belongs to its transcript, up to PRELUDE bytes; whom the device named
  before that is whom it begins to measure, and never whom it measures later;
- a lost line is a gap, not an end: its length is known when samples come again; but a recording whose device
  is lost or silent for too long is over (:meth:`Session.end_if_lost`): who comes next is another patient;
- a device that comes back with other channels begins another acquisition;
- the frames of an image source are the samples of the group behind its multiplex groups. A still is the first frame
  taken after it was asked for; a clip begins with the frames of before, if so configured, but with none from before
  ``since``: whoever begins it knows when its patient came, and what was seen before is another's.

A transcript is the sequence of bytes as received; an empty piece says that the line was opened and the decoder
started from nothing, so :mod:`gateway.acquire.replay` can do the same.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from gateway.acquire import keyframes
from gateway.acquire.acts import Act, Begin, End, Identify, Record, RecordBytes, Send
from gateway.acquire.adapter import Decoder
from gateway.acquire.pre_roll import PreRoll
from gateway.errors import Retry
from gateway.events import Event, Finished, Frame, Gap, Garbage, Identified, Marker, Ready, Reply, Samples, Started

__all__ = ["Act", "Begin", "End", "Identify", "Record", "RecordBytes", "Send", "Session"]
PRELUDE = 64 << 10  # bytes
TAKEN = "a still was taken"  # the reason in END
IDENTIFIED = 20  # identifiers that a device may say before it begins; more of them are the latest ones


@dataclass(slots=True)
class _Group:
    """Where one multiplex group of the running acquisition stands, or its frames."""

    rate: float  # Hz; 0 of a still
    position: int = 0  # samples, missing ones included
    last: float = 0.0  # when its last sample came
    broken: bool = False  # the line was lost since then
    first: float | None = None  # when the first frame was taken; None of samples

    @property
    def seconds(self) -> float:
        if self.first is not None:
            return self.last - self.first
        return self.position / self.rate if self.rate else 0.0

    def at(self, time: float) -> int:
        """Which sample was taken then: the next one, unless it came already."""
        behind = self.last - time
        return self.position if behind <= 0 else max(0, self.position - 1 - round(behind * self.rate))


@dataclass(slots=True)
class Session:
    """One device's session. Not thread-safe: one owner thread."""

    decoder: Decoder
    keep_bytes: bool = True
    wanted: bool = False  # somebody asked for a recording
    started: Started | None = None  # of the running acquisition
    garbage: int = 0  # bytes, since the session began
    heard: float = 0.0  # when the last sample, or the last order, came
    delivered: float = 0.0  # when the running acquisition's last sample came, or it began
    pre_roll: PreRoll = field(default_factory=PreRoll)
    still: bool = False  # one frame is wanted, if they are frames
    since: float = 0.0  # no frame from before that belongs to the acquisition; set while it begins
    _asked: float = 0.0  # when a recording was asked for
    _ready: Started | None = None  # what an image source shows now
    _skipped: int = 0  # frames that lean on one that is lost
    _leans: bool = False  # whether the next frame does, unless it begins anew
    _groups: list[_Group] = field(default_factory=list)
    _prelude: deque[tuple[bytes, float]] = field(default_factory=deque)
    _said: deque[Identified] = field(default_factory=lambda: deque(maxlen=IDENTIFIED))  # before it began
    _connected: bool = False

    @property
    def recording(self) -> bool:
        return self.started is not None

    @property
    def seconds(self) -> float:
        """Length of the running acquisition so far, gaps included."""
        return max((g.seconds for g in self._groups), default=0.0)

    def connect(self, now: float) -> Iterator[Act]:
        """The line was opened."""
        self._connected = True
        if self.wanted or self.recording:
            yield from self._begin_decoding(now)

    def disconnect(self, reason: str, now: float) -> Iterator[Act]:
        """The line was lost: what is missing becomes a gap when samples come again."""
        if self._connected and self.started is not None and not any(g.broken for g in self._groups):
            yield from self._take([Marker(f"connection lost: {reason}", now)], now)
            for group in self._groups:
                group.broken = True
        self._connected, self._ready = False, None
        self.pre_roll.clear()

    def start(self, now: float, still: bool = False) -> Iterator[Act]:
        """A recording is wanted; of an image source, one ``still`` or a clip."""
        self.wanted, self.still, self._asked = True, still, now
        if self._connected:
            yield from self._begin_decoding(now)
        if self._ready is not None and not still:
            yield from self._on_started(self._ready, now)

    def stop(self, reason: str, now: float) -> Iterator[Act]:
        """The recording is over; without one, nothing happens but that the device is told."""
        if self._connected and (self.wanted or self.recording):
            with contextlib.suppress(Retry):  # a device that does not answer is stopped enough
                yield from self._take(self.decoder.stop(now), now)
        self.wanted = False
        yield from self._end(reason)

    def end_if_lost(self, patience: float, now: float) -> Iterator[Act]:
        """The recording is over when its device has delivered nothing for ``patience`` seconds, line or no line."""
        if self.recording and now - self.delivered > patience:
            yield from self.stop("the device was lost", now)

    def refuse(self) -> None:
        """The recording that is beginning may not be: forget it, and what the device says until it is asked again."""
        self.wanted = False
        self.started, self._groups = None, []

    def feed(self, data: bytes | Event, now: float) -> Iterator[Act]:
        """What the line gave: bytes for the decoder, or an event of a line that needs none."""
        if isinstance(data, bytes):
            yield from self._transcribe(data, now)
            yield from self._take(self.decoder.feed(data, now), now)
        else:
            yield from self._take([data], now)

    def tick(self, now: float) -> Iterator[Act]:
        if self._connected:
            yield from self._take(self.decoder.tick(now), now)

    def _begin_decoding(self, now: float) -> Iterator[Act]:
        self.heard = now
        if not self.recording:
            self._prelude.clear()
            self._said.clear()
        yield from self._transcribe(b"", now)
        yield from self._take(self.decoder.start(now), now)

    def _transcribe(self, data: bytes, now: float) -> Iterator[Act]:
        if not self.keep_bytes:
            return
        if self.recording:
            yield RecordBytes(data, now)
            return
        self._prelude.append((data, now))
        while sum(len(piece) for piece, _ in self._prelude) > PRELUDE:
            oldest = next(i for i, (piece, _) in enumerate(self._prelude) if piece)
            del self._prelude[oldest]

    def _take(self, events: Iterable[Event], now: float) -> Iterator[Act]:
        for event in events:
            match event:
                case Reply():
                    yield Send(event.data)
                case Started():
                    yield from self._on_started(event, now)
                case Ready():
                    self._ready = event.started
                    if self.recording or (self.wanted and not self.still):
                        yield from self._on_started(event.started, now)
                case Identified() if self.recording:
                    yield Identify(event)
                case Identified():
                    self._said.append(event)
                case Garbage():
                    self.garbage += event.count
                case Finished():
                    self.wanted = False
                    yield from self._end(event.reason)
                case Samples() if self.recording:
                    yield from self._on_samples(event, now)
                case Gap() if self.recording and event.time >= self.since and not self.still:
                    if self._misses(event):
                        yield self._missing(event)
                case Marker() if self.recording:
                    here = self._groups[event.group].at(event.time) if event.sample is None else event.sample
                    yield Record(dataclasses.replace(event, sample=here))
                case Frame() if self._ready is not None and self._is_the_still(event):
                    yield from self._on_started(self._ready, now)
                    if self.recording:  # it was not refused
                        yield from self._on_frame(event, now)
                case Frame() if self.recording and event.time >= self.since:
                    yield from self._on_frame(event, now)
                case Frame() | Gap():
                    self.pre_roll.keep(event)

    def _on_started(self, event: Started, now: float) -> Iterator[Act]:
        self.still = self.still and event.picture is not None
        if event.picture is not None and self.still:
            event = dataclasses.replace(event, picture=dataclasses.replace(event.picture, rate=0.0))
        if self.started is not None and self.started == event:
            for group in self._groups:
                group.broken = True
            self._leans = True
            return
        yield from self._end("the device began anew with other channels or settings")
        self.started = event
        self.heard = self.delivered = now
        self._groups = [_Group(g.rate) for g in event.groups]
        if event.picture is not None:
            self._groups.append(_Group(event.picture.rate))
        self.since, self._skipped, self._leans = 0.0, 0, True
        yield Begin(event)
        yield from map(Identify, self._said)  # before any sample
        self._said.clear()
        for piece, time in self._prelude:
            yield RecordBytes(piece, time)
        self._prelude.clear()
        if event.picture is not None and self.recording:
            yield from self._before(now)

    def _before(self, now: float) -> Iterator[Act]:
        """The frames of before a clip was asked for, and a mark where it was; of a still, none."""
        self.since = max(self.since, self._asked - (0.0 if self.still else self.pre_roll.seconds))
        if self.still or not self.pre_roll.seconds:
            return
        kept = self.pre_roll.take(self.since)
        while kept:  # written and forgotten, one by one
            yield from self._take([kept.popleft()], now)
        yield from self._take([Marker("the recording was asked for", self._asked)], now)

    def _is_the_still(self, event: Frame) -> bool:
        """Whether a still begins with this frame: only then, so that one without a picture leaves no recording."""
        waits = self.wanted and self.still and not self.recording
        return waits and event.time >= self._asked and keyframes.begins(event)

    def _on_frame(self, event: Frame, now: float) -> Iterator[Act]:
        group = self._groups[-1]
        if self._leans and not keyframes.begins(event):
            self._skipped += group.first is not None  # before the first one, nothing is missing
            return
        if group.broken and group.position:
            seconds = max(0.0, event.time - group.last - (1 / group.rate if group.rate else 0.0))
            yield self._missing(
                Gap("the connection was lost", event.time, seconds=seconds, group=len(self._groups) - 1)
            )
        elif self._skipped:
            words = "frames that need a lost one to be decoded"
            yield self._missing(Gap(words, event.time, samples=self._skipped, group=len(self._groups) - 1))
        self._skipped, self._leans, group.broken = 0, False, False
        group.position += 1
        group.first = event.time if group.first is None else group.first
        group.last, self.heard, self.delivered = event.time, now, now
        yield Record(event)
        if self.still:
            self.pre_roll.keep(event)  # a clip that is asked for next may begin before it
            self.wanted = False
            yield from self._end(TAKEN)
            yield from self._take(self.decoder.stop(now), now)  # after END: what it says last is not of the still

    def _on_samples(self, event: Samples, now: float) -> Iterator[Act]:
        group = self._groups[event.group]
        if group.broken:
            group.broken = False
            # A block's time is its last sample's: the first one came (n - 1) / rate before.
            first = event.time - (len(event.data) - 1) / group.rate
            seconds = max(0.0, first - group.last - 1 / group.rate) if group.position else 0.0
            if seconds:
                yield self._missing(Gap("the connection was lost", event.time, seconds=seconds, group=event.group))
        group.position += len(event.data)
        group.last, self.heard, self.delivered = event.time, now, now
        yield Record(event)

    def _misses(self, gap: Gap) -> bool:
        """Before its first sample nothing is missing of an acquisition; of frames the pre-roll tells."""
        frames = self.started is not None and gap.group >= len(self.started.groups)
        return frames or self._groups[gap.group].position > 0

    def _missing(self, gap: Gap) -> Record:
        group = self._groups[gap.group]
        samples = gap.samples or round(gap.seconds * group.rate)
        group.position += samples
        self._leans = self._leans or gap.group == len(self._groups) - 1
        seconds = gap.seconds or (samples / group.rate if group.rate else 0.0)
        return Record(dataclasses.replace(gap, samples=samples, seconds=seconds))

    def _end(self, reason: str) -> Iterator[Act]:
        if self.started is not None:
            self.started, self._groups = None, []
            yield End(reason)
