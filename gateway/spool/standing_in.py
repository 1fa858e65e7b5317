"""What waits for a destination that is down, given to the one that stands in for it, and taken back.

At any moment a delivery is one destination's to send: :func:`hand_over` is called by the thread that sends to the one
that is down, :func:`take_back` by the thread that sends to its stand-in, each between two of its batches. A stand-in
keeps what it has stored: that it has it lies beside the instance (spool.marks) before the ledger says so, and it is not
owed to the other any more, also if the ledger is lost. What it has not stored goes back when the other answers again.
An instance that was on its way when the first one broke may be there too: the same UID, the same bytes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from gateway.destination import Destination
from gateway.spool import marks
from gateway.spool.ledger import Ledger

_AT_ONCE = 200  # deliveries in one transaction
_UNMARKED = marks.Mark()

_WAITING = """
    SELECT d.instance, i.path FROM deliveries d JOIN instances i ON i.uid = d.instance
    WHERE d.destination = ? AND d.state = 'QUEUED' AND d.held IS NULL AND d.waived IS NULL AND d.taken_by IS NULL
      AND i.state = 'SPOOLED' AND i.corrupt IS NULL
      AND NOT EXISTS (SELECT 1 FROM deliveries o WHERE o.instance = d.instance AND o.destination = ?)
    ORDER BY d.attempts, d.queued_at LIMIT ?
"""
_GIVE = """
    INSERT INTO deliveries (instance, destination, policy, state, waived, stands_in_for, rank, queued_at, changed_at)
    SELECT instance, ?, ?, 'QUEUED', ?, destination, rank, queued_at, ? FROM deliveries
    WHERE instance = ? AND destination = ?
"""
# Held by a person, it is that person's to release; refused, the other may take it yet.
_NOT_STORED = """
    SELECT d.instance, d.sent_sha256, i.path FROM deliveries d JOIN instances i ON i.uid = d.instance
    WHERE d.destination = ? AND d.stands_in_for = ? AND d.state = 'QUEUED' AND d.waived IS NULL
      AND (d.held IS NULL OR d.code <> '') AND i.state = 'SPOOLED' AND d.instance > ?
    ORDER BY d.instance LIMIT ?
"""


def hand_over(ledger: Ledger, down: str, stand_in: Destination, now: float) -> int:
    """Give one slice of what waits for ``down`` to its stand-in; returns how many.

    What a person spared the stand-in (a waiver that outlived the ledger) is noted so, and stays; what is being held in
    this moment stays too.
    """
    count = 0
    with ledger.change() as c:
        for row in c.execute(_WAITING, (down, stand_in.name, _AT_ONCE)).fetchall():
            found = marks.of(ledger.path.parent / row["path"])
            if found.get(down, _UNMARKED).held is not None:
                continue
            count += 1
            waived = found.get(stand_in.name, _UNMARKED).waived
            c.execute(_GIVE, (stand_in.name, stand_in.policy, waived, now, row["instance"], down))
            c.execute(
                "UPDATE deliveries SET taken_by = ?, changed_at = ? WHERE instance = ? AND destination = ?",
                (None if waived else stand_in.name, now, row["instance"], down),
            )
    return count


def standing_in(ledger: Ledger, stand_in: str) -> bool:
    """Whether something waits for ``stand_in`` that it was given in another's place."""
    sql = "SELECT 1 FROM deliveries WHERE destination = ? AND state = 'QUEUED' AND stands_in_for IS NOT NULL LIMIT 1"
    return bool(ledger.query(sql, stand_in))


def waits(ledger: Ledger, destination: str) -> bool:
    """Whether anything is still to be sent to ``destination``, now or later."""
    sql = "SELECT 1 FROM deliveries WHERE destination = ? AND state = 'QUEUED' AND held IS NULL AND waived IS NULL"
    return bool(ledger.query(f"{sql} AND taken_by IS NULL LIMIT 1", destination))


def take_back(ledger: Ledger, stand_in: str, back: str, now: float, beat: Callable[[], None] = lambda: None) -> int:
    """Give ``back``, which answers again, all that its stand-in has not stored; returns how many."""
    count, after = 0, ""
    while rows := ledger.query(_NOT_STORED, stand_in, back, after, _AT_ONCE):
        after = rows[-1]["instance"]
        beat()
        free = [r["instance"] for r in rows if _not_there(ledger, r, stand_in, back)]
        with ledger.change() as c:
            for uid in free:
                c.execute("DELETE FROM deliveries WHERE instance = ? AND destination = ?", (uid, stand_in))
                c.execute(
                    "UPDATE deliveries SET taken_by = NULL, next_try = 0, changed_at = ?"
                    " WHERE instance = ? AND destination = ? AND taken_by = ?",
                    (now, uid, back, stand_in),
                )
        count += len(free)
    return count


def _not_there(ledger: Ledger, row: sqlite3.Row, stand_in: str, back: str) -> bool:
    """Whether the stand-in surely does not have it.

    The mark without the ledger's word is a power cut between the two: it has it, and is sent it once more. Both, and
    queued again: it said later that it does not have it.
    """
    path = ledger.path.parent / row["path"]
    mark = marks.of(path).get(back)
    if mark is None or mark.taken_by != stand_in:
        return True
    if row["sent_sha256"] is None:
        return False
    marks.take(path, back, None)
    return True
