"""One RIS's worker: tells it of each performed procedure step, in order, until it has taken both messages.

The N-CREATE goes as soon as the exam has a patient; the final N-SET when the exam is closed and each of its recordings
is wrapped, or held and so left out. A step that the RIS refuses is held; the others go on.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Sequence

from pydicom.dataset import Dataset

from gateway import exam, places
from gateway.clock import Clock
from gateway.dicom.iods import BY_CLASS, TABLE
from gateway.dicom.performed_step import PerformedSeries, create_dataset, final_dataset, modality
from gateway.errors import Fatal, GatewayError, Held, Misuse, Retry
from gateway.model import Attributed, Exam
from gateway.settings import Ris, Settings
from gateway.spool import backoff, dating, holding, steps
from gateway.spool.ledger import Ledger
from gateway.spool.rewrap import FROM
from gateway.spool.states import Step
from gateway.spool.watched import Watched, names
from gateway.transfer.calling import peers
from gateway.transfer.calling.outcomes import STEP_IS_FINAL, Outcome
from gateway.transfer.calling.peers import Peer
from gateway.transfer.ris import procedure_step

log = logging.getLogger(__name__)
_IDLE = 1.0  # seconds; looking is cheap: only exams that are not done are read
_RETRY_FIRST = 5.0
_RETRY_MOST = 600.0
_ON_ITS_WAY = "sent"  # noted as the step's code before the N-SET goes: after a crash, it may have arrived
_THERE_ALREADY = "0111"  # what the N-CREATE was answered if an earlier one had arrived

Message = Callable[[Peer, str, Dataset], Outcome]


def told(ris: Sequence[Ris], found: Exam) -> frozenset[str]:
    """Which RIS hear of an exam: the one that scheduled it and those that schedule nothing; if it takes no MPPS, all.

    Another RIS with a worklist of its own knows neither the step nor the study. An unscheduled exam is told to all.
    """
    taking = {one.name: one for one in ris if one.mpps}
    if found.attribution.source not in taking:
        return frozenset(taking)
    return frozenset(n for n, one in taking.items() if n == found.attribution.source or not one.worklist)


class StepReporter:
    """Owned by one thread, which calls :meth:`turn` again and again."""

    def __init__(
        self,
        settings: Settings,
        ris: Ris,
        ledger: Ledger,
        clock: Clock,
        create: Message = procedure_step.create,
        finish: Message = procedure_step.finish,
    ) -> None:
        self._settings = settings
        self._here = settings.places
        self.ris = ris
        self._ledger = ledger
        self._clock = clock
        self._create = create
        self._finish = finish
        self.pause = backoff.Pause(_RETRY_FIRST, _RETRY_MOST, clock.monotonic)
        self.words = "not tried yet"
        self.answers: bool | None = None
        self._watched = Watched(self._here.exams, steps.done(ledger, ris.name))
        self._said: dict[str, str] = {}  # why an exam cannot be read, said once
        self._waits_since: dict[str, float] = {}  # monotonic; for the clock

    def turn(self, beat: Callable[[], None] = lambda: None) -> float:
        """Send what is due; returns the seconds after which to look again."""
        if (left := self.pause.left()) > 0:
            return min(left, _IDLE)
        now = self._clock.wall()
        resting = steps.resting(self._ledger, self.ris.name, now, _RETRY_MOST)  # one question, however many they are
        for name in self._watched.names():
            beat()
            if name in resting:
                continue
            self._look_at(name)
            if left := self.pause.left():
                return min(left, _IDLE)
        return _IDLE

    def _look_at(self, name: str) -> None:
        """One exam; what goes wrong with it concerns no other."""
        if not self._here.exam(name).exists():
            return  # its folder comes first
        try:
            found = dating.dated(self._here, self._clock, exam.load(self._here, name))
        except (Held, Misuse, OSError) as error:
            if self._said.get(name) != str(error):
                log.warning("exam %s is not reported to %s: %s", name, self.ris.name, error)
            self._said[name] = str(error)
            return
        if found.attribution.how is Attributed.NOBODY or self._waits_for_clock(found):
            return
        if self.ris.name not in told(self._settings.ris, found):
            self._watched.done(name)
            return
        row = steps.open_step(self._ledger, name, self.ris.name, self._clock.wall())
        try:
            self._report(found, row)
        except (Retry, Fatal):
            raise
        except OSError as error:
            log.warning("exam %s cannot be reported to %s now (%s); tried again later", name, self.ris.name, error)
            self._later(name, row, str(error))
        except GatewayError as error:
            self._hold(name, str(error))
        except Exception as error:
            log.exception("exam %s: a defect of this program", name)
            self._hold(name, f"this program failed on it ({type(error).__name__}: {error}); report this")

    def _waits_for_clock(self, found: Exam) -> bool:
        """Whether an exam dated by an untrusted clock still has a while to wait for a better one."""
        if found.opened.trusted or self._clock.trusted():
            return False
        now = self._clock.monotonic()
        return now - self._waits_since.setdefault(found.exam, now) < self._settings.clock.wait

    def _report(self, found: Exam, row: sqlite3.Row) -> None:
        state = Step(row["state"])
        if state is Step.QUEUED:
            if not self._send(self._create, "created", found, row, self._created(found)):
                return
            row, state = steps.open_step(self._ledger, found.exam, self.ris.name, 0.0), Step.IN_PROGRESS
        if state is Step.IN_PROGRESS and found.closed is not None and self._complete(found.exam):
            self._send(self._finish, "finished", found, row, self._final(found))
        elif state is Step.DONE:
            self._watched.done(found.exam)

    def _hold(self, name: str, words: str) -> None:
        steps.hold_step(self._ledger, name, self.ris.name, words, self._clock.wall())
        log.error("the step of exam %s is held for %s: %s", name, self.ris.name, words)

    def _complete(self, exam_id: str) -> bool:
        """Whether every recording of the exam is wrapped or held, also those the intake has not met yet.

        What is held for want of an exam that is known by now is wrapped in a moment: it is waited for.
        What a refusal may have wrapped again waits for the destinations' word: the last message names what they hold.
        """
        if steps.unsettled_acquisitions(self._ledger, exam_id):
            return False
        for name in steps.held_acquisitions(self._ledger, exam_id):
            reason = holding.reason(self._here.acquisition(name))
            if reason is not None and reason.kind == holding.UNATTRIBUTED:
                return False
        again = [d.name for d in self._settings.devices if d.refused_class == "rewrap"]
        if again and steps.undecided(self._ledger, exam_id, TABLE[FROM].sop_class_uid, again):
            return False
        folder = self._here.acquisitions
        for name in steps.unknown_acquisitions(self._ledger, names(folder)):
            try:
                facts = holding.facts(folder / name)
            except Held:
                continue  # nobody can say whose it is: the intake holds it
            recorded = (folder / name / places.RECORDS).exists()
            if facts is not None and recorded and holding.exam_of(folder / name, facts) == exam_id:
                return False
        return True

    def _final(self, found: Exam) -> Dataset:
        series = [
            PerformedSeries(
                series_uid=row["series_uid"],
                protocol_name=row["protocol_name"] or BY_CLASS[row["class"]].label,
                description=row["series_description"],
                modality=row["modality"],
                instances=tuple(references),
            )
            for row, references in steps.series(self._ledger, self._settings.box.data, found.exam)
        ]
        return final_dataset(found, series, modality(found, self._settings))

    def _created(self, found: Exam) -> Dataset:
        return create_dataset(found, self._settings.box, modality(found, self._settings))

    def _send(self, message: Message, event: str, found: Exam, row: sqlite3.Row, dataset: Dataset) -> bool:
        peer, name = peers.ris(self._settings.box, self.ris), self.ris.name
        if event == "finished" and row["code"] not in (_ON_ITS_WAY, _THERE_ALREADY):
            steps.note_code(self._ledger, found.exam, name, _ON_ITS_WAY)
        try:
            outcome = message(peer, found.step_uid, dataset)
        except GatewayError as error:
            outcome = Outcome("hold" if isinstance(error, Held) else "retry", "", str(error))
        now = self._clock.wall()
        if outcome.good or self._is_final_already(event, row, outcome):
            steps.advance_step(self._ledger, found.exam, name, event, outcome.code, outcome.words, now)
            log.info("%s knows that exam %s is %s", name, found.exam, "open" if event == "created" else "finished")
            self.pause.worked()
        elif outcome.kind == "hold":
            if event == "finished":
                steps.note_code(self._ledger, found.exam, name, row["code"])  # answered: it has not arrived unheard
            self._hold(found.exam, outcome.words)
            self.pause.worked()
        else:
            self._postpone(found.exam, row, outcome)
        self.answers = outcome.kind != "retry"
        self.words = "answers" if self.answers else outcome.words
        return outcome.good

    def _is_final_already(self, event: str, row: sqlite3.Row, outcome: Outcome) -> bool:
        """Whether "may no longer be changed" answers a repetition: then our first N-SET had arrived."""
        repeated = row["attempts"] > 0 or row["code"] in (_ON_ITS_WAY, _THERE_ALREADY)
        return event == "finished" and outcome.code == f"{STEP_IS_FINAL:04X}" and repeated

    def _later(self, exam_id: str, row: sqlite3.Row, words: str) -> None:
        now = self._clock.wall()
        until = now + backoff.wait(row["attempts"] + 1, _RETRY_FIRST, _RETRY_MOST)
        steps.postpone_step(self._ledger, exam_id, self.ris.name, until, words, now)

    def _postpone(self, exam_id: str, row: sqlite3.Row, outcome: Outcome) -> None:
        """A DIMSE status (four digits) concerns this step only; anything else the RIS as a whole."""
        if len(outcome.code) == 4 and outcome.code.isalnum():
            self._later(exam_id, row, outcome.words)
            log.warning("exam %s: %s; tried again later", exam_id, outcome.words)
            return
        # The step itself rests no longer than its RIS: the oldest is told first when that answers again.
        steps.postpone_step(self._ledger, exam_id, self.ris.name, 0.0, outcome.words, self._clock.wall())
        seconds = self.pause.failed()
        if self.words != outcome.words:
            log.warning(
                "%s: %s; tried again in %.0f s, then at longer intervals", self.ris.name, outcome.words, seconds
            )
