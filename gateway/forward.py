"""The process ``forward``: wraps, keeps the ledger, talks to RIS, PACS and media, purges.

Composition only: who works here (gateway.workers owns their threads), and who answers.
"""

from __future__ import annotations

import argparse
import fcntl
import logging
import os
from collections.abc import Callable

from gateway import configuration, exam, fsops, local
from gateway.clock import Clock
from gateway.dicom.check import check
from gateway.dicom.wrap import wrap
from gateway.errors import Fatal, Misuse
from gateway.service import Service
from gateway.settings import Settings
from gateway.spool import room
from gateway.spool.desk import Desk
from gateway.spool.imports import Imports
from gateway.spool.intake import Intake
from gateway.spool.ledger import Ledger
from gateway.spool.policies import Policies
from gateway.spool.reattribution import Reattribution
from gateway.spool.recover import Recovery
from gateway.spool.remake import remake
from gateway.spool.rewrap import rewrap
from gateway.spool.routing import MEDIA
from gateway.spool.scrub import Scrubber
from gateway.spool.space import Purger, patience
from gateway.transfer.auditing.reporter import Reporter
from gateway.transfer.carrier import carrier
from gateway.transfer.committing import reports
from gateway.transfer.committing.event_report import Answer, Report
from gateway.transfer.committing.listener import Listener
from gateway.transfer.delivering.courier import Courier
from gateway.transfer.delivering.duty import Duty
from gateway.transfer.delivering.shift import shifts
from gateway.transfer.delivering.transports import transport
from gateway.transfer.ris.step_reporter import StepReporter
from gateway.transfer.ris.worklist_poller import WorklistPoller
from gateway.transfer.status import Crew, status
from gateway.transfer.sticks.desk import StickDesk
from gateway.workers import WORKING, Workers

log = logging.getLogger(__name__)
_PURGE_EVERY = 60.0  # seconds
_INTAKE_EVERY = 1.0  # seconds


class Forward:
    """All workers of one spool. Raises Fatal if another forward works on it, or the ledger is of a newer format."""

    def __init__(self, settings: Settings, service: Service, clock: Clock | None = None) -> None:
        if any(d.name == MEDIA for d in settings.destinations):
            raise Misuse(
                f"a destination may not be called {MEDIA!r}", "that is the removable medium; choose another name"
            )
        self.settings = settings
        self._service = service
        self._clock = clock or Clock(settings.clock.trust)
        self._lock = only_one(settings)
        try:
            self.ledger = Ledger(settings.places.ledger)
        except Exception:
            os.close(self._lock)
            raise
        self.workers = Workers(service, self._clock)
        self._server: local.Server | None = None
        self._interrupted = [e.exam for e in exam.still_open(settings.places) if exam.interrupted(e)]
        self._intake = Intake(settings, self.ledger, self._clock, wrap, check)
        self._alarm = room.Alarm()
        self._policies = Policies(settings, self.ledger, self._clock)
        self._recovery = Recovery(settings, self.ledger, self._clock, self._intake.again)
        self._purger = Purger(settings.places, self.ledger, self._clock, settings.spool.retention, patience(settings))
        self._imports = Imports(settings, self.ledger, self._clock, lambda: self._recovery.done)
        arguments = (settings, self.ledger, self._clock)
        duties = [Duty(settings, d, *arguments[1:], transport(bool(d.url))) for d in settings.destinations]
        self._scrubber = Scrubber(*arguments, service.stopping.wait)
        self.crew = Crew(
            self._recovery,
            self._intake,
            self._imports,
            shifts=shifts([Courier(duty, self._rewrap) for duty in duties], *arguments[1:], self.workers.ring),
            reporters=[StepReporter(settings, r, *arguments[1:]) for r in settings.ris if r.mpps],
            pollers=[WorklistPoller(settings, r, self._clock) for r in settings.ris if r.worklist],
            carrier=carrier(*arguments) if settings.media else None,
        )
        self._desk = Desk(*arguments, self._rewrap, self._remake, self.workers.ring)
        self._sticks = StickDesk(settings, self._clock, self._eject, self.workers.ring)

    def start(self) -> None:
        """Start listening, then working, then answering."""
        settings, begin, crew = self.settings, self.workers.begin, self.crew
        if settings.listener.port:
            allowed = {t for d in settings.destinations for t in (d.ae_title, d.commitment_ae_title) if t}
            crew.listener = Listener(settings.box, settings.listener, sorted(allowed), self._on_report)
            crew.listener.turn()  # before anybody is asked for a report
            begin("listener", crew.listener.turn)
        begin("intake", self._take_in)
        begin("purge", self._purge)
        begin("scrub", self._scrubber.turn)
        for shift in crew.shifts:
            to = shift.courier.destination
            begin(f"to {to.name}", shift.turn, WORKING + 4 * to.timeout)
        for reporter in crew.reporters:
            begin(f"steps to {reporter.ris.name}", reporter.turn, 60 + 4 * reporter.ris.timeout)
        for poller in crew.pollers:
            begin(f"worklist of {poller.ris.name}", poller.turn, 60 + 4 * poller.ris.timeout)
        if crew.carrier is not None:
            begin(MEDIA, crew.carrier.turn)
        if settings.audit.host:
            begin("audit", Reporter(settings, self.ledger, self._clock).turn, WORKING + 4 * settings.audit.timeout)
        handlers = {"status": self.status, "worklist-refresh": self._refresh, **self._sticks.handlers}
        handlers |= self._desk.handlers | self._imports.handlers
        give = Reattribution(settings, self.ledger, self._clock, wrap, check, self.workers.ring)
        handlers["reattribute"] = give.asked
        self._server = local.Server(settings.places.socket("forward"), handlers)

    def close(self) -> None:
        """Stop everything in order; what was on its way is on the disk."""
        self._service.stopping.set()
        self.workers.ring()
        if self._server is not None:
            self._server.close()
        ended = self.workers.end(30)
        if self.crew.listener is not None:
            self.crew.listener.close()
        if ended:
            self.ledger.close()
        os.close(self._lock)

    def _take_in(self, beat: Callable[[], None]) -> float:
        """A slice of recovery, then what is new: a recording of now does not wait for those of years."""
        before = self._recovery.adopted
        more = self._policies.turn(beat) or self._recovery.turn(beat)
        if self._recovery.adopted - before + self._intake.turn(beat) + self._imports.turn(beat):
            self.workers.ring()
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
        self.workers.ring()
        return answer

    def status(self, _request: local.Request) -> local.Answer:
        """Everything a person asks first."""
        return status(
            self.settings, self.ledger, self._clock, self.crew, self.workers.failing.copy(), self._interrupted
        )

    def _eject(self, token: str) -> None:
        if self.crew.carrier is not None:
            self.crew.carrier.plugged.eject(token)

    def _refresh(self, _request: local.Request) -> local.Answer:
        return {"items": {poller.ris.name: poller.ask() for poller in self.crew.pollers}}


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
    return 1 if forward.workers.failed else 0
