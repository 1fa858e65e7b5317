"""A box of real processes on a disk of the test's choosing, with a simulated device and the embedded hospital."""

from __future__ import annotations

import contextlib
import dataclasses
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pydicom
from waiting import eventually

from gateway import local
from gateway.settings import Settings
from gateway.trial.hospital import Hospital
from gateway.trial.ports import free_port
from gateway.trial.reporting import Reporter
from gateway.trial.workshop import Process, Workshop, workshop

CONFIGURATION = """
[gateway]
data = "{data}"
runtime = "{runtime}"
[clock]
trust = "{trust}"
wait = {wait}
[listener]
host = "127.0.0.1"
port = {listen}
[spool]
reserve = {reserve}
warn = {warn}
retention = {retention}
[[device]]
name = "ecg1"
adapter = "simulated"
rate = 500
sync_interval = 0.1
[[destination]]
name = "pacs"
ae_title = "HOSPITAL"
host = "127.0.0.1"
port = {pacs}
retry_first = 0.2
retry_most = 1
[console]
port = {console}
"""


@dataclasses.dataclass
class Box:
    """``data`` is the data folder as the test sees it."""

    shop: Workshop
    settings: Settings
    data: Path
    hospital: Hospital
    inside: Sequence[str]

    def pacs_is_back(self) -> None:
        """After ``hospital.stop()``, which ended its reports of storage commitment for good."""
        old = self.hospital.reporter
        self.hospital.reporter = Reporter(self.hospital.ae_title, self.hospital.callers, old.how, 0.0)
        self.hospital.start()

    def start(self, *arguments: str) -> Process:
        process = self.shop.start(*arguments)
        process.wait_ready()
        return process

    def say(self, process: str, **request: Any) -> dict[str, Any]:
        return local.ask(self.shop.runtime / f"{process}.sock", request, 20)

    def command(self, *arguments: str) -> tuple[int, str]:
        """What a person gets who gives a command: exit code and all that is said."""
        words = [*self.inside, sys.executable, "-m", "gateway", "--config", str(self.shop.config), *arguments]
        ran = subprocess.run(words, capture_output=True, text=True, timeout=90, check=False)
        assert "Traceback" not in ran.stderr
        return ran.returncode, ran.stdout + ran.stderr

    def record(self, exam: str, samples: int = 500) -> str:
        """Begin a recording without an end; its id, when so many samples are on the disk."""
        begun = str(self.say("capture-ecg1", do="start", exam=exam, seconds=None)["acquisition"])
        eventually(lambda: self.say("capture-ecg1", do="status")["samples"] >= samples)
        return begun

    def exam(self) -> str:
        code, said = self.command("exam", "start", "ecg1", "--emergency")
        assert code == 0, said
        return said.split()[1].rstrip(":")

    def log(self, name: str) -> str:
        return (self.shop.out / "log" / f"{name}.log").read_text()

    def said(self, name: str, words: str) -> str:
        """Wait until a process says so; all that it said."""
        return str(eventually(lambda: words in self.log(name) and self.log(name)))

    def arrived(self, count: int = 1) -> list[pydicom.Dataset]:
        """The instances that the PACS holds, when there are so many."""
        eventually(lambda: len(self.hospital.files()) >= count)
        return [pydicom.dcmread(file) for file in self.hospital.files()]

    def troubles(self) -> str:
        return " | ".join(self.say("forward", do="status")["troubles"])

    def dies(self, name: str) -> tuple[int, str]:
        """Exit code and log of a process that ends by itself."""
        process = self.shop.processes[name]
        return eventually(lambda: (code := process._process.poll()) is not None and (code or 256, self.log(name)))


@contextlib.contextmanager
def box(
    folder: Path,
    data: Path,
    outside: Path | None = None,
    inside: Sequence[str] = (),
    environment: dict[str, str] | None = None,
    **settings: Any,
) -> Iterator[Box]:
    """``settings`` replace what stands in braces in the configuration."""
    listen = free_port()
    chosen = {"trust": "always", "wait": 1, "reserve": 0, "warn": 0, "retention": 0.0, "console": 0} | settings
    with Hospital(folder / "hospital") as hospital, workshop(folder / "box", inside, environment) as shop:
        hospital.callers["GATEWAY"] = ("127.0.0.1", listen)
        text = CONFIGURATION.format(data=data, runtime=shop.runtime, listen=listen, pacs=hospital.port, **chosen)
        yield Box(shop, shop.configure(text), outside or data, hospital, inside)
