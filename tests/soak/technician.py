"""A technician at one device: exams from the worklist, recordings, now and then one of nobody, attributed later.

Works through what a person has: the functions behind the commands, the capture's socket, and the command itself. What
does not answer was just killed: asked again. What the box promises goes into the book.
"""

from __future__ import annotations

import calendar
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from gateway import local
from gateway.errors import GatewayError, Held, Misuse, Retry
from gateway.settings import Settings
from gateway.verbs.exams import start_exam, stop_exam
from tests.soak.book import Book, Visit
from tests.soak.devices import Devices

T = TypeVar("T")
LOOK = 0.1  # seconds between two looks at a running recording
PATIENCE = 90.0  # seconds until a box that does not answer is given up
BETWEEN = 5.0  # seconds between two visits of nobody: the recording's id tells the time to the second


class Technician(threading.Thread):
    """``acts`` is called with what was just done. ``patients``: (step ID, Patient ID). :meth:`leave` ends the day."""

    def __init__(
        self,
        settings: Settings,
        config: Path,
        index: int,
        devices: Devices,
        book: Book,
        patients: Sequence[tuple[str, str]],
        seed: int,
        acts: Callable[[str, str], None],
    ) -> None:
        self.device = settings.devices[index].name
        super().__init__(name=f"technician {self.device}", daemon=True)
        self.failure: BaseException | None = None
        self.complaints: list[str] = []
        self._settings, self._config, self._index = settings, config, index
        self._devices, self._book, self._patients, self._acts = devices, book, patients, acts
        self._dice = random.Random(f"technician {index} {seed}")
        self._socket = settings.places.socket(f"capture-{self.device}")
        self._forward = settings.places.socket("forward")
        self._leaving = threading.Event()
        self._stopping = False  # whether what records now may have been told to stop
        self._nobodys: list[tuple[Visit, str]] = []

    def leave(self) -> None:
        self._leaving.set()

    def run(self) -> None:
        try:
            while not self._leaving.is_set():
                last = self._nobodys[-1][0].ended if self._nobodys else 0.0
                if time.time() - last > BETWEEN and self._dice.random() < 0.25:
                    self._nobody()
                else:
                    self._exam()
                self.tidy()
        except BaseException as error:
            self.failure = error

    def tidy(self) -> int:
        """Say whose the recordings of nobody are, give up those without any sample; how many are left."""
        try:
            waiting = local.ask(self._forward, {"do": "queue"})["acquisitions"]
        except Retry:
            return -1
        mine = [row for row in waiting if row["device"] == self.device and row["held"]]
        for row in mine:
            if "nothing was recorded" in row["held"]:
                self._try({"do": "discard", "instance": row["id"], "who": "technician"})
            elif "belongs to nobody" in row["held"] and not row["exam"]:
                self._attribute(row["id"])
        return len(mine)

    def _exam(self) -> None:
        step, patient = self._dice.choice(self._patients)
        visit = self._book.visit(self._index, patient, self._position(), time.time())
        exam = self._again(lambda: start_exam(self._settings, (self.device,), step)).exam
        recordings = self._dice.randint(1, 3)
        for number in range(recordings):
            self._record(exam, stop=number + 1 < recordings or self._dice.random() < 0.7)
        self._again(lambda: stop_exam(self._settings, exam))
        self._acts("closed", self.device)
        visit.behind, visit.ended = self._position(), time.time()

    def _nobody(self) -> None:
        step, patient = self._dice.choice(self._patients)
        visit = self._book.visit(self._index, patient, self._position(), time.time())
        self._nobodys.append((visit, step))
        self._record(None, stop=True)
        visit.behind, visit.ended = self._position(), time.time()

    def _record(self, exam: str | None, stop: bool) -> None:
        """One order. A capture that is killed goes on by itself, as another acquisition, until it is stopped."""
        seconds = float(self._dice.randint(2, 12)) if stop and self._dice.random() < 0.2 else None
        self._stopping = seconds is not None
        self._begin(exam, seconds)
        self._acts("started", self.device)
        until = time.monotonic() + self._dice.uniform(0.3, 4.0)
        while time.monotonic() < until or seconds is not None:
            status = self._status()
            if not status["recording"]:  # over as planned, or the capture has just come up
                if status["kept"]:
                    self._book.recording(status["kept"]).kept = True
                break
            time.sleep(LOOK)
        self._stopping = True
        self._status()  # what records now is what will be stopped
        if stop:
            self._end(exam)

    def _begin(self, exam: str | None, seconds: float | None) -> None:
        """Until it records; the order may have been taken though its answer was lost."""
        while True:
            try:
                answer = local.ask(self._socket, {"do": "start", "exam": exam, "seconds": seconds})
            except (Retry, Held) as error:
                status = self._status()
                while status["state"] == "starting":
                    time.sleep(LOOK)
                    status = self._status()
                if status["recording"]:
                    return
                if isinstance(error, Held):
                    self.complaints.append(f"{self.device}: a recording was refused: {error}")
                time.sleep(LOOK)
            else:
                self._book.recording(answer["acquisition"], self._stopping)
                return

    def _end(self, exam: str | None) -> None:
        while True:
            self._acts("stopping", self.device)
            try:
                answer = local.ask(self._socket, {"do": "stop", "exam": exam})
            except Retry:
                time.sleep(LOOK)
                self._status()  # it may have gone on by itself meanwhile
                continue
            if answer["acquisition"] is not None:
                recording = self._book.recording(answer["acquisition"], stop_asked=True)
                recording.kept, recording.samples = True, answer["samples"]
            return

    def _status(self) -> dict[str, Any]:
        status = self._again(lambda: local.ask(self._socket, {"do": "status"}))
        if status["acquisition"]:
            self._book.durable(status["acquisition"], status["durable"], self._stopping)
        return status

    def _attribute(self, recording: str) -> None:
        made = calendar.timegm(time.strptime(recording[:15], "%Y%m%dT%H%M%S"))
        found = [(v, step) for v, step in self._nobodys if v.began - 2 <= made <= v.ended + 1]
        if not found:
            self.complaints.append(f"{self.device}: nobody knows when {recording} was made")
            return
        step = found[-1][1]
        self._acts("attributing", self.device)
        command = [sys.executable, "-m", "gateway", "--config", str(self._config), "exam", "attribute", recording]
        done = subprocess.run([*command, "--step", step, "--json"], capture_output=True, text=True, check=False)
        if "Traceback" in done.stderr or done.returncode not in (0, 3, 4):
            self.complaints.append(f"{self.device}: exam attribute ended with {done.returncode}: {done.stderr}")

    def _try(self, request: dict[str, Any]) -> None:
        try:
            local.ask(self._forward, request)
        except GatewayError as error:
            if not isinstance(error, Retry | Misuse):  # Misuse: it is gone already, the answer was lost
                self.complaints.append(f"{self.device}: {request} was refused: {error}")

    def _again(self, do: Callable[[], T]) -> T:
        """What a person does with a box that does not answer: tries again in a moment."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return do()
            except Retry:
                if time.monotonic() > deadline:
                    raise
                time.sleep(LOOK)

    def _position(self) -> int:
        return self._devices.position(self._index)
