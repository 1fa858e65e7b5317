"""One RIS's worker: tells it of each performed procedure step, in order, until it has taken both messages.

The N-CREATE goes as soon as the exam has a patient; the final N-SET when the exam is closed and each of its recordings
is wrapped, or held and so left out. A step that the RIS refuses is held; the others go on.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable

from pydicom.dataset import Dataset

from gateway import exam, places
from gateway.clock import Clock
from gateway.dicom.iods import BY_CLASS
from gateway.dicom.performed_step import PerformedSeries, create_dataset, final_dataset
from gateway.errors import GatewayError, Held
from gateway.model import Attributed, Exam
from gateway.settings import Ris, Settings
from gateway.spool import backoff, holding, steps
from gateway.spool.ledger import Ledger
from gateway.spool.states import Step
from gateway.transfer import peers, procedure_step
from gateway.transfer.outcomes import Outcome
from gateway.transfer.peers import Peer

log = logging.getLogger(__name__)
_IDLE = 5.0  # seconds
_RETRY_FIRST = 5.0
_RETRY_MOST = 600.0

Message = Callable[[Peer, str, Dataset], Outcome]


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

    def turn(self, beat: Callable[[], None] = lambda: None) -> float:
        """Send what is due; returns the seconds after which to look again."""
        if (left := self.pause.left()) > 0:
            return min(left, _IDLE)
        done = steps.done(self._ledger, self.ris.name)
        for path in sorted(self._here.exams.glob(f"*/{places.EXAM}")):
            if path.parent.name in done:
                continue
            beat()
            try:
                self._report(exam.load(self._here, path.parent.name))
            except GatewayError as error:
                log.debug("exam %s is not reported: %s", path.parent.name, error)
            if left := self.pause.left():
                return min(left, _IDLE)
        return _IDLE

    def _report(self, found: Exam) -> None:
        if found.attribution.how is Attributed.NOBODY:
            return
        row = steps.open_step(self._ledger, found.exam, self.ris.name, self._clock.wall())
        if row["held"] is not None or self._clock.wall() < row["next_try"] <= self._clock.wall() + _RETRY_MOST:
            return
        state = Step(row["state"])
        if state is Step.QUEUED:
            dataset = create_dataset(found, self._settings.box)
            if not self._send(self._create, "created", found, row, dataset):
                return
            row, state = steps.open_step(self._ledger, found.exam, self.ris.name, 0.0), Step.IN_PROGRESS
        if state is Step.IN_PROGRESS and found.closed is not None and self._complete(found.exam):
            self._send(self._finish, "finished", found, row, self._final(found))

    def _complete(self, exam_id: str) -> bool:
        """Whether every recording of the exam is wrapped or held, also those the intake has not met yet."""
        if steps.unsettled_acquisitions(self._ledger, exam_id):
            return False
        known = steps.known_acquisitions(self._ledger)
        folder = self._here.acquisitions
        names = [p.name for p in folder.iterdir() if p.name not in known] if folder.exists() else []
        for name in names:
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
        return final_dataset(found, series)

    def _send(self, message: Message, event: str, found: Exam, row: sqlite3.Row, dataset: Dataset) -> bool:
        peer, name = peers.ris(self._settings.box, self.ris), self.ris.name
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
            steps.hold_step(self._ledger, found.exam, name, outcome.words, now)
            log.error("the step of exam %s is held for %s: %s", found.exam, name, outcome.words)
            self.pause.worked()
        else:
            self._postpone(found.exam, row, outcome, now)
        self.answers = outcome.kind != "retry"
        self.words = "answers" if self.answers else outcome.words
        return outcome.good

    def _is_final_already(self, event: str, row: sqlite3.Row, outcome: Outcome) -> bool:
        """Whether "may no longer be changed" (0110H) answers a repetition: then our first N-SET had arrived."""
        repeated = row["attempts"] > 0 or row["code"] == "0111"
        return event == "finished" and outcome.code == "0110" and repeated

    def _postpone(self, exam_id: str, row: sqlite3.Row, outcome: Outcome, now: float) -> None:
        """A DIMSE status (four digits) concerns this step only; anything else the RIS as a whole."""
        until = now + backoff.wait(row["attempts"] + 1, _RETRY_FIRST, _RETRY_MOST)
        steps.postpone_step(self._ledger, exam_id, self.ris.name, until, outcome.words, now)
        if len(outcome.code) == 4 and outcome.code.isalnum():
            log.warning("exam %s: %s; tried again later", exam_id, outcome.words)
            return
        seconds = self.pause.failed()
        if self.words != outcome.words:
            log.warning(
                "%s: %s; tried again in %.0f s, then at longer intervals", self.ris.name, outcome.words, seconds
            )
