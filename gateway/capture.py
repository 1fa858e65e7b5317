"""The capture process: one device, from its line to the disk. ``gateway capture DEVICE``, one unit per device.

It knows nothing of DICOM, the spool or the network (a test holds it), so none of them can stop a recording.
Others ask it over the local socket ``capture-DEVICE``::

    {"do": "status"}                                     what it does, how far it is durable, what is wrong
    {"do": "start", "exam": id|null, "seconds": N|null}  -> {"acquisition": id} as soon as the device streams; of an
          and "takes": "still"|"clip"|null                  image source {"taken": true} as well if that was one still
    {"do": "trigger", "takes": as above}                 what a foot switch does: start, or stop what runs
    {"do": "stop", "exam": id|null}                      -> the counts of what was kept; another exam's goes on
    {"do": "live"}                                       the last seconds, thinned out

:func:`record` does the same in-process, for a command that finds no running capture.
"""

from __future__ import annotations

import argparse
import logging
import threading
from collections.abc import Callable

from gateway import configuration, exam, local
from gateway.acquire import standing
from gateway.acquire.adapter import Folder, adapter_named
from gateway.acquire.admission import admit, only_capture
from gateway.acquire.attend import attend
from gateway.acquire.attendant import Kept
from gateway.acquire.collecting import Collecting
from gateway.acquire.idle import close_if_idle
from gateway.acquire.orders import Order, Orders
from gateway.acquire.pedal import Pedal
from gateway.acquire.plan import Plan
from gateway.acquire.reporting import report
from gateway.acquire.session import TAKEN
from gateway.acquire.shutter import CLIP, still
from gateway.acquire.standing import PROCESS_STOPPED, Standing
from gateway.acquire.whose import device_exam, named_exam
from gateway.clock import Clock
from gateway.errors import Fatal, GatewayError, Held, Misuse, Retry
from gateway.local import Answer, Request
from gateway.service import Heart, Service
from gateway.settings import Settings

log = logging.getLogger(__name__)
_IDLE_LOOK = 10.0  # seconds between two looks at idle exams
_PATIENCE = (
    90.0  # seconds; longer than a bad SD card holds up a sync: the line is read meanwhile, killing would lose it
)


def record(
    settings: Settings,
    device: str,
    exam_id: str | None,
    seconds: float | None,
    progress: Callable[[float], None],
    stopping: threading.Event | None = None,
    takes: str | None = None,
) -> str:
    """Record from ``device`` in this process and return the acquisition's id once it is kept.

    ``seconds`` None records until ``stopping`` is set or Ctrl-C. ``progress`` gets the seconds recorded so far.
    Raises Retry if the device cannot be reached, Held if there is no room, Fatal if a capture runs for it.
    """
    clock = Clock(settings.clock.trust)
    if isinstance(adapter_named(settings.device(device).adapter).transport, Folder):
        raise Misuse(
            f"device {device!r} is not started: it takes files from {settings.device(device).folder}",
            f"start its capture process (systemctl start capture@{device}), and an exam: gateway exam start",
        )
    admit(settings.places, settings.spool.reserve)
    with only_capture(settings.places, device):
        attendant = attend(settings, device, lambda: named_exam(settings.places, device, exam_id))
        try:
            attendant.start(seconds, still(attendant.shutter, takes))
            plan = Plan(attendant, seconds, clock.monotonic())
            while attendant.kept is None and not (stopping is not None and stopping.is_set()):
                attendant.turn()
                if (failed := plan.look(clock.monotonic())) is not None:
                    raise failed
                if isinstance(attendant.problem, Held):
                    raise attendant.problem
                progress(attendant.session.seconds)
        except KeyboardInterrupt:
            if seconds is not None:
                raise
        finally:
            attendant.close("stopped by hand")
    if attendant.kept is None:
        raise Retry(f"device {device!r} recorded nothing", "it was stopped before the device began")
    return attendant.kept.facts.acquisition


