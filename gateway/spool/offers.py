"""Who may have an instance: noted before anything is offered, so that it can be withdrawn from just those who may."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Set
from pathlib import Path

from gateway.spool import marks
from gateway.spool.instances import Wanted
from gateway.spool.ledger import Ledger
from gateway.spool.settling import settle
from gateway.spool.states import Delivery

_OPEN = "state = 'QUEUED' AND held IS NULL AND waived IS NULL AND taken_by IS NULL"
OFFERED = "offered"  # the code of a delivery whose first attempt has begun, and of which nothing more is known


def offer(ledger: Ledger, uids: Iterable[str], destination: str) -> frozenset[str]:
    """Note that these are about to be offered to the destination; returns those that may be.

    On the medium before a byte is sent: so what was never offered is known for certain, also after a crash. What was
    held or withdrawn meanwhile may not be.
    """
    those = tuple(uids)
    found = f"destination = ? AND instance IN ({', '.join('?' * len(those))}) AND {_OPEN}"
    with ledger.change() as c:
        c.execute(f"UPDATE deliveries SET code = ? WHERE code = '' AND {found}", (OFFERED, destination, *those))  # noqa: S608
        rows = c.execute(f"SELECT instance FROM deliveries WHERE {found}", (destination, *those)).fetchall()  # noqa: S608
    return frozenset(r["instance"] for r in rows)


def may_have_been(c: sqlite3.Connection, uid: str) -> None:
    """The ledger does not know the instance, or not any more: nobody can say that it was never offered."""
    c.execute(
        "UPDATE deliveries SET code = ? WHERE instance = ? AND code = '' AND state = ?", (OFFERED, uid, Delivery.QUEUED)
    )


def offered_to(ledger: Ledger, uid: str) -> frozenset[Wanted]:
    """The PACS that may have it, or that may get it yet from an offer that is under way."""
    rows = ledger.query(
        "SELECT destination, policy FROM deliveries WHERE instance = ?"
        " AND policy IN ('commitment', 'verified', 'stored') AND (state <> ? OR code <> '')",
        *(uid, Delivery.QUEUED),
    )
    return frozenset(Wanted(r["destination"], r["policy"]) for r in rows)


def withhold(ledger: Ledger, instance: Path, words: str, now: float) -> None:
    """Offer it to nobody any more, whoever that may be; also if the ledger is lost."""
    marks.hold(instance, marks.EVERY, words, "")
    with ledger.change() as c:
        c.execute(
            "UPDATE deliveries SET held = ?, words = ?, changed_at = ? WHERE instance = ? AND waived IS NULL",
            (words, words, now, instance.stem),
        )


def withdraw(c: sqlite3.Connection, uid: str, folder: str, destinations: Set[str], words: str, now: float) -> None:
    """What lies in ``folder`` goes to ``destinations`` in its place; it is kept when that is kept there."""
    rows = c.execute("SELECT destination FROM deliveries WHERE instance = ? AND waived IS NULL", (uid,)).fetchall()
    for name in (r["destination"] for r in rows):
        instead = folder if name in destinations else None
        c.execute(
            "UPDATE deliveries SET superseded_by = ?, waived = ?, held = NULL, changed_at = ?"
            " WHERE instance = ? AND destination = ?",
            (instead, words, now, uid, name),
        )
    settle(c, uid)
