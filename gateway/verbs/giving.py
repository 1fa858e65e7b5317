"""Giving recordings to an exam: forward is asked until it answers, and what was another patient's is corrected."""

from __future__ import annotations

import time
from dataclasses import dataclass

from gateway import corrections, exam, local
from gateway.clock import Clock
from gateway.dicom import reasons
from gateway.errors import Held, Misuse, Retry
from gateway.model import Attributed, Exam
from gateway.places import FACTS
from gateway.settings import Settings
from gateway.verbs import tell
from gateway.verbs.identity import Identity

_INSIST = 30.0  # seconds; systemd starts forward again after five
_AGAIN = 0.5  # seconds


@dataclass(frozen=True, slots=True)
class Decision:
    """Whose it is, as the audit trail keeps it: who said so, and why.

    ``correct``: what has a patient already is meant, too.
    """

    who: str
    why: str = ""
    correct: bool = False


def attribute(settings: Settings, subject: str, named: Identity, decision: Decision) -> Exam:
    """Give a recording, or all of an exam, to a patient; returns the exam that it belongs to now.

    Raises Held, and gives nothing, for what has a patient already, unless the decision says that it is to be corrected.
    """
    here, clock = settings.places, Clock(settings.clock.trust)
    if not (here.acquisition(subject) / FACTS).exists():
        found = exam.load(here, subject)
        if found.attribution.how is not Attributed.NOBODY:
            return correct(settings, found, recordings(settings, found), named, decision)
        return exam.attribute(here, clock, subject, *named)
    # Asked first: an exam that is opened is told to the RIS, also if the recording turns out to be somebody's.
    shown = local.ask(here.socket("forward"), {"do": "queue-show", "instance": subject})
    if belongs := shown["acquisition"]["exam"]:
        return correct(settings, exam.load(here, belongs), [subject], named, decision)
    # A recording that was made outside any exam: what is attributed later is a step of its own, on no device.
    found = exam.open_exam(here, clock, (), *named)
    try:
        give(settings, "attribute", subject, found.exam, decision)
    except (Held, Misuse):
        exam.close_exam(here, clock, found.exam, "DISCONTINUED", reasons.UNSPECIFIED)
        raise
    return exam.close_exam(here, clock, found.exam)


def recordings(settings: Settings, found: Exam) -> list[str]:
    """All that belong to an exam: what forward knows of, and what it has not met yet."""
    from gateway.acquire.recorder import of_exam  # noqa: PLC0415  it loads numpy, and few commands give anything

    told = local.ask(settings.places.socket("forward"), {"do": "exam", "exam": found.exam})
    known = {str(row["id"]) for row in told["acquisitions"]}
    fresh = {facts.acquisition for facts in of_exam(settings.places, found.exam)}
    there = [name for name in fresh - known if _unknown(settings, name)]
    return sorted(known | set(there))


def _unknown(settings: Settings, name: str) -> bool:
    """Whether forward does not know the recording yet; what it knows as another exam's was given away before."""
    try:
        local.ask(settings.places.socket("forward"), {"do": "queue-show", "instance": name})
    except Misuse:
        return True
    return False


def correct(settings: Settings, wrong: Exam, those: list[str], named: Identity, decision: Decision) -> Exam:
    """Give recordings of one exam, which was another patient's, to an exam of ``named``; the same again goes on.

    The wrong exam ends as discontinued if nothing is left in it.
    """
    here, clock = settings.places, Clock(settings.clock.trust)
    if not decision.correct:
        what = "what belongs to somebody already is given to another only if you say so"
        raise Held(f"exam {wrong.exam} has a patient: {what}", "if that one is wrong: --correct --why TEXT")
    if wrong.closed is None:
        raise Held(f"exam {wrong.exam} is still open", f"end it first: gateway exam stop {wrong.exam}")
    if not those:
        raise Held(f"exam {wrong.exam} has no recording", "there is nothing to give to anybody")
    whole = set(those) == set(recordings(settings, wrong))
    target = corrections.correct(here, clock, wrong, *named, why=decision.why)
    given = False
    try:
        for recording in those:
            tell.note(f"{recording}: {give(settings, 'reattribute', recording, target.exam, decision)}")
            given = True
    except (Held, Misuse):
        if not given:
            exam.close_exam(here, clock, target.exam, "DISCONTINUED", reasons.UNSPECIFIED)
        raise
    if whole:
        chosen = wrong.attribution.how is Attributed.SCHEDULED
        corrections.discontinue(here, clock, wrong.exam, reasons.WRONG_ENTRY if chosen else reasons.UNSPECIFIED)
    return exam.close_exam(here, clock, target.exam)


def give(settings: Settings, do: str, recording: str, exam_id: str, decision: Decision) -> str:
    """Have forward "attribute" or "reattribute" a recording; returns its words.

    It is asked until it answers: one that was stopped in the middle may have taken it, and says so when asked again.
    Raises Retry if nobody knows in the end; the exam is left open then, for its RIS must not hear that it was empty.
    """
    order = {"do": do, "instance": recording, "to": exam_id, "who": decision.who, "why": decision.why}
    deadline = time.monotonic() + _INSIST
    while True:
        try:
            return str(local.ask(settings.places.socket("forward"), order, timeout=600)["words"])
        except Retry as error:
            if time.monotonic() > deadline:
                fix = f"when it runs: gateway queue attribute {recording} --to {exam_id}; gateway exam stop {exam_id}"
                fix = fix if do == "attribute" else "when it runs: the same command again"
                raise Retry(f"{error.message}: whether exam {exam_id} has the recording is not known", fix) from error
        time.sleep(_AGAIN)