class Capture:
    """The process around one attendant. Only :meth:`attend` touches the attendant, in its own thread."""

    def __init__(self, settings: Settings, device: str) -> None:
        self._settings = settings
        self._clock = Clock(settings.clock.trust)
        self._device = settings.device(device)
        self._orders = Orders()
        self._attendant = attend(settings, device, self._whose)
        self._exam: str | None = None  # of the recording that was asked for
        self._plan: Plan | None = None
        self._waiting: Order | None = None  # the start order whose device has not begun yet
        self._looked = 0.0
        self._status: Answer = {}
        self.failure: BaseException | None = None
        self._tell()

    def handlers(self) -> dict[str, Callable[[Request], Answer]]:
        return {
            "status": lambda _request: self._status,
            "live": lambda _request: self._attendant.live.view(),
            "start": self._on_start,
            "trigger": self.trigger,
            "stop": lambda request: self._orders.ask(Order("stop", request.get("exam"))),
        }

    @property
    def recording(self) -> bool:
        """Whether something is recorded, or is about to be."""
        return bool(self._status["recording"])

    def attend(self, service: Service, heart: Heart) -> None:
        """The device's thread, until the process is stopping."""
        try:
            self._resume()
            while not service.stopping.is_set():
                self._serve_order()
                self._attendant.turn()
                self._look_around()
                heart.beat()
            self._attendant.close(PROCESS_STOPPED)
        except BaseException as error:  # the main thread ends the process with it
            self.failure = error
            service.stopping.set()
        finally:
            heart.end()

    def _on_start(self, request: Request) -> Answer:
        """Check an order in the asker's own thread, then hand it over."""
        named, seconds, takes = request.get("exam"), request.get("seconds"), request.get("takes")
        if named is not None:
            found = exam.load(self._settings.places, str(named))
            if found.closed is not None:
                raise Held(f"exam {named} is closed", "start a new exam: what comes later is a step of its own")
            if self._device.name not in found.devices:
                raise Misuse(f"device {self._device.name!r} is not in exam {named}", "start an exam that names it")
        admit(self._settings.places, self._settings.spool.reserve)
        seconds = None if seconds is None else float(seconds)
        return self._orders.ask(Order("start", named, seconds, still(self._attendant.shutter, takes)))

    def trigger(self, request: Request) -> Answer:
        """End what runs; else begin, in the exam that the device is in. The answer names it: None is nobody's."""
        whose = device_exam(self._settings.places, self._clock, self._device)
        order = Order("trigger", whose, still=still(self._attendant.shutter, request.get("takes")))
        return {"exam": whose, "stopped": False} | self._orders.ask(order)

    def pressed(self, key: int) -> None:
        """A key of the foot switch."""
        shutter = self._attendant.shutter
        if shutter is not None and shutter.clip_key and key == shutter.clip_key:
            self.trigger({"takes": CLIP})
        elif self._device.trigger_key in (0, key):
            self.trigger({})

    def _serve_order(self) -> None:
        if (order := self._orders.next()) is None:
            return
        session = self._attendant.session
        begins = order.do == "start" or (order.do == "trigger" and not session.wanted and not session.recording)
        try:
            if begins:
                self._start(order)
            elif order.do == "trigger" or order.exam is None or order.exam == self._runs_for():
                standing.forget(self._settings.places, self._device.name)  # before END: what was stopped must not go on
                self._attendant.stop("stopped by a person")
                order.settle(_counts(self._attendant.kept) | {"stopped": True})
            else:
                order.settle(_counts(None))
        except GatewayError as refused:
            order.settle(refused=refused)
            if isinstance(refused, Fatal):
                raise
        self._tell()

    def _start(self, order: Order) -> None:
        if self._plan is not None and self._plan.unattended and not self._attendant.session.recording:
            self._attendant.stop("a person begins anew")  # its device never came back
        self._begin(Standing(self._device.name, order.exam, order.seconds, self._clock.now()), order.still)
        self._waiting = order

    def _begin(self, order: Standing, one: bool = False, patience: float | None = None) -> None:
        """The order stands on the disk before the device hears of it; not that for one still: later is another one."""
        self._attendant.refuse_second()
        if not one:
            standing.keep(self._settings.places, order)
        before, self._exam = self._exam, order.exam  # the device may begin before start() returns
        try:
            self._attendant.start(order.seconds, one)
        except GatewayError:
            self._exam = before
            raise
        now = self._clock.now()
        seconds = order.seconds if patience is None else standing.left(order, now)
        self._plan = Plan(self._attendant, seconds, now.monotonic, patience)

    def _resume(self) -> None:
        """Go on with what was being recorded when this process, or the whole box, went down."""
        here, away = self._settings.places, self._attendant.away
        if (order := standing.resumed(here, self._device.name, self._clock.now(), away)) is None:
            return
        try:
            self._begin(order, patience=away)
        except Held as refused:
            log.error("%s: the recording does not go on: %s", self._device.name, refused)

    def _runs_for(self) -> str | None:
        """The exam of the recording that runs or is about to begin; None if it is nobody's, or there is none."""
        facts = self._attendant.recorder.facts
        return facts.exam if facts is not None else self._exam

    def _look_around(self) -> None:
        """After each turn: answer who waits, end what is over, close idle exams, renew the status."""
        now = self._clock.monotonic()
        failed = self._plan.look(now) if self._plan is not None else None
        session, problem = self._attendant.session, self._attendant.problem
        if self._waiting is not None:
            if (facts := self._attendant.recorder.facts) is not None:
                self._waiting.settle({"acquisition": facts.acquisition})
            elif (kept := self._attendant.kept) is not None:  # a still begins and ends within one turn
                self._waiting.settle({"acquisition": kept.facts.acquisition, "taken": kept.reason == TAKEN})
            elif failed is not None or isinstance(problem, Held) or not session.wanted:
                self._waiting.settle(refused=failed or problem or Held("the recording was stopped before it began"))
            self._waiting = None if self._waiting.done.is_set() else self._waiting
        if not session.wanted and not session.recording:
            self._plan, self._exam = None, None
            standing.forget(self._settings.places, self._device.name)
            if now - self._looked > _IDLE_LOOK:
                self._looked = now
                self._close_idle()
        self._tell()

    def _close_idle(self) -> None:
        try:
            close_if_idle(self._settings.places, self._clock, self._device)
        except (GatewayError, OSError) as error:
            log.warning("%s: idle exams cannot be closed: %s", self._device.name, error)

    def _whose(self) -> str | None:
        if self._exam is not None:
            return named_exam(self._settings.places, self._device.name, self._exam)
        return device_exam(self._settings.places, self._clock, self._device)

    def _tell(self) -> None:
        """Renew the answer to ``status``; replaced as a whole, so any thread may read it."""
        self._status = report(self._attendant)


