"""One file of a watched folder on its way to the acquisitions: read once, decoded, recorded out of sight.

A file of several kinds of signals becomes one acquisition of each (a class of the standard holds one kind). They grow
under hidden names and appear among the others when all are whole, the memory has noted the file
(:mod:`gateway.acquire.taken`), and their exam is still open. So a power cut leaves the file as one that was never
touched, or as one whose recordings are all there after the next start: never a part of it, never a second time.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from gateway import exam, fsops, places
from gateway.acquire.adapter import Adapter, Decoder
from gateway.acquire.recorder import Made, Recorder, read_facts
from gateway.acquire.session import IDENTIFIED
from gateway.acquire.taken import Memory, Stamp
from gateway.clock import Clock
from gateway.device import Device
from gateway.errors import Fatal, GatewayError, Unreadable
from gateway.events import Event, Finished, Frame, Gap, Garbage, Identified, Marker, Samples, Started
from gateway.identifiers import new_acquisition_id
from gateway.model import Facts, to_json
from gateway.places import Places

log = logging.getLogger(__name__)
_UNFINISHED = re.compile(r"\.(?P<acquisition>[0-9T]+-(?P<device>.+)-[0-9a-f]+)\.taking")
PIECE = 256 << 10  # bytes read at a time

Whose = Callable[[Started, list[Identified]], str | None]
Admit = Callable[[Started, int], None]


class Changed(Exception):
    """The file was written to while it was read."""


@dataclass(slots=True)
class Taken:
    """What became of a file: the facts of its acquisitions; none if an earlier file had the same content."""

    facts: tuple[Facts, ...] = ()
    samples: int = 0  # of the first group
    same_as: dict[str, Any] = field(default_factory=dict)  # what the memory knows of the earlier one


class Taking:
    """Takes one file at a time. Not thread-safe: one owner thread."""

    def __init__(
        self, here: Places, clock: Clock, device: Device, adapter: Adapter, decoder: Decoder, memory: Memory
    ) -> None:
        self._here = here
        self._clock = clock
        self._device = device
        self._adapter = adapter
        self._decoder = decoder
        self._memory = memory
        self._recorders: list[Recorder] = []
        self._made: list[Facts] = []
        self._said: list[Identified] = []
        self._finished = ""  # what the decoder said at the end
        self._route: dict[int, tuple[int, int]] = {}  # group of the file -> recorder, and group there
        self._position: dict[int, int] = {}  # samples of each group of the file so far
        self._rates: tuple[float, ...] = ()

    def recover(self) -> int:
        """After a start: finish what was noted, remove what was not. How many acquisitions appeared."""
        count = 0
        with exam.only_one(self._here):
            for folder in sorted(self._here.acquisitions.glob(".*.taking")):
                found = _UNFINISHED.fullmatch(folder.name)
                if found is None or found["device"] != self._device.name:
                    continue
                if found["acquisition"] in self._memory.last:
                    self._appear([read_facts(folder)])
                    count += 1
                else:
                    fsops.remove_folder(folder)
        return count

    def take(self, file: int, name: str, stamp: Stamp, whose: Whose, admit: Admit, beat: Callable[[], None]) -> Taken:
        """Take the open ``file``; when it returns, everything made of it is kept.

        Raises Unreadable if the file is not what it should be, Changed if it was written to meanwhile, Held if there
        is no room; after each of them nothing is left of it.
        """
        try:
            digest = self._read(file, stamp, whose, admit, beat)
        except Fatal:
            raise  # the disk fails: nothing more is written, recover() finds out what is left
        except BaseException:
            self._abandon()
            raise
        if self._memory.taken(digest):
            self._abandon()
            earlier = self._memory.recall(digest)
            if not self._memory.left(name, stamp):
                self._memory.note(name, stamp, digest, (), self._clock.wall())
            return Taken(same_as=earlier)
        self._publish(name, stamp, digest)  # what is noted is taken: from here on nothing is abandoned
        return Taken(tuple(self._made), next(iter(self._position.values()), 0))

    def _read(self, file: int, stamp: Stamp, whose: Whose, admit: Admit, beat: Callable[[], None]) -> bytes:
        """Record all of it, out of sight; the SHA-256 of its content."""
        self._recorders, self._made, self._said, self._finished = [], [], [], ""
        self._route, self._position, self._rates = {}, {}, ()

        def begin(started: Started) -> None:
            admit(started, stamp.size)
            self._begin(started, whose(started, self._said))

        digest, offset = hashlib.sha256(), 0
        self._carry_out(self._decoder.start(self._clock.monotonic()), begin)
        while piece := os.pread(file, PIECE, offset):
            beat()
            digest.update(piece)
            offset += len(piece)
            now = self._clock.monotonic()
            self._carry_out(self._decoder.feed(piece, now), begin)
            for recorder in self._recorders:
                recorder.sync_if_due(now)
        found = os.fstat(file)
        if (found.st_size, found.st_mtime_ns, offset) != (stamp.size, stamp.mtime_ns, stamp.size):
            raise Changed
        self._carry_out(self._decoder.stop(self._clock.monotonic()), begin)
        if not self._made or not self._finished:
            raise Unreadable(f"it breaks off at byte {offset}", "have it written again")
        for recorder in self._recorders:
            recorder.close(self._finished)
        return digest.digest()

    def _carry_out(self, events: Iterable[Event], begin: Callable[[Started], None]) -> None:
        for event in events:
            match event:
                case Identified():
                    self._said.append(event)
                    for recorder in self._recorders:
                        recorder.identify(event)
                case Started():
                    self._refuse_another()
                    begin(event)
                case Finished():
                    self._finished = event.reason
                case Samples() | Gap() | Marker() | Frame():
                    self._record(event)
                case Garbage():
                    raise Unreadable(f"{event.count} bytes in it are no part of its format", "have it written again")

    def _refuse_another(self) -> None:
        if self._made:
            raise Unreadable("it holds more than one recording", "have them written to a file each")
        if len(self._said) > IDENTIFIED:
            raise Unreadable(f"it names more than {IDENTIFIED} patients or orders", "have them written to a file each")

    def _begin(self, started: Started, whose: str | None) -> None:
        """One acquisition for each kind, in the order in which the file has them."""
        all_of = started.kind or self._adapter.kind
        kinds = started.kinds or (all_of,) * len(started.groups)
        order = tuple(dict.fromkeys(kinds)) or (all_of,)
        siblings = tuple(new_acquisition_id(self._device.name, self._clock.wall()) for _ in order)
        for index, (kind, acquisition) in enumerate(zip(order, siblings, strict=True)):
            own = [number for number, of in enumerate(kinds) if of is kind]
            self._route |= {number: (index, place) for place, number in enumerate(own)}
            groups = tuple(started.groups[number] for number in own)
            recorder = Recorder(self._here, self._clock, self._device, self._adapter, self._here.taking)
            self._recorders.append(recorder)
            part = dataclasses.replace(started, groups=groups, kind=kind, kinds=())
            self._made.append(recorder.begin(part, whose, Made(acquisition, siblings)))
            for event in self._said:
                recorder.identify(event)
        self._rates = tuple(group.rate for group in started.groups)
        self._position = dict.fromkeys(range(len(started.groups)), 0)

    def _record(self, event: Samples | Gap | Marker | Frame) -> None:
        if not self._made:
            raise Unreadable("it has samples before it says what they are", "the adapter must yield Started first")
        if isinstance(event, Frame):
            self._recorders[0].take(event)
            return
        index, group = self._route.get(event.group, (0, 0))  # a marker on pictures has no group
        match event:
            case Samples():
                self._position[event.group] += len(event.data)
            case Gap():
                rate = self._rates[event.group]
                missing = event.samples or round(event.seconds * rate)
                self._position[event.group] += missing
                event = dataclasses.replace(event, samples=missing, seconds=event.seconds or missing / rate)
            case Marker() if event.sample is None:
                event = dataclasses.replace(event, sample=self._position.get(event.group))
        self._recorders[index].take(dataclasses.replace(event, group=group))

    def _publish(self, name: str, stamp: Stamp, digest: bytes) -> None:
        """Noted, then seen."""
        ids = tuple(facts.acquisition for facts in self._made)
        with exam.only_one(self._here):
            self._memory.note(name, stamp, digest, ids, self._clock.wall())
            try:
                self._made = self._appear(self._made)
            except OSError as error:  # only recover() makes them appear, and only while this is the latest file
                words = f"the disk failed ({error.strerror}) when the recordings of a file were about to appear"
                raise Fatal(words, "they appear at the next start; check the storage medium") from error

    def _appear(self, made: Iterable[Facts]) -> list[Facts]:
        """Among the other acquisitions. An exam that was closed meanwhile gets nothing more: they are nobody's then."""
        seen = []
        for facts in made:
            folder = self._here.taking(facts.acquisition)
            if facts.exam is not None and self._closed(facts.exam):
                words = "%s: exam %s was closed while its file was read: %s is held"
                log.error(words, self._device.name, facts.exam, facts.acquisition)
                facts = dataclasses.replace(facts, exam=None)  # noqa: PLW2901
                fsops.write_json(folder / places.FACTS, to_json(facts))
            fsops.rename(folder, self._here.acquisition(facts.acquisition))
            seen.append(facts)
        return seen

    def _closed(self, named: str) -> bool:
        try:
            return exam.load(self._here, named).closed is not None
        except GatewayError:
            return True

    def _abandon(self) -> None:
        """Nothing is left of what was begun."""
        for recorder in self._recorders:
            recorder.abandon()
        for facts in self._made:
            fsops.remove_folder(self._here.taking(facts.acquisition))
