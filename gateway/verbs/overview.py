"""What the box is doing, gathered from its processes and folders: the one answer behind page and ``status.json``.

The console opens no database. It asks forward and each capture over their local sockets, reads the exams and the
cached worklists, and says in words what does not answer. No patient's name stands in an overview; the worklist,
which is made of them, is gathered apart.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gateway import exam, local
from gateway.errors import GatewayError, Retry
from gateway.model import Exam
from gateway.settings import Settings
from gateway.step import ScheduledStep
from gateway.worklists import Worklist, cached_worklists, choices

PATIENCE = 2.0  # seconds that one process has to answer
LAST_EXAMS = 20
STALE_POLLS = 5  # a worklist that missed so many polls is worth a word


class Light(StrEnum):
    """How the box is: ordered from good to bad."""

    WELL = "well"
    LOOK = "look"  # it works, but a person should look at something
    FAILED = "failed"  # something does not work


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be, and what to do about it."""

    light: Light
    words: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class DeviceState:
    """One configured device. ``answer`` is what its capture said; None if none runs."""

    name: str
    adapter: str
    answer: dict[str, Any] | None

    @property
    def recording(self) -> bool:
        return bool(self.answer and self.answer.get("recording"))

    @property
    def problem(self) -> str:
        return str((self.answer or {}).get("problem") or "")


@dataclass(frozen=True, slots=True)
class ExamLine:
    """An exam without its patient."""

    exam: str
    opened: float  # wall clock
    state: str  # open, interrupted (by a restart), COMPLETED, DISCONTINUED
    how: str  # how it came to its patient
    devices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything but patients. ``forward`` is that process's own status answer."""

    findings: tuple[Finding, ...]
    devices: tuple[DeviceState, ...]
    exams: tuple[ExamLine, ...]
    forward: dict[str, Any] | None
    at: float

    @property
    def light(self) -> Light:
        order = list(Light)
        return max((f.light for f in self.findings), key=order.index, default=Light.WELL)

    @property
    def words(self) -> str:
        if not self.findings:
            return "All is well"
        worst = next(f for f in self.findings if f.light is self.light)
        more = len(self.findings) - 1
        return worst.words + (f" (and {more} more)" if more else "")

    def as_json(self) -> dict[str, Any]:
        """The object of ``status.json``."""
        data = dataclasses.asdict(self)
        return {"light": self.light.value, "words": self.words, **data}


@dataclass(frozen=True, slots=True)
class Patients:
    """The worklist as a person chooses from it, and why it may be incomplete."""

    steps: tuple[tuple[str, ScheduledStep], ...]  # (name of the RIS, step), by scheduled start
    fetched: dict[str, float]  # wall clock of each RIS's last answer
    problem: str = ""


@dataclass(frozen=True, slots=True)
class HeldRecording:
    """A recording that waits for a person, and why; no patient stands in the words."""

    recording: str
    device: str
    words: str


def held_recordings(settings: Settings) -> tuple[HeldRecording, ...]:
    """What forward holds, the oldest first; none if it does not answer, which the overview says."""
    try:
        answer = local.ask_if_there(settings.places.socket("forward"), {"do": "queue"}, PATIENCE)
    except GatewayError:
        return ()
    rows = (answer or {}).get("acquisitions", [])
    return tuple(HeldRecording(r["id"], r["device"], r["held"]) for r in rows if r["held"])


def overview(settings: Settings, now: float | None = None) -> Overview:
    """Ask everybody; takes at most about PATIENCE seconds for each process that hangs."""
    at = time.time() if now is None else now
    devices = tuple(DeviceState(d.name, d.adapter, _ask(settings, f"capture-{d.name}")) for d in settings.devices)
    forward = _ask(settings, "forward")
    exams, damaged = _exams(settings)
    lists = worklist(settings)
    findings = (*_of_forward(forward), *_of_devices(devices), *damaged, *_of_worklist(settings, lists, at))
    return Overview(findings, devices, exams, forward, at)


