"""The acquisition on disk: its folder, the facts, and the record file while it grows.

Facts come first and durable, then the records; what was appended is synced once an interval, and only END makes the
acquisition kept. Here is also what capture must know of older acquisitions: how many an exam has, and how old
its last one is.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway import fsops, places, records
from gateway.acquire.adapter import Adapter
from gateway.acquire.montage import labelled
from gateway.clock import Clock
from gateway.device import Device
from gateway.errors import FULL, Fatal, Held, fix_of
from gateway.events import Frame, Gap, Identified, Marker, Samples, Started
from gateway.identifiers import new_acquisition_id, new_uid
from gateway.matching import LONGEST
from gateway.model import Facts, Instant, from_json, to_json
from gateway.places import Places

log = logging.getLogger(__name__)
FACTS_VERSION = 2
_SYNCS = 60  # whose times are remembered
_FORGET = 1000  # acquisitions
_whose: dict[str, tuple[str, int]] = {}  # acquisition -> its exam, and when its folder had last changed
_IDENTIFIED = 40  # identifiers kept of one acquisition; two that differ are enough to hold it
_LATEST = 10  # acquisitions looked at for a device's last one


@dataclass(frozen=True, slots=True)
class Made:
    """Which of the acquisitions made of one file."""

    acquisition: str
    siblings: tuple[str, ...]


class Recorder:
    """Writes the acquisitions of one device, one at a time. Not thread-safe: one owner thread."""

    def __init__(
        self, here: Places, clock: Clock, device: Device, adapter: Adapter, folder: Callable[[str], Path] | None = None
    ) -> None:
        """``folder`` tells where an acquisition grows, if not among the others."""
        self._here = here
        self._folder = folder or here.acquisition
        self._clock = clock
        self._device = device
        self._adapter = adapter
        self._believed = device.own_clock == "synchronized"
        self._writer: records.Writer | None = None
        self._synced = 0.0
        self._last: tuple[str | None, int] = (None, 0)  # exam and number of the last acquisition
        self._identified: tuple[tuple[str, str], ...] = ()  # what the device said of the running acquisition's patient
        self.facts: Facts | None = None  # of the running acquisition
        self.syncs: tuple[float, ...] = ()  # seconds that each of the last syncs took; replaced whole, for any thread
        self.durable = 0  # samples of its first group that the last sync covers: nothing takes them any more

    def begin(self, started: Started, exam: str | None, made_of: Made | None = None) -> Facts:
        """Make the folder of a new acquisition: facts.json, then the empty record file, both durable.

        ``made_of``: it is one of several that are made of the same file.
        """
        now = self._clock.now()
        acquisition = new_acquisition_id(self._device.name, now.wall) if made_of is None else made_of.acquisition
        number = self._next_number(exam) if exam else 1
        facts = Facts(
            acquisition=acquisition,
            root_uid=new_uid(),
            device=self._device.name,
            adapter=self._adapter.name,
            adapter_version=self._adapter.version,
            kind=started.kind or self._adapter.kind,
            equipment=started.equipment,
            groups=labelled(started.groups, self._device.montage),
            exam=exam,
            number=number if made_of is None else number + made_of.siblings.index(acquisition),
            started=now if started.at is None else dataclasses.replace(now, wall=started.at, trusted=self._believed),
            test=self._device.test,
            picture=started.picture,
            taken=None if started.at is None else now,
            siblings=() if made_of is None else made_of.siblings,
        )
        folder = self._folder(facts.acquisition)
        with self._disk("no recording was begun"):
            try:
                fsops.make_folder(folder)
                fsops.write_json(folder / places.FACTS, to_json(facts))
                self._writer = records.Writer(folder / places.RECORDS, facts.streams)
            except OSError:
                with contextlib.suppress(OSError):
                    fsops.remove_folder(folder)  # no sample is in it
                raise
        self._last = (exam, facts.number)
        self._synced = now.monotonic
        self.facts, self.durable, self._identified = facts, 0, ()
        return facts

    def _next_number(self, exam: str) -> int:
        """One more than the last of this device in the exam, also if that is purged already."""
        found = [facts.number for facts in of_exam(self._here, exam) if facts.device == self._device.name]
        return 1 + max([*found, self._last[1] if self._last[0] == exam else 0])

    @property
    def end(self) -> records.End | None:
        """The counts so far."""
        return self._writer.end if self._writer is not None else None

    def take(self, event: Samples | Frame | Marker | Gap) -> None:
        if self._writer is not None:
            with self._disk():
                self._writer.append(event)

    def identify(self, event: Identified) -> None:
        """Keep whom or what the device says it measures, durably: nothing is sent of what nobody compared with it."""
        said = (event.kind, event.text.strip()[:LONGEST])
        if self._writer is None or self.facts is None or not said[1] or said in self._identified:
            return
        self._identified = (*self._identified, said)[:_IDENTIFIED]
        path = self._folder(self.facts.acquisition) / places.IDENTIFIED
        with self._disk():
            fsops.write_json(path, {"version": 1, "said": [list(one) for one in self._identified]})

    def take_bytes(self, data: bytes, time: float) -> None:
        if self._writer is not None:
            with self._disk():
                self._writer.append_bytes(data, time)

    def sync_if_due(self, now: float) -> bool:
        """Bring what was appended to the medium, once an interval; whether that was now."""
        if self._writer is None or now - self._synced < self._device.sync_interval:
            return False
        with self._disk():
            began = time.perf_counter()
            self._writer.sync()
        self.syncs = (*self.syncs[1 - _SYNCS :], time.perf_counter() - began)
        self.durable = self._writer.end.groups[0].samples if self._writer.end.groups else 0
        self._synced = self._clock.monotonic()
        return True

    def close(self, reason: str) -> tuple[Facts, records.End]:
        """Write END and sync: from here on the acquisition is kept. Raises as :meth:`take` does."""
        assert self._writer is not None
        assert self.facts is not None
        with self._disk():
            kept = self.facts, self._writer.close(reason)
        self._writer = self.facts = None
        return kept

    def abandon(self) -> None:
        """Release the records without END: nothing is to be made of them."""
        if self._writer is not None:
            self._writer.abandon()
        self._writer = self.facts = None

    @contextlib.contextmanager
    def _disk(self, what: str = "") -> Iterator[None]:
        """What the disk does not take ends the acquisition as it is; what was synced is safe, and forward gives it END.

        Held if the disk is full: this process goes on. Any other error ends it, and systemd starts it again.
        """
        try:
            yield
        except (OSError, Fatal) as error:
            if self.facts is not None:
                what = f"recording {self.facts.acquisition} was cut off; what was synced before is safe"
            self.abandon()
            if isinstance(error, Fatal):
                raise
            if error.errno in FULL:
                raise Held(f"the disk is full: {what}", "make room: gateway queue list") from error
            raise Fatal(
                f"{self._here.acquisitions}: the disk takes no more data ({error.strerror}): {what}",
                fix_of(error) or "check the storage medium",
            ) from error


def read_facts(folder: Path) -> Facts:
    """Raises Held if the facts of an acquisition are missing, damaged or of a newer format."""
    path = folder / places.FACTS
    try:
        data = json.loads(path.read_bytes())
        if data.get("version", 0) > FACTS_VERSION:
            raise Held(
                f"{path} has format version {data['version']}, newer than {FACTS_VERSION}", "upgrade the gateway"
            )
        return from_json(Facts, data)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise Held(f"{path} cannot be read ({error})", "the recording is kept; a person must look") from error


def of_exam(here: Places, exam: str) -> Iterator[Facts]:
    """The facts of the acquisitions of one exam; damaged ones are passed over.

    There may be 100 000 of other exams: what was read once is read again only when its folder has changed.
    """
    try:
        with os.scandir(here.acquisitions) as entries:  # hidden ones are still being made
            folders = sorted((e for e in entries if not e.name.startswith(".")), key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    for folder in folders:
        path = Path(folder.path)
        try:
            changed = folder.stat().st_mtime_ns
            if folder.name not in _whose or _whose[folder.name][1] != changed:
                _whose[folder.name] = (_exam_in((path / places.FACTS).read_bytes(), exam), changed)
            if _whose[folder.name][0] != exam:
                continue
            facts = read_facts(path)
        except FileNotFoundError:
            continue  # it is just being made, or forward has just purged it
        except (OSError, Held) as error:
            log.warning("%s is passed over: %s", folder.name, error)
            continue
        if facts.exam == exam:
            yield facts
    if len(_whose) > 2 * len(folders) + _FORGET:
        _whose.clear()  # most of them are purged


def _exam_in(facts: bytes, asked: str) -> str:
    """The exam that facts name; what is damaged may be of the one that is asked for if that stands in it."""
    try:
        return sys.intern(json.loads(facts).get("exam") or "")
    except (ValueError, AttributeError, TypeError):
        return asked if asked.encode() in facts else ""


def last_of_device(here: Places, device: str, boot: str) -> Facts | None:
    """The facts of the latest acquisition of a device in one boot; damaged ones are passed over."""
    found = []
    names = sorted((p for p in here.acquisitions.glob(f"*-{device}-*")), reverse=True)
    for folder in names[:_LATEST]:  # names sort by wall time, which a clock that was set meanwhile may have mixed up
        with contextlib.suppress(Held):
            facts = read_facts(folder)
            if facts.device == device and facts.noted.boot == boot:
                found.append(facts)
    return max(found, key=lambda facts: facts.noted.monotonic, default=None)


def last_recorded(here: Places, facts: Facts, now: Instant) -> Instant | None:
    """When an acquisition's last record came, as well as it can be known; None while it is still being written."""
    path = here.acquisition(facts.acquisition) / places.RECORDS
    started = facts.noted
    try:
        if records.being_written(path):
            return None
        end, written = records.ending(path), path.stat().st_mtime
    except OSError as error:
        if not isinstance(error, FileNotFoundError):
            log.warning("%s cannot be read: %s", path, error.strerror)
        return started
    if end is not None:
        seconds = end.last_time - started.monotonic
    elif started.boot == now.boot:
        seconds = now.monotonic - (now.wall - written) - started.monotonic
    else:
        seconds = written - started.wall
    seconds = max(0.0, seconds)
    return dataclasses.replace(started, wall=started.wall + seconds, monotonic=started.monotonic + seconds)
