"""The hospital of the soak: RIS and PACS that take what comes, behind bad lines, in bad moods.

It says success only after it holds the data. Of the commitment it tells late, partly or never, or "no such instance" of
what it has; it never commits itself to what it has not.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydicom import Dataset

from gateway.trial.hospital import Hospital
from gateway.trial.reporting import Commitment, Reporter
from tests.soak.line import Line, Manners

OUT_OF_RESOURCES, PROCESSING_FAILURE, NO_SUCH_INSTANCE = 0xA700, 0x0110, 0x0112
TO_PACS, TO_RIS = Manners(), Manners(refuse=0.05, reject=0.03, cut=0.06, abort=0.03, away=0.02, cut_within=4000)


class FlakyHospital(Hospital):
    """``pacs_port`` and ``ris_port`` are where the box calls. ``doubled``: UIDs that came with different contents."""

    def __init__(self, folder: Path, items: Sequence[Dataset], seed: int) -> None:
        super().__init__(folder, items=items)
        self.peaceful = False
        self.hashes: dict[str, str] = {}
        self.doubled: set[str] = set()
        self.committed: set[str] = set()  # what it ever committed itself to keep
        self.busy = threading.Event()  # something has just come: a good moment for an accident
        self.faults = 0
        self._dice = random.Random(f"pacs {seed}")
        self._seed = seed
        self._reporters: list[Reporter] = []
        self._lines: list[Line] = []
        self._guard = threading.Lock()

    def start(self) -> FlakyHospital:
        super().start()
        self._lines = [Line(self.port, f"to pacs {self._seed}", TO_PACS), Line(self.port, f"ris {self._seed}", TO_RIS)]
        self.pacs_port, self.ris_port = (line.port for line in self._lines)
        return self

    def stop(self) -> None:
        for line in self._lines:
            line.close()
        for reporter in self._reporters:
            reporter._stopping.set()
        super().stop()

    def calm(self) -> None:
        """All faults end."""
        self.peaceful = True
        for line in self._lines:
            line.peaceful = True
        self.faults += sum(line.faults for line in self._lines)

    def store(self, event: Any) -> int:
        self.busy.set()
        mood = self._mood((OUT_OF_RESOURCES, 0.06), (PROCESSING_FAILURE, 0.05), ("cut", 0.06))
        if isinstance(mood, int):
            return mood
        uid = str(event.request.AffectedSOPInstanceUID)
        digest = hashlib.sha256(event.request.DataSet.getvalue()).hexdigest()
        with self._guard:
            if self.hashes.setdefault(uid, digest) != digest:
                self.doubled.add(uid)
        status = super().store(event)
        if mood == "cut":
            self._cut(event)
        return status

    def create_step(self, event: Any) -> tuple[int, Dataset | None]:
        return self._step(event, super().create_step)

    def set_step(self, event: Any) -> tuple[int | Dataset, Dataset | None]:
        return self._step(event, super().set_step)

    def commit(self, event: Any) -> tuple[int, Dataset | None]:
        self.busy.set()
        mood = self._mood((PROCESSING_FAILURE, 0.05), ("cut", 0.04))
        if isinstance(mood, int):
            return mood, None
        action = event.action_information
        asked = {str(i.ReferencedSOPInstanceUID): str(i.ReferencedSOPClassUID) for i in action.ReferencedSOPSequence}
        failed = {uid: (kind, reason) for uid, kind in asked.items() if (reason := self._judge(uid, kind))}
        committed = {uid: kind for uid, kind in asked.items() if uid not in failed}
        for uid in list(committed):
            match self._mood((NO_SUCH_INSTANCE, 0.05), (PROCESSING_FAILURE, 0.04), ("left out", 0.04)):
                case int(reason):
                    failed[uid] = (committed.pop(uid), reason)
                case "left out":
                    del committed[uid]
        self.committed |= committed.keys()
        how = self._mood(("same", 0.25), ("before", 0.1), ("never", 0.1)) or "new"
        delay = 0.0 if self.peaceful else self._dice.choice((0.0, 0.0, 0.1, 1.0, 3.0))
        reporter = Reporter(self.ae_title, self.callers, str(how), delay)
        self._reporters.append(reporter)
        reporter.take(event.assoc, Commitment(str(action.TransactionUID), committed, failed))
        if mood == "cut":
            self._cut(event)
        return 0, None

    def _step(self, event: Any, take: Any) -> Any:
        mood = self._mood((PROCESSING_FAILURE, 0.03), ("cut", 0.05))
        if isinstance(mood, int):
            return mood, None
        answer = take(event)
        if mood == "cut":
            self._cut(event)
        return answer

    def _mood(self, *faults: tuple[Any, float]) -> Any:
        """The fault of this moment, or None."""
        if self.peaceful:
            return None
        roll = self._dice.random()
        for fault, share in faults:
            if (roll := roll - share) < 0:
                self.faults += 1
                return fault
        return None

    def _cut(self, event: Any) -> None:
        """It is done, but nobody will hear so."""
        with contextlib.suppress(AttributeError):
            for line in self._lines:
                line.cut(int(event.assoc.requestor.port))
