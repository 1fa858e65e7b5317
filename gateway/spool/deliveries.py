"""Rows of deliveries: one instance on its way to one destination."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from gateway.errors import Misuse
from gateway.model import InstanceRef
from gateway.spool import instances, marks
from gateway.spool.instances import Origin, Wanted
from gateway.spool.layout import Described
from gateway.spool.ledger import Ledger
from gateway.spool.settling import settle
from gateway.spool.states import DELIVERY, Delivery, advance

# What a worker may take up: due by the wall clock, or so far ahead that only a clock jump can explain it. The
# conditions on state and policy are spelled out so that SQLite finds the partial indexes, which give the order too.
DUE = """
    SELECT d.instance, d.attempts, d.policy,
      i.class, i.syntax, i.path, i.size, i.sha256, i.acquisition, i.exam, i.device
    FROM deliveries d JOIN instances i ON i.uid = d.instance
    WHERE d.destination = ? AND {open} AND d.held IS NULL AND d.waived IS NULL AND i.size < ?
      AND (d.next_try <= ? OR d.next_try > ?) AND i.state = 'SPOOLED' AND i.corrupt IS NULL
    ORDER BY {order} LIMIT ?
"""
_LEAST_TRIED = "d.attempts, d.queued_at"
TO_SEND = DUE.format(open="d.state = 'QUEUED' AND d.taken_by IS NULL", order=_LEAST_TRIED)
TO_ASK = DUE.format(open="d.state = 'STORED' AND d.policy IN ('commitment', 'verified')", order=_LEAST_TRIED)

_THESE = """
    SELECT instance, state, stands_in_for FROM deliveries
    WHERE destination = ? AND instance IN (SELECT value FROM json_each(?))
