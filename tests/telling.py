"""For the tests of the step reporter: a RIS at the seam."""

from __future__ import annotations

from pydicom.dataset import Dataset
from spooling import CLOCK

from gateway.settings import Settings
from gateway.spool.ledger import Ledger
from gateway.transfer.calling.outcomes import Outcome
from gateway.transfer.calling.peers import Peer
from gateway.transfer.ris.step_reporter import StepReporter

RIS = '[[ris]]\nname = "ris"\nae_title = "RIS"\nhost = "127.0.0.1"\n'
DONE = Outcome("done", "0000", "done")


class Told:
    """A RIS at the seam: what it heard, and what it answers."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self.heard: list[tuple[str, str, Dataset]] = []
        self.answers = {"create": DONE, "finish": DONE}
        self.reporter = StepReporter(settings, settings.ris[0], ledger, CLOCK, self.create, self.finish)

    def create(self, peer: Peer, step_uid: str, dataset: Dataset) -> Outcome:
        self.heard.append(("create", step_uid, dataset))
        return self.answers["create"]

    def finish(self, peer: Peer, step_uid: str, dataset: Dataset) -> Outcome:
        self.heard.append(("finish", step_uid, dataset))
        return self.answers["finish"]

    def turn(self) -> list[str]:
        """What is heard in one round, waiting times over."""
        before = len(self.heard)
        self.reporter.pause.end()
        with self.reporter._ledger.change() as c:
            c.execute("UPDATE steps SET next_try = 0")
        self.reporter.turn()
        return [what for what, *_ in self.heard[before:]]
