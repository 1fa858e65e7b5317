"""The process ``forward``: wraps, keeps the ledger, talks to RIS, PACS and media, purges.

Composition only: each worker is owned by one thread with a heart of its own, and knows nothing of the others. A worker
that fails through a bug rests and goes on, loudly; a failure that would risk data stops the process.
"""

from __future__ import annotations

import argparse
import fcntl
import logging
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

from gateway import configuration, exam, fsops, local
from gateway.clock import Clock
from gateway.dicom.check import check
from gateway.dicom.wrap import wrap
from gateway.errors import Fatal, GatewayError, Misuse, in_words
from gateway.service import Service
from gateway.settings import Settings
from gateway.spool import room, survey
from gateway.spool.desk import Desk
from gateway.spool.imports import Imports
from gateway.spool.intake import MEDIA, Intake
from gateway.spool.ledger import Ledger
from gateway.spool.reattribution import Reattribution
from gateway.spool.recover import Recovery
from gateway.spool.remake import remake
from gateway.spool.rewrap import rewrap
from gateway.spool.scrub import Scrubber
from gateway.spool.space import Purger, patience
from gateway.transfer import reports
from gateway.transfer.carrier import Carrier, carrier
from gateway.transfer.courier import Courier
from gateway.transfer.event_report import Answer, Report
from gateway.transfer.listener import Listener
from gateway.transfer.step_reporter import StepReporter
from gateway.transfer.sticks.desk import StickDesk
from gateway.transfer.worklist_poller import WorklistPoller

log = logging.getLogger(__name__)
_LOOK = 1.0  # seconds between two beats of a resting worker
_AFTER_DEFECT = 30.0  # seconds a worker rests after a failure it did not expect
_AFTER_FAILURE = 5.0  # seconds it rests after one that may pass: of the disk, above all
_PURGE_EVERY = 60.0  # seconds
_INTAKE_EVERY = 1.0  # seconds
_WORKING = 120.0  # seconds without progress: 60, and as many for one sync of some ten MiB on a worn-out card

Turn = Callable[[Callable[[], None]], float]  # a worker's round: takes its beat, returns the seconds to rest
Worker = Courier | StepReporter | WorklistPoller | Carrier | Listener


