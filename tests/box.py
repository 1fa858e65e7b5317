"""A whole box for end-to-end tests: real processes, a played Cyton, and whatever RIS and PACS the test has."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from waiting import eventually

from gateway import local
from gateway.model import Exam
from gateway.settings import Settings
from gateway.trial.device import Counts, CytonPlayer
from gateway.trial.ports import free_port
from gateway.trial.workshop import Workshop, workshop
from gateway.verbs.acquire import record
from gateway.verbs.exams import start_exam, stop_exam

Peer = tuple[str, int]  # AE title, port on 127.0.0.1

CONFIGURATION = """
[gateway]
data = "{out}/data"
runtime = "{runtime}"
[clock]
trust = "always"
[listener]
host = "127.0.0.1"
port = {listen}
[spool]
reserve = 0
[[device]]
name = "ecg1"
adapter = "openbci_cyton"
port = "{out}/tty"
{device}
[[ris]]
name = "ris"
ae_title = "{ris[0]}"
host = "127.0.0.1"
port = {ris[1]}
mpps = {mpps}
[[destination]]
name = "pacs"
ae_title = "{pacs[0]}"
host = "127.0.0.1"
port = {pacs[1]}
retry_first = 0.2
{destination}
[console]
port = 0
"""


@dataclass
class Box:
    """The running box. ``settings`` is what its processes run by."""

    shop: Workshop
    settings: Settings
    player: CytonPlayer

    def forward(self, **request: Any) -> dict[str, Any]:
        return local.ask(self.settings.places.socket("forward"), request, 30)

    def refresh(self) -> None:
        """Until every RIS has been asked; one that does not answer is the test's own affair."""
        self.forward(do="worklist-refresh")

    def record(self, step_id: str, seconds: float = 4.0) -> Exam:
        """One exam with one recording; kept when this returns."""
        exam = start_exam(self.settings, ("ecg1",), step_id)
        record(self.settings, "ecg1", exam.exam, seconds, quiet=True)
        return stop_exam(self.settings, exam.exam)

    def until(self, exam: str, *states: str) -> dict[str, Any]:
        """What forward knows of the exam once every delivery is in one of ``states`` (or "held")."""

        def reached() -> dict[str, Any]:
            found = self.forward(do="exam", exam=exam)
            there = ["held" if d["held"] else d["state"] for d in found["deliveries"] if not d["waived"]]
            held = "held" in states and any(a["held"] for a in found["acquisitions"])
            return found if held or (there and all(state in states for state in there)) else {}

        def why() -> str:
            logs = [(p.name, p.log.read_text()[-800:]) for p in self.shop.processes.values()]
            return f"not {states}: {self.forward(do='exam', exam=exam)} {logs}"

        found: dict[str, Any] = eventually(reached, why)
        return found

    def file(self, found: dict[str, Any], index: int = 0) -> Path:
        return self.settings.places.data / str(found["instances"][index]["path"])

    def log(self, process: str) -> str:
        return self.shop.processes[process].log.read_text()


@contextlib.contextmanager
def box(
    out: Path,
    counts: Counts,
    pacs: Peer,
    ris: Peer,
    listen: int = 0,
    device: str = "",
    destination: str = "",
    mpps: bool = True,
    speed: float = 20.0,
) -> Iterator[Box]:
    """``device`` and ``destination`` are further lines of their sections. ``speed``: times the board's pace."""
    with workshop(out) as shop, CytonPlayer(shop.out / "tty", counts, speed=speed) as player:
        text = CONFIGURATION.format(
            out=shop.out,
            runtime=shop.runtime,
            listen=listen or free_port(),
            device=device,
            destination=destination,
            pacs=pacs,
            ris=ris,
            mpps=str(mpps).lower(),
        )
        settings = shop.configure(text)
        for started in (shop.start("forward"), shop.start("capture", "ecg1")):
            started.wait_ready()
        made = Box(shop, settings, player)
        made.refresh()
        yield made