def worklist(settings: Settings) -> Patients:
    """The scheduled procedure steps of all RIS, from the cache."""
    found: list[Worklist] = []
    problem = ""
    try:
        found.extend(cached_worklists(settings.places.worklist))
    except GatewayError as error:
        problem = str(error)
    steps = sorted(((s.source, s) for s in choices(found, time.time())), key=lambda pair: pair[1].start)
    return Patients(tuple(steps), {w.source: w.fetched for w in found if not w.asked}, problem)


def _ask(settings: Settings, process: str) -> dict[str, Any] | None:
    try:
        return local.ask_if_there(settings.places.socket(process), {"do": "status"}, PATIENCE)
    except GatewayError as error:
        silent = isinstance(error, Retry)
        return {"well": False, "words": str(error), "problem": error.message, "fix": error.fix, "silent": silent}


def _of_forward(answer: dict[str, Any] | None) -> Iterator[Finding]:
    if answer is None:
        yield Finding(
            Light.FAILED,
            "The process that sends and keeps recordings (forward) is not running",
            "systemctl restart forward, then: journalctl -u forward",
        )
    elif not answer.get("well", True):
        troubles = answer.get("troubles") or [answer.get("words") or "forward reports a problem"]  # with what to do
        yield from (Finding(_light(answer), str(words)) for words in dict.fromkeys(troubles))


def _of_devices(devices: Iterable[DeviceState]) -> Iterator[Finding]:
    for device in devices:
        if device.answer is None:
            yield Finding(
                Light.FAILED,
                f"No capture process runs for device {device.name}: nothing from it would be recorded",
                f"systemctl enable --now capture@{device.name}, then: journalctl -u capture@{device.name}",
            )
        elif device.problem:
            fix = str(device.answer.get("fix") or "")
            if file := device.answer.get("file"):  # beside the words: they go to the journal, and it may name a patient
                fix = f"it is {file}; {fix}"
            yield Finding(_light(device.answer), f"Device {device.name}: {device.problem}", fix)
        elif (name := device.answer.get("acquisition")) and device.answer.get("exam") is None:
            words = f"Device {device.name} is recording, and nobody has said of whom: it will be held until then"
            yield Finding(Light.LOOK, words, f"when it has ended: gateway exam attribute {name} --step SPS_ID")


def _light(answer: dict[str, Any]) -> Light:
    """A process that is there and does not answer does not work."""
    return Light.FAILED if answer.get("silent") else Light.LOOK


def _of_worklist(settings: Settings, lists: Patients, at: float) -> Iterator[Finding]:
    if lists.problem:
        yield Finding(Light.LOOK, lists.problem)
    for ris in settings.ris:
        if not ris.worklist:
            continue
        fetched = lists.fetched.get(ris.name)
        if fetched is None:
            yield Finding(Light.LOOK, f"RIS {ris.name} has not given a worklist yet", f"gateway echo {ris.name}")
        elif at - fetched > STALE_POLLS * ris.poll:
            minutes = (at - fetched) / 60
            yield Finding(
                Light.LOOK,
                f"The worklist of RIS {ris.name} is {minutes:.0f} min old: it does not answer",
                f"gateway echo {ris.name}",
            )


def _exams(settings: Settings) -> tuple[tuple[ExamLine, ...], list[Finding]]:
    """The last exams, newest first, and what is wrong with any."""
    readable = exam.exams(settings.places)
    findings = [Finding(Light.LOOK, error.message, error.fix) for error in exam.damaged(settings.places).values()]
    findings += [
        Finding(Light.LOOK, f"Exam {e.exam} was interrupted by a restart of the box", f"gateway exam stop {e.exam}")
        for e in readable
        if exam.interrupted(e)
    ]
    findings += [
        Finding(
            Light.LOOK,
            f"The RIS changed {' and '.join(what)} of the step of exam {e.exam}: what is recorded in it is held",
            f"gateway exam stop {e.exam}, and choose anew; then: gateway queue list",
        )
        for e in readable
        if e.closed is None and (what := exam.changed(settings.places, e.exam))
    ]
    return tuple(_line(e) for e in reversed(readable[-LAST_EXAMS:])), findings


def _line(found: Exam) -> ExamLine:
    state = found.closed.status if found.closed else "interrupted" if exam.interrupted(found) else "open"
    return ExamLine(found.exam, found.opened.wall, state, found.attribution.how.value, found.devices)
