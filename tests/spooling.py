"""For the tests of spool and forward: recordings as a capture leaves them, and a PACS at the seam of the courier."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gateway import exam, fsops, records
from gateway.clock import Clock
from gateway.dicom.check import check
from gateway.dicom.wrap import wrap
from gateway.events import Samples
from gateway.identifiers import new_acquisition_id
from gateway.model import Attributed, Channel, Equipment, Exam, Facts, InstanceRef, Kind, MultiplexGroup, to_json
from gateway.settings import Settings
from gateway.spool.intake import Intake
from gateway.spool.ledger import Ledger
from gateway.spool.recover import Recovery
from gateway.spool.remake import remake
from gateway.spool.rewrap import rewrap
from gateway.spool.space import Purger
from gateway.transfer.calling import echo
from gateway.transfer.calling.outcomes import Outcome
from gateway.transfer.calling.peers import Peer
from gateway.transfer.committing.event_report import Report
from gateway.transfer.delivering.courier import Courier
from gateway.transfer.delivering.duty import Duty
from gateway.transfer.delivering.transports import Transport

CLOCK = Clock("always")
LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
ITEM: dict[str, Any] = {
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane"}]},
    "00100020": {"vr": "LO", "Value": ["PAT-1"]},
    "00100030": {"vr": "DA", "Value": ["20010101"]},
    "00100040": {"vr": "CS", "Value": ["F"]},
    "0020000D": {"vr": "UI", "Value": ["2.25.4711"]},
    "00400100": {"vr": "SQ", "Value": [{"00400009": {"vr": "SH", "Value": ["SPS-1"]}}]},
}
DESTINATION = """
[[destination]]
name = "{name}"
ae_title = "HOSPITAL"
host = "127.0.0.1"
port = {port}
policy = "{policy}"
retry_first = 0.1
retry_most = 1
"""


def somebodys_exam(settings: Settings, device: str = "ecg1", how: Attributed = Attributed.SCHEDULED) -> Exam:
    item = {} if how is Attributed.NOBODY else ITEM
    return exam.open_exam(settings.places, CLOCK, (device,), how, item)


def counts(samples: int, seed: int = 1) -> np.ndarray[Any, np.dtype[np.int32]]:
    return np.random.default_rng(seed).integers(-20000, 20000, (samples, len(LEADS)), np.int32)


def record(
    settings: Settings,
    exam_id: str | None,
    samples: int = 500,
    device: str = "ecg1",
    test: bool = False,
    end: bool = True,
) -> str:
    """An acquisition as a capture leaves it: ended, or (``end`` false) cut off in the middle. Returns its id."""
    name = new_acquisition_id(device, CLOCK.wall())
    group = MultiplexGroup("RHYTHM", 500.0, tuple(Channel(lead, "uV", 0.5) for lead in LEADS))
    equipment = Equipment("Maker", "Model", "1", "1")
    root = f"2.25.{int.from_bytes(name.encode()[-8:], 'big')}"
    now = CLOCK.now()
    facts = Facts(name, root, device, "simulated", "1", Kind.ECG, equipment, (group,), exam_id, 1, now, test)
    folder = fsops.make_folder(settings.places.acquisition(name))
    fsops.write_json(folder / "facts.json", to_json(facts))
    writer = records.Writer(folder / "records", 1)
    if samples:
        writer.append(Samples(counts(samples), now.monotonic + 1))
    writer.sync()
    if end:
        writer.close("stopped")
    else:
        writer.abandon()
    return name


class Pacs:
    """What a courier meets: takes and commits, unless told otherwise by ``refuse`` (UID -> outcome) or ``away``."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}
        self.committed: set[str] = set()
        self.stores: list[str] = []
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self.refuse: dict[str, Outcome] = {}
        self.refuse_class: dict[str, Outcome] = {}
        self.away: Outcome | None = None
        self.reports = True
        self.reasons: dict[str, int] = {}

    def send(
        self, peer: Peer, instances: Sequence[InstanceRef], progress: Callable[..., None] | None = None
    ) -> Iterator[tuple[InstanceRef, Outcome]]:
        broken = self.away
        for one in instances:
            uid = one.sop_instance_uid
            outcome = broken or self.refuse.get(uid) or self.refuse_class.get(one.sop_class_uid)
            if outcome is None:
                self.held[uid] = Path(one.path).read_bytes()
                self.stores.append(uid)
                outcome = Outcome("done", "0000", "done")
            elif outcome.code == "aborted":
                broken = outcome
            yield one, outcome

    def request(
        self,
        peer: Peer,
        transaction: str,
        instances: Sequence[InstanceRef],
        on_report: Callable[[Report], None],
        *_: object,
    ) -> Outcome:
        self.asked.append((transaction, tuple(i.sop_instance_uid for i in instances)))
        if self.away:
            return self.away
        if self.reports:
            on_report(self.report(*self.asked[-1]))
        return Outcome("done", "0000", "done")

    def report(self, transaction: str, uids: Sequence[str]) -> Report:
        failed = {u: self.reasons.get(u, 0x0112) for u in uids if u not in self.held or u in self.reasons}
        committed = frozenset(uids) - failed.keys()
        self.committed |= committed
        return Report(transaction, committed, failed)


class Box:
    """The forward process without its threads: made anew, it is what comes up after a crash."""

    def __init__(self, settings: Settings, pacs: Pacs, retention: float = 0.0, clock: Clock = CLOCK) -> None:
        self.settings, self.pacs = settings, pacs
        self.ledger = Ledger(settings.places.ledger)
        self.intake = Intake(settings, self.ledger, clock, wrap, check)
        self.recovery = Recovery(settings, self.ledger, clock, lambda name: self.intake.again(name))  # noqa: PLW0108 - it may be replaced
        self.purger = Purger(settings.places, self.ledger, clock, retention)

        def wrap_again(uid: str, destination: str, who: str, beat: Callable[[], None] = lambda: None) -> str:
            return rewrap(settings, self.ledger, clock, wrap, check, uid, destination, who, beat)

        self.rewrap = wrap_again
        self.remake = lambda uid: remake(settings, self.ledger, clock, wrap, uid)
        by = Transport(
            pacs.send, pacs.request, echo.probe, getattr(pacs, "look", None), getattr(pacs, "compares", False)
        )
        self.couriers = [Courier(Duty(settings, d, self.ledger, clock, by), wrap_again) for d in settings.destinations]

    def take_in(self) -> None:
        while self.recovery.turn():
            pass
        self.intake.turn()

    def deliver(self) -> None:
        for courier in self.couriers:
            courier.turn()

    def run(self) -> None:
        self.take_in()
        self.deliver()
        self.purger.turn()
        self.ledger.close()

    def states(self, destination: str = "pacs") -> dict[str, str]:
        rows = self.ledger.query("SELECT instance, state FROM deliveries WHERE destination = ?", destination)
        return {r["instance"]: r["state"] for r in rows}

    def delivery(self, uid: str, destination: str = "pacs") -> dict[str, Any]:
        sql = "SELECT * FROM deliveries WHERE instance = ? AND destination = ?"
        return dict(self.ledger.query(sql, uid, destination)[0])
