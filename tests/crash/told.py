"""What had been promised at a moment, and what the hospital had: the other side of the crash model."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from spooling import Pacs

from gateway.dicom.wrap import wrap as wrap_once
from gateway.model import Exam, InstanceRef
from gateway.spool.intake import Wrap
from gateway.transfer.calling.outcomes import Outcome
from gateway.transfer.calling.peers import Peer

Counts = np.ndarray[Any, np.dtype[np.int32]]


@dataclass
class Promised:
    """Of one recording."""

    truth: Counts
    exam: str | None
    test: bool = False
    synced: int = 0  # samples whose sync had returned
    ended: bool = False  # close had returned


@dataclass(frozen=True)
class Decision:
    """A person's; ``answered`` when the desk had said so."""

    what: str
    subject: str
    destination: str | None = None
    answered: bool = False


@dataclass(frozen=True)
class Imported:
    """Of one instance that a medium brought back."""

    data: bytes
    held: bool


@dataclass
class Told:
    """What had been said until a moment, and what the hospital had."""

    exams: dict[str, Exam] = field(default_factory=dict)
    recordings: dict[str, Promised] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    worklist: bool = False
    patients: dict[str, str] = field(default_factory=dict)  # of the recordings that a person gave to one
    orders: dict[str, bool] = field(default_factory=dict)  # by device, whether one stands
    torn: dict[str, bytes] = field(default_factory=dict)  # what is on the medium behind the last good record
    wrap: Wrap = wrap_once  # how this box wraps ...
    each: int = 1  # ... and how many instances it makes of a recording
    pacs: dict[str, Pacs] = field(default_factory=dict)
    imported: dict[str, Imported] = field(default_factory=dict)  # by UID, what is whole in the spool

    def decided(self, what: str, subject: str) -> Decision | None:
        """The last decision of this kind."""
        return next((d for d in reversed(self.decisions) if (d.what, d.subject) == (what, subject)), None)

    def mark(self) -> object:
        """Differs when something more was told."""
        recordings = tuple((n, p.synced, p.ended) for n, p in self.recordings.items())
        exams = tuple((n, e.closed is not None) for n, e in self.exams.items())
        pacs = tuple((n, len(p.stores), len(p.committed)) for n, p in self.pacs.items())
        more = len(self.torn), tuple(self.orders.items()), len(self.imported)
        return recordings, exams, pacs, tuple(self.decisions), self.worklist, more

    def copied(self) -> Told:
        """Nothing that was told later is in it; arrays are shared."""
        made = Told(dict(self.exams), {k: dataclasses.replace(v) for k, v in self.recordings.items()})
        made.decisions, made.worklist, made.patients = list(self.decisions), self.worklist, dict(self.patients)
        made.orders = dict(self.orders)
        made.torn, made.wrap, made.each = dict(self.torn), self.wrap, self.each
        made.imported = dict(self.imported)
        made.pacs = {name: _copied(pacs) for name, pacs in self.pacs.items()}
        return made


class Archive(Pacs):
    """A PACS that remembers every offer, not only the last."""

    def __init__(self) -> None:
        super().__init__()
        self.offers: list[tuple[str, bytes]] = []

    def send(
        self, peer: Peer, instances: Sequence[InstanceRef], progress: Callable[..., None] | None = None
    ) -> Iterator[tuple[InstanceRef, Outcome]]:
        for one, outcome in super().send(peer, instances, progress):
            if outcome.good:
                self.offers.append((one.sop_instance_uid, self.held[one.sop_instance_uid]))
            yield one, outcome


def _copied(pacs: Pacs) -> Pacs:
    made = copy.copy(pacs)
    for name, value in vars(pacs).items():
        setattr(made, name, copy.copy(value))
    return made
