"""Which of what waits for a destination goes next: what is urgent, then what is fresh, and never without the backlog.

Urgent is what the worklist calls STAT or HIGH (Requested Procedure Priority). Fresh is what was queued within the last
ten minutes. All else is the backlog: what waits for longer, what was found again without its ledger, what a medium
brought back. Every fourth place is the backlog's, so that no flood of new recordings starves it; within a lane the
oldest is first, in the backlog the least often tried, and in a batch what failed before is last of its lane. Each lane
is found by an index, however much waits.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from gateway.spool import deliveries
from gateway.spool.deliveries import ANY_SIZE, DUE, TO_SEND, Due
from gateway.spool.ledger import Ledger

T = TypeVar("T")
FRESH = 600.0  # seconds
SHARE = 4  # of so many places in a batch one is the backlog's

_FIRST = "d.state = 'QUEUED' AND d.taken_by IS NULL AND d.rank < 2 AND d.rank = {rank} AND d.queued_at > ?"
URGENT = DUE.format(open=_FIRST.format(rank=0), order="d.queued_at")
ROUTINE = DUE.format(open=_FIRST.format(rank=1), order="d.queued_at")


def next_batch(
    ledger: Ledger, data: Path, destination: str, now: float, longest_wait: float, most: int, most_bytes: int
) -> tuple[list[Due], bool]:
    """At most ``most`` deliveries, and bytes (but at least one); and whether there may be more at once."""
    first: list[sqlite3.Row] = []
    for which, since in ((URGENT, 0.0), (ROUTINE, now - FRESH)):
        lane = ledger.query(which, destination, since, ANY_SIZE, now, now + longest_wait, most)
        first += sorted(lane, key=lambda row: int(row["attempts"]))  # one that breaks each association goes last
    rest = ledger.query(TO_SEND, destination, ANY_SIZE, now, now + longest_wait, most)
    rows = in_turn({r["instance"]: r for r in first}, {r["instance"]: r for r in rest}, most)
    batch = rows[: _fitting([r["size"] for r in rows], most_bytes)]
    return deliveries.found(data, batch), len(batch) < len(rows) or len(rows) == most


def in_turn(first: Mapping[str, T], rest: Mapping[str, T], most: int) -> list[T]:
    """``first`` in its order, but every fourth place is for ``rest``; what one does not need the other gets.

    By SOP Instance UID; what is in both counts as ``first``.
    """
    ahead = deque(first.values())
    behind = deque(one for uid, one in rest.items() if uid not in first)
    found: list[T] = []
    while len(found) < most and (ahead or behind):
        theirs = behind if (len(found) + 1) % SHARE == 0 else ahead
        found.append((theirs or ahead or behind).popleft())
    return found


def _fitting(sizes: Sequence[int], most: int) -> int:
    """How many of ``sizes`` (bytes) are no more than ``most`` together; at least one."""
    total = 0
    for number, size in enumerate(sizes):
        total += size
        if number and total > most:
            return number
    return len(sizes)
