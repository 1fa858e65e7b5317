"""The states of everything that is on its way, as tables, and the one function that walks them.

A table maps (state, event) to the next state; what is not in it is refused. *Held* is a flag beside the state,
never a state: what was held goes on, after a person's word, where it stood. So are *waived* and *corrupt*.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import TypeVar

from gateway.errors import Fatal


class Acquisition(StrEnum):
    RECORDING = "RECORDING"
    KEPT = "KEPT"
    WRAPPED = "WRAPPED"


class Instance(StrEnum):
    SPOOLED = "SPOOLED"
    PURGING = "PURGING"
    PURGED = "PURGED"


class Delivery(StrEnum):
    QUEUED = "QUEUED"
    STORED = "STORED"
    REQUESTED = "REQUESTED"
    COMMITTED = "COMMITTED"


class Step(StrEnum):
    """The performed procedure step towards one RIS. QUEUED waits for the N-CREATE."""

    QUEUED = "QUEUED"
    IN_PROGRESS = "IN PROGRESS"
    DONE = "DONE"


class Rank(IntEnum):
    """How a delivery came into its queue; who takes from it looks at that (spool.lanes)."""

    URGENT = 0  # Requested Procedure Priority STAT or HIGH
    ROUTINE = 1
    BACKLOG = 2  # found again without a ledger, or brought back by a medium


S = TypeVar("S", bound=StrEnum)
Table = Mapping[tuple[S, str], S]

ACQUISITION: Table[Acquisition] = {
    (Acquisition.RECORDING, "ended"): Acquisition.KEPT,
    (Acquisition.RECORDING, "cut off"): Acquisition.KEPT,  # flag: interrupted
    (Acquisition.KEPT, "wrapped"): Acquisition.WRAPPED,
}

INSTANCE: Table[Instance] = {
    (Instance.SPOOLED, "purge"): Instance.PURGING,
    (Instance.PURGING, "unlinked"): Instance.PURGED,
}

DELIVERY: Table[Delivery] = {
    (Delivery.QUEUED, "stored"): Delivery.STORED,
    (Delivery.QUEUED, "may be there"): Delivery.STORED,  # it came from a medium: the peer is asked before it is sent
    (Delivery.STORED, "asked"): Delivery.REQUESTED,
    (Delivery.REQUESTED, "unanswered"): Delivery.STORED,  # timed out, refused or left out: a new transaction UID
    (Delivery.REQUESTED, "committed"): Delivery.COMMITTED,
    (Delivery.STORED, "committed"): Delivery.COMMITTED,  # the report of a transaction we had given up
    (Delivery.STORED, "unanswered"): Delivery.STORED,  # the same, which refuses it for good: held
    (Delivery.STORED, "missing"): Delivery.QUEUED,  # the same, which says that it does not have it
    (Delivery.REQUESTED, "missing"): Delivery.QUEUED,  # 0112H: the peer does not have it (any more), or never had it
}

STEP: Table[Step] = {
    (Step.QUEUED, "created"): Step.IN_PROGRESS,
    (Step.IN_PROGRESS, "finished"): Step.DONE,
}


def may(table: Table[S], state: S, event: str) -> bool:
    """Whether ``event`` can happen in ``state``."""
    return (state, event) in table


def advance(table: Table[S], state: S, event: str) -> S:
    """The state that follows. Raises Fatal for what is not in the table: going on would be a guess."""
    if (state, event) not in table:
        raise Fatal(f"{type(state).__name__.lower()} {state}: {event!r} cannot happen here", "report this as a bug")
    return table[state, event]


# What each policy asks of a delivery before the box may forget the instance. "copy" never frees the box.
FREES: Mapping[str, frozenset[Delivery]] = {
    "commitment": frozenset({Delivery.COMMITTED}),
    "stored": frozenset({Delivery.STORED, Delivery.REQUESTED, Delivery.COMMITTED}),
    "media-verified": frozenset({Delivery.STORED}),  # transfer.media re-reads and compares before it says stored
    "copy": frozenset(),
}
