"""A day at the box, told so that at each moment it is known what was promised: the scenarios of the crash model."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import spooling
from crash import told as said
from crash.told import Archive, Decision, Promised, Told
from spooling import CLOCK, LEADS, Pacs
from transfer.media.samples import data_set, rewrite_hashes, write

from firmware_adapters.simulated import ADAPTER
from gateway import clock, exam, fsops, records
from gateway.acquire import standing
from gateway.acquire.recorder import Recorder
from gateway.acquire.standing import Standing
from gateway.clock import Clock
from gateway.dicom.check import check
from gateway.dicom.iods import TABLE
from gateway.dicom.wrap import wrap as wrap_once
from gateway.events import Samples, Started
from gateway.model import Attributed, Channel, Equipment, Exam, InstanceRef, MultiplexGroup
from gateway.settings import Settings
from gateway.spool import imports, intake
from gateway.spool.desk import Desk
from gateway.spool.imports import Imports
from gateway.spool.intake import Intake
from gateway.step import ScheduledStep
from gateway.transfer.calling import echo
from gateway.transfer.calling.outcomes import Outcome
from gateway.transfer.calling.peers import Peer
from gateway.transfer.committing.event_report import Report
from gateway.transfer.delivering.courier import Courier
from gateway.transfer.delivering.duty import Duty
from gateway.transfer.delivering.transports import Transport
from gateway.transfer.importing import Importer
from gateway.transfer.media import hashes, reading
from gateway.worklists import Worklist, keep_worklist

BLOCK = 150  # samples; more than one 4 KiB block of the disk


_SAYS = Started(
    Equipment("Maker", "Model", "1", "1"),
    (MultiplexGroup("RHYTHM", 500.0, tuple(Channel(lead, "uV", 0.5) for lead in LEADS)),),
)


def patient(number: int) -> dict[str, Any]:
    return spooling.ITEM | {
        "00100020": {"vr": "LO", "Value": [f"PAT-{number}"]},
        "0020000D": {"vr": "UI", "Value": [f"2.25.4711{number}"]},
    }


class Box(spooling.Box):
    """The forward process and its desk; each destination is a PACS of its own."""

    def __init__(self, settings: Settings, told: Told, when: Clock = CLOCK) -> None:
        super().__init__(settings, Pacs(), clock=when)
        self.told = told
        self.intake = Intake(settings, self.ledger, when, told.wrap, check)

        def send(peer: Peer, *more: Any) -> Iterator[tuple[InstanceRef, Outcome]]:
            return told.pacs[peer.name].send(peer, *more)

        def request(
            peer: Peer, transaction: str, refs: Sequence[InstanceRef], take: Callable[[Report], None], *_: Any
        ) -> Outcome:
            return told.pacs[peer.name].request(peer, transaction, refs, take, 0.0)

        by = Transport(send, request, echo.probe)
        self.couriers = [Courier(Duty(settings, d, self.ledger, when, by), self.rewrap) for d in settings.destinations]
        self.imports = Imports(settings, self.ledger, when, lambda: self.recovery.done)
        self.desk = Desk(settings, self.ledger, when, self.rewrap, self.remake, lambda: None)

    def take_in(self) -> None:
        super().take_in()
        self.imports.turn()

    def decide(self, what: str, subject: str, destination: str | None = None, **more: Any) -> None:
        """A person decides; what was asked and what was answered is told."""
        asked = Decision(what, subject, destination)
        self.told.decisions.append(asked)
        request = {"do": what, "who": "Ann", "instance": subject, "why": "for a reason"} | more
        self.desk.handlers[what](request if destination is None else request | {"destination": destination})
        self.told.decisions[-1] = dataclasses.replace(asked, answered=True)

    def uid(self, acquisition: str) -> str:
        (row,) = self.ledger.query("SELECT uid FROM instances WHERE acquisition = ?", acquisition)
        return str(row["uid"])


class Unset(Clock):
    """A board without a battery: a year behind, until a time server is heard."""

    heard = False

    def __init__(self) -> None:
        super().__init__("ntp", lambda: CLOCK.wall() - (0 if self.heard else 300 * 86400))

    def trusted(self) -> bool:
        return self.heard


def wrap_twice(
    recording: Path, of: Exam, settings: Settings, out: Path, _: str | None, _beat: Callable[[], None]
) -> Sequence[InstanceRef]:
    """A recording of which two instances are made."""
    return [made for iod in ("twelve-lead", "general") for made in wrap_once(recording, of, settings, out, iod)]


class Day:
    """What happens. Each step may be the last."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = Unset() if settings.clock.trust == "ntp" else CLOCK
        self.here = settings.places
        self.told = Told(pacs={d.name: Archive() for d in settings.destinations})
        self._seed = 0

    def worklist(self) -> None:
        keep_worklist(self.here.worklist, Worklist("ris", 1.0, (ScheduledStep(patient(1)),)))
        self.told.worklist = True

    def exam(self, number: int, *devices: str) -> str:
        made = exam.open_exam(self.here, self.clock, devices, Attributed.SCHEDULED, patient(number))
        self.told.exams[made.exam] = made
        return made.exam

    def close(self, name: str) -> None:
        self.told.exams[name] = exam.close_exam(self.here, self.clock, name)

    def order(self, device: str, exam_id: str) -> None:
        """The capture process is told to record."""
        standing.keep(self.here, Standing(device, exam_id, None, self.clock.now()))
        self.told.orders[device] = True

    def stop(self, device: str) -> None:
        """It is told to stop; END is written afterwards."""
        self.told.orders.pop(device)  # it may go on, or not
        standing.forget(self.here, device)
        self.told.orders[device] = False

    def record(
        self, device: str, exam_id: str | None, blocks: int = 2, ends: bool = True, ordered: bool = False
    ) -> str:
        """Blocks of samples, a sync after each; then the end, or (``ends`` false) a block more and no end."""
        self._seed += 1
        recorder = Recorder(self.here, self.clock, self.settings.device(device), ADAPTER)
        facts = recorder.begin(_SAYS, exam_id)
        truth = spooling.counts(BLOCK * (blocks + 1), self._seed)
        promised = Promised(truth, exam_id, facts.test)
        self.told.recordings[facts.acquisition] = promised
        for number in range(blocks + 1):
            block = truth[number * BLOCK : (number + 1) * BLOCK]
            for piece in np.array_split(block, 5):
                recorder.take(Samples(piece, facts.started.monotonic + 1 + number))
            if number < blocks:
                assert recorder.sync_if_due(self.clock.monotonic() + 1000)
                promised.synced = (number + 1) * BLOCK
        if ends:
            if ordered:
                self.stop(device)
            recorder.close("stopped")
            promised.synced, promised.ended = len(truth), True
        else:
            assert recorder._writer is not None
            recorder._writer._flush()  # the process is killed: what it wrote is in the page cache
            recorder._writer.abandon()
        return facts.acquisition

    def whole(self) -> None:
        """The long one: everything a box does with a recording until it is gone."""
        self.worklist()
        mine = self.exam(1, "ecg1")
        self.order("ecg1", mine)
        ended, cut_off = self.record("ecg1", mine, ordered=True), self.record("ecg1", mine, ends=False)
        nobodys, test = self.record("ecg2", None), self.record("trial", None, 1)
        self.close(mine)
        box = Box(self.settings, self.told)
        box.take_in()
        box.decide("hold", nobodys)
        box.decide("discard", test)
        first, second = box.uid(ended), box.uid(cut_off)
        box.decide("hold", first, "archive")
        box.deliver()
        other = self.exam(2)
        self.told.patients[nobodys] = "PAT-2"
        box.decide("attribute", nobodys, to=other)
        self.close(other)
        box.take_in()
        box.decide("release", nobodys)
        box.take_in()
        box.purger.turn()
        box.deliver()
        box.purger.turn()
        box.decide("release", first, "archive")
        box.decide("waive", first, "archive")
        box.purger.turn()
        assert second in self.told.pacs["archive"].committed
        assert not list(self.here.acquisitions.iterdir())
        box.ledger.close()

    def tear(self, acquisition: str) -> None:
        """Half a record, on the medium."""
        tail = records.pack(records.Type.BYTES, 1.0, bytes(range(200)))[:-50]
        path = self.here.acquisition(acquisition) / "records"
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
        os.write(descriptor, tail)
        fsops.sync(descriptor, path)
        os.close(descriptor)
        self.told.torn[acquisition] = tail

    def clock_set_later(self) -> None:
        """What was recorded under a wrong clock is wrapped under a right one, and again for who refuses the class."""
        assert isinstance(self.clock, Unset)
        self.told.pacs["archive"].refuse_class = {
            TABLE["general-32"].sop_class_uid: Outcome("hold", "class-refused", "no")
        }
        mine = self.exam(1, "ecg1")
        self.record("ecg1", mine, 1)
        self.clock.heard = True
        box = Box(self.settings, self.told, self.clock)
        box.take_in()
        box.deliver()
        torn = self.record("ecg1", mine, 1, ends=False)
        self.tear(torn)
        self.close(mine)
        for _ in range(2):
            box.take_in()
            box.deliver()
        box.purger.turn()
        box.ledger.close()
        assert not list(self.here.acquisitions.iterdir())

    def two_instances(self) -> None:
        """Each recording becomes two instances in one folder."""
        self.told.wrap, self.told.each = wrap_twice, 2
        mine = self.exam(1, "ecg1")
        self.record("ecg1", mine, 1)
        self.close(mine)
        box = Box(self.settings, self.told)
        box.take_in()
        box.deliver()
        box.purger.turn()
        box.ledger.close()
        assert not list(self.here.acquisitions.iterdir())

    def imported(self) -> None:
        """A stick comes back: one file that a gateway remembers and a PACS has, and one that nobody vouches for."""
        self.worklist()
        stick = self.settings.box.data.parents[1] / "stick"
        stick.mkdir(exist_ok=True)
        ours, foreign = (Path(write(stick, data_set()).path) for _ in range(2))
        named = stick / "PA000001/ST000001/SE000001/IN000001"
        named.parent.mkdir(parents=True)
        hashes.place(stick).parent.mkdir()
        rewrite_hashes(stick, {named.relative_to(stick).as_posix(): hashes.of_file(ours.rename(named))})
        data = {ours.stem: named.read_bytes(), foreign.stem: foreign.read_bytes()}
        self.told.pacs["pacs"].held[ours.stem] = data[ours.stem]
        box = Box(self.settings, self.told)
        box.take_in()

        def ask(request: dict[str, Any]) -> dict[str, Any]:
            if request["do"] == "import-staged":
                (path,) = self.here.instances.glob(f".{request['name']}.staged/*.dcm")
                self.told.imported[path.stem] = said.Imported(data[path.stem], path.stem == foreign.stem)
            answer = box.imports.handlers[request["do"]](request)
            box.imports.turn()
            return answer

        with imports.claimed(self.here):
            medium = reading.read(stick, self.here.media)
            Importer(self.settings, ask, "ann", lambda _: None, release=False, dry=False).run(medium)
        box.deliver()
        box.decide("release", foreign.stem)
        for _ in range(2):
            box.deliver()
            box.purger.turn()
        box.ledger.close()
        assert not list(self.here.instances.iterdir())
        shutil.rmtree(stick)


@contextlib.contextmanager
def after_a_reboot() -> Iterator[Clock]:
    """Another boot, five minutes later; the monotonic clock began anew."""
    before = clock.boot_id

    def another() -> str:
        return f"after {before()}"

    modules = (clock, exam, intake)
    for module in modules:
        module.boot_id = another  # type: ignore[attr-defined]
    try:
        yield Clock("always", lambda: CLOCK.wall() + 300, lambda: CLOCK.monotonic() - 1)
    finally:
        for module in modules:
            module.boot_id = before  # type: ignore[attr-defined]