"""

ANY_SIZE = 1 << 62  # bytes


@dataclass(frozen=True, slots=True)
class Due:
    """One delivery that may be worked on now."""

    instance: InstanceRef
    sha256: str | None
    acquisition: str
    exam: str
    device: str
    attempts: int
    policy: str


def due(
    ledger: Ledger,
    data: Path,
    which: str,
    destination: str,
    now: float,
    longest_wait: float,
    most: int,
    smaller_than: int = ANY_SIZE,
) -> list[Due]:
    """At most ``most`` deliveries :data:`TO_SEND` or :data:`TO_ASK`; the least often tried, then the oldest, first.

    ``smaller_than``: bytes; a medium that is full for one instance may have room for others.
    """
    return found(data, ledger.query(which, destination, smaller_than, now, now + longest_wait, most))


def found(data: Path, rows: list[sqlite3.Row]) -> list[Due]:
    """Rows of :data:`DUE`."""
    return [
        Due(
            InstanceRef(r["class"], r["instance"], r["syntax"], f"{data}/{r['path']}", r["size"], r["sha256"] or ""),
            *(r["sha256"], r["acquisition"], r["exam"], r["device"], r["attempts"], r["policy"]),
        )
        for r in rows
    ]


class Taken(NamedTuple):
    """A destination has taken the bytes with this hash; ``syntax``: transcoded, to this transfer syntax."""

    uid: str
    sha256: str
    code: str
    words: str
    at: float
    syntax: str | None = None


def stored(ledger: Ledger, destination: str, taken: Sequence[Taken]) -> None:
    """The destination has taken these: one SQL transaction, however many they are.

    If it stands in for another, that must outlive the ledger.
    """
    by_uid = {one.uid: one for one in taken}
    with ledger.change() as c:
        rows = c.execute(_THESE, (destination, json.dumps(list(by_uid)))).fetchall()
        if missing := by_uid.keys() - {r["instance"] for r in rows}:
            raise _nowhere(min(missing), destination)
        for row in rows:
            if row["stands_in_for"] is not None:
                marks.take(_file(ledger, row["instance"]), row["stands_in_for"], destination)
        c.executemany(
            "UPDATE deliveries SET state = ?, changed_at = ?, attempts = 0, next_try = 0, sent_sha256 = ?,"
            " sent_syntax = ?, code = ?, words = ? WHERE instance = ? AND destination = ?",
            [
                (
                    *(advance(DELIVERY, Delivery(row["state"]), "stored"), one.at, one.sha256, one.syntax),
                    *(one.code, one.words, one.uid, destination),
                )
                for row in rows
                if (one := by_uid[row["instance"]])
            ],
        )
        settle(c, *by_uid)


def postpone(
    ledger: Ledger, uids: Iterable[str], destination: str, until: float, counts: bool, code: str, words: str, now: float
) -> None:
    """Try again later; ``counts`` is false for what was not reached because something else failed."""
    with ledger.change() as c:
        c.executemany(
            "UPDATE deliveries SET attempts = attempts + ?, next_try = ?, code = ?, words = ?, changed_at = ?"
            " WHERE instance = ? AND destination = ?",
            [(counts, until, code, words, now, uid, destination) for uid in uids],
        )


def hold(ledger: Ledger, uid: str, destination: str, code: str, words: str, now: float) -> None:
    """A person must look; nothing happens until then, also if the ledger is lost."""
    marks.hold(_file(ledger, uid), destination, words, code)
    with ledger.change() as c:
        c.execute(
            "UPDATE deliveries SET held = ?, code = ?, words = ?, changed_at = ?"
            " WHERE instance = ? AND destination = ?",
            (words, code, words, now, uid, destination),
        )


def release(ledger: Ledger, uid: str, destination: str | None, now: float) -> int:
    """Go on where it stood, at once; also for what only waits. Returns how many deliveries that concerned."""
    marks.release(_file(ledger, uid), destination)
    with ledger.change() as c:
        return c.execute(
            "UPDATE deliveries SET held = NULL, next_try = 0, attempts = 0, changed_at = ?"
            " WHERE instance = ? AND (? IS NULL OR destination = ?) AND waived IS NULL",
            (now, uid, destination, destination),
        ).rowcount


def waive(ledger: Ledger, uid: str, destination: str, words: str, now: float) -> None:
    """This destination is not waited for any more. The caller has a person's word, and wrote it down.

    What a stand-in is spared is owed to the one that it stood in for.
    """
    if (instead_of := _instead_of(ledger, uid, destination)) is not None:
        marks.take(_file(ledger, uid), instead_of, None)
    marks.waive(_file(ledger, uid), destination, words)
    with ledger.change() as c:
        c.execute(
            "UPDATE deliveries SET waived = ?, changed_at = ? WHERE instance = ? AND destination = ?",
            (words, now, uid, destination),
        )
        c.execute(
            "UPDATE deliveries SET taken_by = NULL, next_try = 0, changed_at = ?"
            " WHERE instance = ? AND destination = ? AND taken_by = ?",
            (now, uid, instead_of, destination),
        )
        settle(c, uid)


def supersede(
    ledger: Ledger,
    uid: str,
    wanted: Wanted,
    origin: Origin,
    found: list[tuple[Described, str | None]],
    words: str,
    now: float,
) -> None:
    """``found``, wrapped again, go to this destination instead of ``uid``: kept when they are kept there.

    They stay with a stand-in, and ``uid`` is not owed to the other one any more.
    """
    if (instead_of := _instead_of(ledger, uid, wanted.destination)) is not None:
        marks.take(_file(ledger, uid), instead_of, wanted.destination)
    with ledger.change() as c:
        instances.insert(c, origin, found, (wanted,), now)
        c.execute(
            "UPDATE deliveries SET superseded_by = ?, waived = ?, changed_at = ?"
            " WHERE instance = ? AND destination = ?",
            (origin.folder, words, now, uid, wanted.destination),
        )


def happen(c: sqlite3.Connection, uid: str, destination: str, event: str, now: float, **columns: object) -> None:
    """One event of the delivery table, with what else is to be noted. Column names come from this package only."""
    state = advance(DELIVERY, Delivery(_row(c, uid, destination)["state"]), event)
    columns = {"state": state, "changed_at": now} | columns
    assignments = ", ".join(f"{name} = ?" for name in columns)
    c.execute(
        f"UPDATE deliveries SET {assignments} WHERE instance = ? AND destination = ?",  # noqa: S608
        (*columns.values(), uid, destination),
    )


def _instead_of(ledger: Ledger, uid: str, destination: str) -> str | None:
    """The one in whose place ``destination`` gets it. Raises Misuse if it does not go there."""
    sql = "SELECT stands_in_for FROM deliveries WHERE instance = ? AND destination = ?"
    rows = ledger.query(sql, uid, destination)
    if not rows:
        raise _nowhere(uid, destination)
    return None if rows[0]["stands_in_for"] is None else str(rows[0]["stands_in_for"])


def _file(ledger: Ledger, uid: str) -> Path:
    """Where the instance lies. Raises Misuse if there is none."""
    row = instances.instance(ledger, uid)
    if row is None:
        raise Misuse(f"there is no instance {uid}", "gateway queue list shows all")
    return ledger.path.parent / str(row["path"])


def _row(c: sqlite3.Connection, uid: str, destination: str) -> sqlite3.Row:
    row: sqlite3.Row | None = c.execute(
        "SELECT * FROM deliveries WHERE instance = ? AND destination = ?", (uid, destination)
    ).fetchone()
    if row is None:
        raise _nowhere(uid, destination)
    return row


def _nowhere(uid: str, destination: str) -> Misuse:
    fix = "gateway queue show INSTANCE names where it goes"
    return Misuse(f"instance {uid} does not go to {destination!r}", fix)
