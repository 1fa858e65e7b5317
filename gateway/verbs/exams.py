"""``gateway exam``: start, stop, list, show, attribute. The page uses the same two functions."""

from __future__ import annotations

import argparse
import getpass
from collections.abc import Sequence

from gateway import configuration, exam, local
from gateway.acquire.admission import captured
from gateway.clock import Clock
from gateway.dicom import reasons
from gateway.errors import Misuse, Retry
from gateway.model import Code, Exam, to_json
from gateway.settings import Settings
from gateway.step import ScheduledStep
from gateway.verbs import giving, identity, tell


def start_exam(
    settings: Settings,
    devices: tuple[str, ...],
    steps: str | Sequence[str] | None = None,
    patient: dict[str, str] | None = None,
    emergency: bool = False,
    operator: str = "",
    seen: dict[str, str] | None = None,
    ris: str | None = None,
) -> Exam:
    """Open an exam on ``devices`` for one patient. ``patient`` has the keys of identity.PATIENT_FIELDS.

    ``seen``: what the person saw of the step (patient_id, study_uid); another patient than that is refused.
    ``ris``: whose worklist the steps are on, where two have steps of the same ID.
    """
    for device in devices:
        settings.device(device)
    named = identity.identify(settings, steps, patient, emergency, seen, ris)
    return exam.open_exam(settings.places, Clock(settings.clock.trust), devices, *named, operator=operator)


def stop_exam(settings: Settings, exam_id: str, status: str = "COMPLETED", reason: Code | None = None) -> Exam:
    """Stop what its devices still record in it, then close the exam; one that is closed already stays as it is.

    ``reason``: why a DISCONTINUED one was broken off (CID 9300); if nobody says so, it is unspecified.

    A capture that is there and does not answer raises Retry, and the exam stays open: it may still be recording.
    """
    here = settings.places
    found = exam.load(here, exam_id)
    if found.closed is not None:
        return found
    _stop_devices(settings, found)
    why = (reason or reasons.UNSPECIFIED) if status == "DISCONTINUED" else None
    closed = exam.close_exam(here, Clock(settings.clock.trust), exam_id, status, why)
    _stop_devices(settings, found)  # a foot switch may have been quicker than the closing
    return closed


def _stop_devices(settings: Settings, found: Exam) -> None:
    for device in found.devices:
        order = {"do": "stop", "exam": found.exam}
        answer = local.ask_if_there(settings.places.socket(f"capture-{device}"), order)
        if answer is None and captured(settings.places, device):
            raise Retry(f"a command still records from device {device!r}", "end it first (Ctrl-C where it runs)")


def arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_subparsers(dest="what", required=True)
    start = what.add_parser("start", help="open an exam: what its devices record belongs to this patient")
    start.add_argument("devices", nargs="+", metavar="DEVICE")
    start.add_argument("--operator", default="")
    identity.arguments(start)
    stop = what.add_parser("stop", help="close an exam")
    stop.add_argument("exam", nargs="?", help="its id; may be left out when just one is open")
    stop.add_argument("--discontinued", action="store_true", help="it was broken off")
    stop.add_argument("--reason", choices=reasons.TABLE, help="why it was broken off; says --discontinued too")
    what.add_parser("list", help="all exams, the newest last")
    show = what.add_parser("show", help="one exam, whole")
    attribute = what.add_parser("attribute", help="give a recording (or exam) to a patient, or (--correct) to another")
    show.add_argument("exam")
    attribute.add_argument("exam", metavar="RECORDING|EXAM", help="its id, as gateway queue list or exam list shows it")
    attribute.add_argument("--correct", action="store_true", help="it had been given to the wrong patient")
    attribute.add_argument("--why", default="", metavar="TEXT", help="for the audit trail")
    identity.arguments(attribute)
    for each in what.choices.values():
        each.add_argument("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    settings = configuration.load(args.config, adapters=False)
    return _WHAT[args.what](settings, args)


def _start(settings: Settings, args: argparse.Namespace) -> int:
    for device in args.devices:
        settings.device(device)
    named = identity.from_arguments(settings, args) or identity.identify(settings)
    clock = Clock(settings.clock.trust)
    return _say(exam.open_exam(settings.places, clock, tuple(args.devices), *named, operator=args.operator), args.json)


def _stop(settings: Settings, args: argparse.Namespace) -> int:
    why = reasons.reason(args.reason) if args.reason else None
    status = "DISCONTINUED" if args.discontinued or why else "COMPLETED"
    return _say(stop_exam(settings, args.exam or _only_open(settings), status, why), args.json)


def _only_open(settings: Settings) -> str:
    still = exam.still_open(settings.places)
    if len(still) != 1:
        raise Misuse(f"{len(still)} exams are open", "name one: gateway exam list")
    return still[0].exam


def _attribute(settings: Settings, args: argparse.Namespace) -> int:
    named = identity.from_arguments(settings, args) or identity.identify(settings)
    decision = giving.Decision(getpass.getuser(), args.why, args.correct)
    return _say(giving.attribute(settings, args.exam, named, decision), args.json)


def _list(settings: Settings, args: argparse.Namespace) -> int:
    found = exam.exams(settings.places)
    for damaged in exam.damaged(settings.places).values():
        tell.note(f"not listed: {damaged}")
    if args.json:
        tell.as_json({"exams": [to_json(e) for e in found]})
        return 0
    rows = [(e.exam, tell.when(e.opened.wall), _state(e), ",".join(e.devices), _whose(e)) for e in found]
    tell.table(("EXAM", "OPENED", "STATE", "DEVICES", "PATIENT"), rows)
    return 0


def _show(settings: Settings, args: argparse.Namespace) -> int:
    return _say(exam.load(settings.places, args.exam), args.json)


def _say(found: Exam, as_json: bool) -> int:
    if as_json:
        tell.as_json(to_json(found))
    else:
        print(f"exam {found.exam}: {_state(found)}, {', '.join(found.devices)}, {_whose(found)}")
    return 0


def _state(found: Exam) -> str:
    if found.closed:
        return found.closed.status
    return "interrupted" if exam.interrupted(found) else "open"


def _whose(found: Exam) -> str:
    patient = ScheduledStep(found.attribution.item)
    return f"{patient.patient_name} [{patient.patient_id}]" if patient.patient_id else "nobody yet"


_WHAT = {"start": _start, "stop": _stop, "list": _list, "show": _show, "attribute": _attribute}
