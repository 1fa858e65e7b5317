"""The hospital of the soak: RIS and PACS that take what comes, behind bad lines, in bad moods.

It says success only after it holds the data. Of the commitment it tells late, partly or never, or "no such instance" of
what it has; it never commits itself to what it has not. Before it takes an instance it looks what the spool has under
that name: the box may not have deleted it yet, and later it may.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
import threading
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydicom import Dataset

from gateway.trial.hospital import Hospital
from gateway.trial.reporting import Commitment, Reporter
from tests.soak.contents import of_data_set
from tests.soak.line import Line, Manners

OUT_OF_RESOURCES, PROCESSING_FAILURE, NO_SUCH_INSTANCE = 0xA700, 0x0110, 0x0112
TO_PACS = Manners()
TO_RIS = Manners(refuse=0.05, reject=0.03, cut=0.06, back=0.04, abort=0.03, away=0.02, cut_within=4000)
TO_BOX = Manners(refuse=0.05, reject=0.03, cut=0.1, back=0.1, abort=0.03, away=0.02, cut_within=1500, back_within=500)


class FlakyHospital(Hospital):
    """``pacs_port`` and ``ris_port`` are where the box calls; it listens for reports behind a bad line, too.

    ``spooled`` and ``received`` are hashes of data sets by UID: what the spool had when it was offered, what came.
    ``spool_files`` are hashes of the spool's whole files.
    """

    def __init__(self, folder: Path, items: Sequence[Dataset], seed: int) -> None:
        super().__init__(folder, items=items)
        self.peaceful = False
        self.spool = folder / "nowhere"
        self.spooled: defaultdict[str, set[str]] = defaultdict(set)
        self.received: defaultdict[str, set[str]] = defaultdict(set)
        self.spool_files: defaultdict[str, set[str]] = defaultdict(set)
        self.committed: set[str] = set()  # what it ever committed itself to keep
        self.busy = threading.Event()  # something has just come: a good moment for an accident
        self._moods: Counter[str] = Counter()
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

    def serve(self, title: str, port: int, spool: Path) -> None:
        """A box of this AE title listens on ``port``, and keeps its instances in ``spool``."""
        self._lines.append(Line(port, f"to box {self._seed}", TO_BOX))
        self.callers[title] = ("127.0.0.1", self._lines[-1].port)
        self.spool = spool

    @property
    def faults(self) -> Counter[str]:
        """By kind; those of the lines included."""
        return sum((line.counted for line in self._lines), Counter(self._moods))

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
            line.calm()

    def store(self, event: Any) -> int:
        self.busy.set()
        mood = self._mood((OUT_OF_RESOURCES, 0.06), (PROCESSING_FAILURE, 0.05), ("cut", 0.06))
        if isinstance(mood, int):
            return mood
        uid = str(event.request.AffectedSOPInstanceUID)
        digest = hashlib.sha256(event.request.DataSet.getvalue()).hexdigest()
        with self._guard:
            self.received[uid].add(digest)
            for path in self.spool.glob(f"*/{uid}.dcm"):
                with contextlib.suppress(FileNotFoundError):  # committed over another association meanwhile
                    whole = path.read_bytes()
                    self.spool_files[uid].add(hashlib.sha256(whole).hexdigest())
                    self.spooled[uid].add(of_data_set(whole))
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
                self._moods["mood"] += 1
                return fault
        return None

    def _cut(self, event: Any) -> None:
        """It is done, but nobody will hear so."""
        with contextlib.suppress(AttributeError):
            for line in self._lines:
                line.cut(int(event.assoc.requestor.port))
