"""A box with real instances in its spool, a hostile PACS and a good one, and a clock that only the test moves.

Courier, ledger, sender, listener and sockets are the real ones; nothing sleeps but what waits for the network itself.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from types import SimpleNamespace

from listening import served
from spooling import Box, Pacs, record, somebodys_exam
from transfer.matrix import pacs as peers_of_the_test
from transfer.matrix.case import Case

from gateway import configuration
from gateway.clock import Clock
from gateway.model import InstanceRef
from gateway.settings import Settings
from gateway.spool import deliveries
from gateway.transfer import part10
from gateway.transfer.calling.outcomes import Outcome
from gateway.transfer.calling.peers import Peer
from gateway.transfer.committing import commitment, reports
from gateway.transfer.committing.event_report import Answer, Report
from gateway.transfer.committing.listener import Listener
from gateway.transfer.committing.reception.admission import Limits
from gateway.transfer.delivering.courier import Courier
from gateway.transfer.storing import store

INSTANCES = 4
BIG = 800_000  # samples of an instance that no socket buffer holds: 13 MB
CONFIGURATION = """
[gateway]
ae_title = "GATEWAY"
data = "{folder}/data"
runtime = "{folder}/run"
[clock]
trust = "always"
[listener]
host = "127.0.0.1"
port = 0
{listener}
[spool]
reserve = 0
[[device]]
name = "ecg1"
adapter = "simulated"
[[destination]]
name = "pacs"
ae_title = "HOSPITAL"
host = "127.0.0.1"
port = {pacs}
timeout = 1
retry_most = 60
{pacs_more}
[[destination]]
name = "other"
ae_title = "ARCHIVE"
host = "127.0.0.1"
port = {other}
retry_most = 60
"""
A_MINUTE = 61.0  # seconds: longer than retry_most, far shorter than commitment_timeout
AN_HOUR = 3601.0  # seconds: longer than commitment_timeout


def configure(folder: Path, pacs: int = 104, other: int = 104, more: str = "", listener: str = "") -> Settings:
    path = folder / "gateway.toml"
    ports = {"pacs": pacs, "other": other, "pacs_more": more, "listener": listener}
    path.write_text(CONFIGURATION.format(folder=folder, **ports))
    return configuration.load(path)


def fill(folder: Path, samples: int = 50) -> Path:
    """A spool with instances that nobody was offered yet; a template for :class:`Stage`."""
    folder.mkdir()
    settings = configure(folder)
    whose = somebodys_exam(settings)
    box = Box(settings, Pacs())
    for number in range(INSTANCES):
        record(settings, whose.exam, samples if number == 0 else 50)
        box.take_in()  # one by one: the first is the first in the queue
    box.ledger.close()
    return folder


class Moved(Clock):
    def __init__(self) -> None:
        self.at = time.time()
        super().__init__("always", lambda: self.at, lambda: self.at)


class Stage:
    def __init__(self, template: Path, folder: Path, more: str = "", listener: str = "") -> None:
        shutil.copytree(template / "data", folder / "data", copy_function=_link_or_copy)
        self._stack = ExitStack()
        self._box = ExitStack()
        self.pacs = self._stack.enter_context(closing(peers_of_the_test.Pacs("HOSPITAL")))
        self.other = self._stack.enter_context(closing(peers_of_the_test.Pacs("ARCHIVE")))
        self.settings = configure(folder, self.pacs.port, self.other.port, more, listener)
        self.clock = Moved()
        self.patience = 20.0  # seconds that the sender waits for the hostile one
        self.start()
        self.files: dict[str, Path] = {}
        self.whole: dict[str, str] = {}  # SHA-256 of the file
        self.data_sets: dict[str, str] = {}  # SHA-256 of what a C-STORE carries of it
        self._look()
        due = "SELECT instance FROM deliveries WHERE destination = 'pacs' ORDER BY queued_at"
        self.victim = self.pacs.victim = self.box.ledger.query(due)[0]["instance"]

    def _look(self) -> list[str]:
        """What is new in the spool."""
        rows = self.box.ledger.query("SELECT uid, path FROM instances")
        new = {r["uid"]: self.settings.box.data / r["path"] for r in rows if r["uid"] not in self.files}
        self.files |= new
        self.whole |= {uid: sha256(path) for uid, path in new.items()}
        self.data_sets |= {uid: _data_set(path) for uid, path in new.items()}
        return list(new)

    def record(self) -> str:
        """One more instance."""
        (row,) = self.box.ledger.query("SELECT DISTINCT exam FROM instances")
        record(self.settings, row["exam"], 50)
        self.box.take_in()
        (new,) = self._look()
        return new

    def start(self) -> None:
        """The box comes up, as after a power cut."""
        wire = SimpleNamespace(send=self._send, request=self._request, compares=True)
        self.box = Box(self.settings, wire, clock=self.clock)  # type: ignore[arg-type]
        self._box.callback(self.box.ledger.close)
        allowed = [t for d in self.settings.destinations for t in (d.ae_title, d.commitment_ae_title) if t]
        limits = Limits(rate=1000.0, burst=1000)
        self.listener = Listener(self.settings.box, self.settings.listener, allowed, self._on_report, limits)
        self._box.enter_context(served(self.listener))
        self.pacs.box = self.other.box = port = self.listener.port
        where = dataclasses.replace(self.settings.listener, port=port)  # also after the next start
        self.settings = dataclasses.replace(self.settings, listener=where)

    def stop(self) -> None:
        """Nothing of the box runs any more."""
        self._box.close()

    def close(self) -> None:
        self.pacs.settle()
        self.other.settle()
        self.stop()
        self._stack.close()

    @property
    def courier(self) -> Courier:
        return self.box.couriers[0]

    def round(self) -> None:
        """All there is to do now; then the reports that are owed."""
        for courier in self.box.couriers:
            while courier.turn() == 0.0:
                pass
        self.pacs.settle()
        self.other.settle()

    def mood(self, case: Case | None) -> None:
        """How the hostile one behaves from now on; None = as a PACS should."""
        does = case.does if case else peers_of_the_test.Hostile()
        if does.listens != self.pacs.hostile.listens:
            (self.pacs.open if does.listens else self.pacs.shut)()
        self.pacs.hostile, self.patience = does, case.patience if case else 20.0

    def later(self, seconds: float) -> None:
        self.clock.at += seconds

    def deliveries(self, destination: str = "pacs") -> dict[str, dict[str, object]]:
        return {uid: self.box.delivery(uid, destination) for uid in self.files}

    def states(self, destination: str = "pacs") -> set[str]:
        return {str(d["state"]) for d in self.deliveries(destination).values()}

    def held(self) -> dict[str, str]:
        return {uid: str(d["held"]) for uid, d in self.deliveries().items() if d["held"] is not None}

    def release(self) -> None:
        """A person has looked at what is held."""
        for uid in self.held():
            deliveries.release(self.box.ledger, uid, "pacs", self.clock.wall())

    def _send(
        self, peer: Peer, instances: Sequence[InstanceRef], progress: Callable[..., None] | None = None
    ) -> Iterator[tuple[InstanceRef, Outcome]]:
        return store.send(self._patient(peer), instances, progress)

    def _request(self, peer: Peer, *arguments: object) -> Outcome:
        return commitment.request(self._patient(peer), *arguments)  # type: ignore[arg-type]

    def _patient(self, peer: Peer) -> Peer:
        return dataclasses.replace(peer, timeout=self.patience) if peer.name == "pacs" else peer

    def _on_report(self, report: Report, caller: str) -> Answer:
        return reports.take(self.box.ledger, self.settings, self.clock, report, caller)


def behave(stage: Stage) -> None:
    """Well again: within a few hours of the box's time all is done, and then nothing more is sent or asked."""
    stage.mood(None)
    for _ in range(6):
        stage.later(AN_HOUR)
        stage.round()
    before = len(stage.pacs.taken), len(stage.pacs.asked)
    stage.later(AN_HOUR)
    stage.round()
    assert (len(stage.pacs.taken), len(stage.pacs.asked)) == before


def _link_or_copy(source: str, target: str) -> None:
    """An instance is never written to again: linked, so that a big one costs nothing."""
    if source.endswith(".dcm"):
        os.link(source, target)
    else:
        shutil.copy2(source, target)


def sha256(path: Path, offset: int = 0) -> str:
    with path.open("rb") as stream:
        stream.seek(offset)
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _data_set(path: Path) -> str:
    """SHA-256 of what a C-STORE carries of the file."""
    with path.open("rb") as stream:
        offset = part10.read(stream.fileno(), path.name).offset
    return sha256(path, offset)