def _process(settings: Settings, device: str) -> Capture | Collecting:
    adapter = adapter_named(settings.device(device).adapter)
    if isinstance(adapter.transport, Folder):
        return Collecting(settings, device, adapter, adapter.decoder(settings.options[device]))
    return Capture(settings, device)


def _counts(kept: Kept | None) -> Answer:
    if kept is None:
        return {"acquisition": None}
    counts = {"samples": kept.samples, "missing": kept.missing, "gaps": kept.gaps}
    return {"acquisition": kept.facts.acquisition, "reason": kept.reason, **counts}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("device", metavar="DEVICE", help="name of the device in the configuration")


def run(args: argparse.Namespace) -> int:
    """The process, until SIGTERM or Ctrl-C; what runs then is closed with END."""
    settings = configuration.load(args.config)
    device = settings.device(args.device).name
    with only_capture(settings.places, device):
        service = Service(f"capture-{device}")
        capture = _process(settings, device)
        server = local.Server(settings.places.socket(f"capture-{device}"), capture.handlers())
        thread = threading.Thread(target=capture.attend, args=(service, service.heart(device, _PATIENCE)), name=device)
        thread.start()
        if (trigger := settings.device(device).trigger) and isinstance(capture, Capture):
            Pedal(trigger, capture.pressed, service.stopping).start()
        service.idle = lambda: not capture.recording
        service.ready(f"attends {device}")
        service.run()
        thread.join()
        server.close()
        service.close()
    if capture.failure is not None:
        raise capture.failure
    return 0
