"""What becomes of a scheduled step in the RIS while its exam runs.

A step that is **another's** by now (patient, study, accession number) puts in doubt whose the exam is: that is noted
beside the exam, and what is recorded from then on is held until a person has looked (:mod:`gateway.spool.doubts`).
What only **completes** the step, or words it otherwise, changes nothing: the header says what was chosen. A step that
**vanishes** is said once in the log: most RIS take it off the list when they hear that it began, and one that was
cancelled while the patient lies there is still that patient's exam.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from gateway import exam
from gateway.model import Attributed, Exam
from gateway.places import Places
from gateway.step import Item, ScheduledStep, value

log = logging.getLogger(__name__)

# By what a person chose the step, and what would give a recording to somebody or something else.
IDENTITY = {
    "Patient ID": "00100020",
    "Issuer of Patient ID": "00100021",
    "Patient's Name": "00100010",
    "Patient's Birth Date": "00100030",
    "Patient's Sex": "00100040",
    "Study Instance UID": "0020000D",
    "Accession Number": "00080050",
}


def differences(chosen: Item, now: Item) -> tuple[str, ...]:
    """Names of what is another by now. What was empty and is filled in, or is left out now, is no other."""
    pairs = {name: (value(chosen, tag).strip(), value(now, tag).strip()) for name, tag in IDENTITY.items()}
    return tuple(name for name, (before, after) in pairs.items() if before and after and before != after)


class StepChanges:
    """Compares each answer of one RIS with the exams that are open. Owned by its poller's thread."""

    def __init__(self, here: Places, ris: str) -> None:
        self._here = here
        self._ris = ris
        self._gone: set[tuple[str, str]] = set()  # (exam, step) of which the log says that they vanished

    def look(self, steps: Iterable[ScheduledStep], whole: bool, now: float) -> None:
        """``steps``: the RIS's answer, read one at a time; ``whole``: it has no more than these."""
        those = [one for one in exam.still_open(self._here) if self._of_this_ris(one)]
        wanted = {ScheduledStep(item).step_id for one in those for item in one.attribution.items} - {""}
        if not wanted:
            self._gone.clear()
            return
        found: dict[str, list[Item]] = {}
        for step in steps:
            if step.step_id in wanted:
                found.setdefault(step.step_id, []).append(step.item)
        for one in those:
            for item in one.attribution.items:
                self._compare(one, item, found.get(ScheduledStep(item).step_id), whole, now)

    def _of_this_ris(self, one: Exam) -> bool:
        return one.attribution.how is Attributed.SCHEDULED and one.attribution.source == self._ris

    def _compare(self, one: Exam, chosen: Item, there: list[Item] | None, whole: bool, now: float) -> None:
        step_id = ScheduledStep(chosen).step_id
        if there is None:
            if whole and step_id and (one.exam, step_id) not in self._gone:
                self._gone.add((one.exam, step_id))
                log.info("exam %s: %s has its step no longer on the worklist; the exam goes on", one.exam, self._ris)
            return
        what = min((differences(chosen, item) for item in there), key=len)
        if what and exam.note_change(self._here, one.exam, what, now):
            names = " and ".join(what)
            log.error(
                "exam %s: %s has changed %s of its step: what is recorded from now on is held; "
                "gateway exam stop %s, and choose anew",
                *(one.exam, self._ris, names, one.exam),
            )