class Forward:
    """All workers of one spool. Raises Fatal if another forward works on it, or the ledger is of a newer format."""

    def __init__(self, settings: Settings, service: Service, clock: Clock | None = None) -> None:
        if any(d.name == MEDIA for d in settings.destinations):
            raise Misuse(
                f"a destination may not be called {MEDIA!r}", "that is the removable medium; choose another name"
            )
        self.settings = settings
        self.failed: Exception | None = None
        self._service = service
        self._clock = clock or Clock(settings.clock.trust)
        self._lock = only_one(settings)
        try:
            self.ledger = Ledger(settings.places.ledger)
        except Exception:
            os.close(self._lock)
            raise
        self._bells: list[threading.Event] = []
        self._threads: list[threading.Thread] = []
        self._server: local.Server | None = None
        self._listener: Listener | None = None
        self._interrupted = [e.exam for e in exam.still_open(settings.places) if exam.interrupted(e)]
        self._intake = Intake(settings, self.ledger, self._clock, wrap, check)
        self._alarm = room.Alarm()
        self._failing: dict[str, str] = {}  # workers whose last round failed, and why
        self._recovery = Recovery(settings, self.ledger, self._clock, self._intake.again)
        self._purger = Purger(settings.places, self.ledger, self._clock, settings.spool.retention, patience(settings))
        self._imports = Imports(settings, self.ledger, self._clock, lambda: self._recovery.done)
        arguments = (settings, self.ledger, self._clock)
        self._scrubber = Scrubber(*arguments, service.stopping.wait)
        self.couriers = [Courier(settings, d, *arguments[1:], self._rewrap) for d in settings.destinations]
        self.reporters = [StepReporter(settings, r, *arguments[1:]) for r in settings.ris if r.mpps]
        self.pollers = [WorklistPoller(settings, r, self._clock) for r in settings.ris if r.worklist]
        self.carrier = carrier(*arguments) if settings.media else None
        self._desk = Desk(*arguments, self._rewrap, self._remake, self.ring)
        self._sticks = StickDesk(settings, self._clock, self._eject, self.ring)

    def start(self) -> None:
        """Start listening, then working, then answering."""
        settings = self.settings
        if settings.listener.port:
            allowed = {t for d in settings.destinations for t in (d.ae_title, d.commitment_ae_title) if t}
            self._listener = Listener(settings.box, settings.listener, sorted(allowed), self._on_report)
            self._listener.turn()  # before anybody is asked for a report
            self._work("listener", self._listener.turn, _WORKING)
        self._work("intake", self._take_in, _WORKING)
        self._work("purge", self._purge, _WORKING)
        self._work("scrub", self._scrubber.turn, _WORKING)
        for courier in self.couriers:
            self._work(f"to {courier.destination.name}", courier.turn, _WORKING + 4 * courier.destination.timeout)
        for reporter in self.reporters:
            self._work(f"steps to {reporter.ris.name}", reporter.turn, 60 + 4 * reporter.ris.timeout)
        for poller in self.pollers:
            self._work(f"worklist of {poller.ris.name}", poller.turn, 60 + 4 * poller.ris.timeout)
        if self.carrier is not None:
            self._work(MEDIA, self.carrier.turn, _WORKING)
        handlers = {"status": self.status, "worklist-refresh": self._refresh, **self._sticks.handlers}
        handlers |= self._desk.handlers | self._imports.handlers
        handlers["reattribute"] = Reattribution(settings, self.ledger, self._clock, wrap, check, self.ring).asked
        self._server = local.Server(settings.places.socket("forward"), handlers)

    def close(self) -> None:
        """Stop everything in order; what was on its way is on the disk."""
        self._service.stopping.set()
        self.ring()
        if self._server is not None:
            self._server.close()
        for thread in self._threads:
            thread.join(timeout=30)
        if self._listener is not None:
            self._listener.close()
        if not any(t.is_alive() for t in self._threads):
            self.ledger.close()
        os.close(self._lock)

    def ring(self) -> None:
        """Something has changed: let every worker look at once."""
        for bell in self._bells:
            bell.set()

    def _work(self, name: str, turn: Turn, patience: float) -> None:
        bell = threading.Event()
        self._bells.append(bell)
        heart = self._service.heart(name, patience)

        def loop() -> None:
            while not self._service.stopping.is_set():
                bell.clear()
                rest = self._guarded(name, turn, heart.beat)
                until = self._clock.monotonic() + rest
                while (left := until - self._clock.monotonic()) > 0 and not self._service.stopping.is_set():
                    heart.beat()
                    if bell.wait(min(left, _LOOK)):
                        break
            heart.end()

        thread = threading.Thread(target=loop, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _guarded(self, name: str, turn: Turn, beat: Callable[[], None]) -> float:
        try:
            rest = turn(beat)
            if self._failing.pop(name, None) is not None:
                log.info("%s: goes on", name)
            return rest
        except Fatal as error:
            log.critical("%s: %s; this process stops", name, error)
            self.failed = error
            self._service.stopping.set()
        except (GatewayError, OSError) as error:
            words = in_words(error) if isinstance(error, OSError) else str(error)
            if self._failing.get(name) != words:  # said once, not at every try
                log.error("%s: %s; tried again every %.0f s", name, words, _AFTER_FAILURE)
            self._failing[name] = words
            return _AFTER_FAILURE
        except Exception:
            log.exception("%s: a defect of this program; it goes on in %.0f s", name, _AFTER_DEFECT)
        return _AFTER_DEFECT

    def _take_in(self, beat: Callable[[], None]) -> float:
        """A slice of recovery, then what is new: a recording of now does not wait for those of years."""
        more = self._recovery.turn(beat)
        if self._intake.turn(beat) + self._imports.turn(beat):
            self.ring()
        return 0.0 if more else _INTAKE_EVERY

    def _purge(self, beat: Callable[[], None]) -> float:
        space = room.space(self.settings, self.ledger, self._clock.wall())
        self._alarm.look(space)
        count = self._purger.turn(beat, short=bool(space.trouble))
        self.ledger.ballast.take_in()
        return 0.0 if count else _PURGE_EVERY

    def _rewrap(self, uid: str, destination: str, who: str, beat: Callable[[], None] = lambda: None) -> str:
        return rewrap(self.settings, self.ledger, self._clock, wrap, check, uid, destination, who, beat)

    def _remake(self, uid: str) -> None:
        remake(self.settings, self.ledger, self._clock, wrap, uid)

    def _on_report(self, report: Report, caller: str) -> Answer:
        answer = reports.take(self.ledger, self.settings, self._clock, report, caller)
        self.ring()
        return answer

    def status(self, _request: local.Request) -> local.Answer:
        """Everything a person asks first: one line in words, then the numbers."""
        counts = survey.queue(self.ledger)
        troubles = survey.troubles(self.settings, self.ledger, self._clock, counts)
        troubles += [f"recording {name} cannot be wrapped now: {w}" for name, w in self._intake.problems.copy().items()]
        troubles += [f"import {name} cannot be taken in now: {w}" for name, w in self._imports.problems.copy().items()]
        troubles += [f"{name}: {words}" for name, words in self._failing.copy().items()]
        troubles += survey.interrupted(self.settings, self._interrupted)
        troubles += [f"{name}: {w.words}" for name, w in self._workers() if w.answers is False]
        delivered = survey.destinations(self.ledger)
        return {
            "well": not troubles,
            "words": survey.in_words(troubles, counts),
            "troubles": troubles,
            "queue": counts,
            "recovery": {"done": self._recovery.done, "adopted": self._recovery.adopted},
            "destinations": [
                {
                    "name": c.destination.name,
                    "answers": c.answers,
                    "words": c.words,
                    **delivered.get(c.destination.name, {}),
                }
                for c in self.couriers
            ],
            "media": self._media_status(delivered),
            "clock": {"trusted": self._clock.trusted(), "wall": self._clock.wall()},
            "space": room.space(self.settings, self.ledger, self._clock.wall()).as_json(),
            "ris": [self._ris_status(r.name) for r in self.settings.ris],
        }

    def _workers(self) -> Iterator[tuple[str, Worker]]:
        yield from ((c.destination.name, c) for c in self.couriers)
        yield from ((r.ris.name, r) for r in self.reporters)
        yield from ((p.ris.name, p) for p in self.pollers)
        if self.carrier is not None:
            yield MEDIA, self.carrier
        if self._listener is not None:
            yield "listener", self._listener

    def _media_status(self, delivered: dict[str, dict[str, int]]) -> dict[str, Any] | None:
        if self.carrier is None:
            return None
        counts = delivered.get(MEDIA, {})
        return self.carrier.status(counts.get("QUEUED", 0)) | counts

    def _eject(self, token: str) -> None:
        if self.carrier is not None:
            self.carrier.plugged.eject(token)

    def _ris_status(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = {"name": name}
        for poller in self.pollers:
            if poller.ris.name == name:
                found["worklist"] = {"answers": poller.answers, "words": poller.words, "fetched": poller.fetched}
                found["worklist"]["items"] = poller.items
        for reporter in self.reporters:
            if reporter.ris.name == name:
                found["mpps"] = {"answers": reporter.answers, "words": reporter.words}
        return found

    def _refresh(self, _request: local.Request) -> local.Answer:
        return {"items": {poller.ris.name: poller.ask() for poller in self.pollers}}


def only_one(settings: Settings) -> int:
    """The lock that one forward holds on a spool as long as it lives. Raises Fatal if another has it."""
    path = fsops.make_folder(settings.box.data) / ".forward.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, fsops.FILE_MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise Fatal(
            f"another forward process works on {settings.box.data}",
            "stop it first (systemctl stop forward); two on one spool would contradict each other",
        ) from None
    return descriptor


def arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments of its own."""


def run(args: argparse.Namespace) -> int:
    """The process: until it is told to stop."""
    settings = configuration.load(args.config)
    service = Service("forward")
    try:
        forward = Forward(settings, service)
        try:
            forward.start()
            service.ready("wrapping and forwarding")
            service.run()
        finally:
            forward.close()
    finally:
        service.close()
    return 1 if forward.failed else 0
