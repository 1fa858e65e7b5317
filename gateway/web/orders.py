"""What a person at the page may order: start and end an exam, look up a bar code, say whose a recording is.

Each calls what the command line calls. Whoever chose from a list that may be old sends what they saw with it; and what
is given away is asked about first, in words that name everybody concerned: only who repeats the answer is obeyed.
"""

from __future__ import annotations

import threading
from typing import Any

from gateway import exam, local
from gateway.errors import Misuse
from gateway.model import Attributed, Exam
from gateway.places import FACTS
from gateway.settings import Settings
from gateway.step import ScheduledStep
from gateway.verbs import giving, identity
from gateway.verbs.exams import start_exam, stop_exam
from gateway.web import html

WHO = "a person at the page"
_SEEN = ("patient_id", "study_uid")
_START = {"step", "steps", "ris", "devices", "emergency", "operator", *_SEEN}
_STOP = {"exam", "discontinued"}
_GIVE = {"subject", "steps", "ris", "why", "confirmed", *_SEEN}
_LONGEST = 64
_MOST = 16  # steps of one exam

Given = dict[str, Any]
_one_at_a_time = threading.Lock()  # whose it is may not change between a person's answer and the giving


def start(settings: Settings, given: Given) -> Given:
    only(given, _START)
    devices = given.get("devices")
    if not isinstance(devices, list) or not all(isinstance(d, str) for d in devices):
        raise Misuse("'devices' must be a list of device names")
    if not devices:
        raise Misuse("no device is chosen", "choose what it is recorded with")
    if len(set(devices)) < len(devices):
        raise Misuse("'devices' names a device twice")
    steps, emergency = _steps(given), given.get("emergency", False)
    if not isinstance(emergency, bool) or bool(steps) is emergency:
        raise Misuse("whose exam is it?", "choose a step of the worklist, or emergency")
    operator, seen = _text(given, "operator"), _seen(given)
    if seen and not steps:
        raise Misuse("'patient_id' and 'study_uid' must be texts and belong to a 'step'")
    ris = _text(given, "ris") or None
    return _exam(start_exam(settings, tuple(devices), steps, None, emergency, operator, seen, ris))


def stop(settings: Settings, given: Given) -> Given:
    only(given, _STOP)
    name, discontinued = given.get("exam"), given.get("discontinued", False)
    if not isinstance(name, str) or not isinstance(discontinued, bool):
        raise Misuse("'exam' must be the id of an exam, 'discontinued' true or false")
    return _exam(stop_exam(settings, name, "DISCONTINUED" if discontinued else "COMPLETED"))


def scan(settings: Settings, given: Given) -> Given:
    """The one step that a scanned text fits. Raises Held, in words, if it is none or several."""
    only(given, {"barcode"})
    if not (barcode := _text(given, "barcode").strip()):
        raise Misuse("'barcode' must be what the scanner read")
    named = identity.scanned(settings.places, barcode)
    step = ScheduledStep(named.item, named.source)
    shown = ("step_id", "patient_id", "study_uid", "patient_name")
    return {"ris": named.source} | {name: getattr(step, name) for name in shown}


def give(settings: Settings, given: Given) -> Given:
    """Give a recording, or an exam, to the patient of ``steps``. Without ``confirmed`` it is only asked about."""
    only(given, _GIVE)
    subject, steps, why = _text(given, "subject"), _steps(given), _text(given, "why")
    if not subject:
        raise Misuse("'subject' must be a recording or an exam")
    if not steps:
        raise Misuse("nobody is chosen", "choose a step of the worklist first")
    named = identity.identify(settings, steps, seen=_seen(given), ris=_text(given, "ris") or None)
    with _one_at_a_time:
        return _give(settings, given, subject, named, why)


def _give(settings: Settings, given: Given, subject: str, named: identity.Identity, why: str) -> Given:
    whose, to = _whose(settings, subject), ScheduledStep(named.item)
    answer = {"to": to.patient_id, "from": whose.patient_id if whose else ""}
    if given.get("confirmed") != answer:
        return {"question": _question(subject, whose, to), "correct": whose is not None, "confirm": answer}
    if whose is not None and not why:
        raise Misuse("why is it corrected?", "say it in a few words: they stand in the audit trail")
    made = giving.attribute(settings, subject, named, giving.Decision(WHO, why, correct=whose is not None))
    return {"words": f"{subject} belongs to exam {made.exam} now"} | _exam(made)


def _whose(settings: Settings, subject: str) -> ScheduledStep | None:
    """Whose a recording or an exam is now; None: nobody's."""
    here = settings.places
    if (here.acquisition(subject) / FACTS).exists():
        shown = local.ask(here.socket("forward"), {"do": "queue-show", "instance": subject})
        subject = str(shown["acquisition"]["exam"] or "")
    if not subject:
        return None
    found = exam.load(here, subject)
    return None if found.attribution.how is Attributed.NOBODY else ScheduledStep(found.attribution.item)


def _question(subject: str, whose: ScheduledStep | None, to: ScheduledStep) -> str:
    if whose is None:
        return f"Recording {subject} is nobody's yet. Is it of {_patient(to)}?"
    now, then = _patient(whose), _patient(to)
    return f"What was recorded in {subject} was given to {now}. Take it from there, and give it to {then}?"


def _patient(step: ScheduledStep) -> str:
    born = f", born {html.date(step.birth_date)}" if step.birth_date else ""
    return f"{html.person(step.patient_name)} (ID {step.patient_id}{born})"


def _steps(given: Given) -> list[str]:
    """The Scheduled Procedure Step IDs: ``steps``, or a single ``step``."""
    steps = given.get("steps", [given["step"]] if given.get("step") is not None else [])
    if not isinstance(steps, list) or len(steps) > _MOST or not all(isinstance(s, str) and s for s in steps):
        raise Misuse("whose exam is it?", "'step' is the ID of a step, 'steps' a list of them")
    return steps


def _seen(given: Given) -> dict[str, str]:
    seen = {name: given[name] for name in _SEEN if name in given}
    if not all(isinstance(value, str) for value in seen.values()):
        raise Misuse("'patient_id' and 'study_uid' must be texts and belong to a 'step'")
    return seen


def _text(given: Given, name: str) -> str:
    value = given.get(name, "")
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise Misuse(f"{name!r} must be a text of at most {_LONGEST} characters")
    return value


def only(given: Given, known: set[str]) -> None:
    if unknown := set(given) - known:
        raise Misuse(f"unknown key {sorted(unknown)[0]!r}", "known: " + ", ".join(sorted(known)))


def _exam(found: Exam) -> Given:
    state = found.closed.status if found.closed else "open"
    return {"exam": found.exam, "state": state, "devices": list(found.devices), "study_uid": found.study_uid}
