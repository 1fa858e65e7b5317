"""Rows of deliveries: one instance on its way to one destination, and when all of them have taken responsibility."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import Misuse
from gateway.model import InstanceRef
from gateway.spool import instances, marks
from gateway.spool.instances import Origin, Wanted
from gateway.spool.layout import Described
from gateway.spool.ledger import Ledger
from gateway.spool.states import DELIVERY, FREES, Delivery, advance

# What a worker may take up: due by the wall clock, or so far ahead that only a clock jump can explain it. The
# conditions on state and policy are spelled out so that SQLite finds the partial indexes, which give the order too.
_DUE = """
    SELECT d.*, i.class, i.syntax, i.path, i.size, i.sha256, i.acquisition, i.exam, i.device
    FROM deliveries d JOIN instances i ON i.uid = d.instance
    WHERE d.destination = ? AND {open} AND d.held IS NULL AND d.waived IS NULL AND i.size < ?
      AND (d.next_try <= ? OR d.next_try > ?) AND i.state = 'SPOOLED' AND i.corrupt IS NULL
    ORDER BY d.attempts, d.queued_at LIMIT ?
"""
TO_SEND = _DUE.format(open="d.state = 'QUEUED'")
TO_ASK = _DUE.format(open="d.state = 'STORED' AND d.policy = 'commitment'")

ANY_SIZE = 1 << 62  # bytes
FAR_AHEAD = 3600.0  # seconds: what is dated so far in the future shows a clock that was set back
_UNDATED = "(settled_at = 0 OR settled_at > ?) AND state <> 'PURGED'"


@dataclass(frozen=True, slots=True)
class Due:
    """One delivery that may be worked on now."""

    instance: InstanceRef
    sha256: str | None
    acquisition: str
    exam: str
    device: str
    attempts: int


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
    rows = ledger.query(which, destination, smaller_than, now, now + longest_wait, most)
    return [
        Due(
            InstanceRef(r["class"], r["instance"], r["syntax"], str(data / r["path"]), r["size"]),
            *(r["sha256"], r["acquisition"], r["exam"], r["device"], r["attempts"]),
        )
        for r in rows
    ]


def stored(
    ledger: Ledger,
    uid: str,
    destination: str,
    sha256: str,
    code: str,
    words: str,
    now: float,
    syntax: str | None = None,
) -> None:
    """The destination has taken the bytes with this hash; ``syntax``: transcoded, to this transfer syntax."""
    sent: dict[str, object] = {"sent_sha256": sha256, "sent_syntax": syntax, "code": code, "words": words}
    with ledger.change() as c:
        happen(c, uid, destination, "stored", now, attempts=0, next_try=0, **sent)
        settle(c, uid)


def postpone(
    ledger: Ledger, uid: str, destination: str, until: float, counts: bool, code: str, words: str, now: float
) -> None:
    """Try again later; ``counts`` is false for what was not reached because something else failed."""
    with ledger.change() as c:
        c.execute(
            "UPDATE deliveries SET attempts = attempts + ?, next_try = ?, code = ?, words = ?, changed_at = ?"
            " WHERE instance = ? AND destination = ?",
            (counts, until, code, words, now, uid, destination),
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
    """This destination is not waited for any more. The caller has a person's word, and wrote it down."""
    with ledger.change() as c:
        _row(c, uid, destination)
    marks.waive(_file(ledger, uid), destination, words)
    with ledger.change() as c:
        c.execute(
            "UPDATE deliveries SET waived = ?, changed_at = ? WHERE instance = ? AND destination = ?",
            (words, now, uid, destination),
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
    """``found``, wrapped again, go to this destination instead of ``uid``: kept when they are kept there."""
    with ledger.change() as c:
        instances.insert(c, origin, found, (wanted,), now)
        c.execute(
            "UPDATE deliveries SET superseded_by = ?, waived = ?, changed_at = ?"
            " WHERE instance = ? AND destination = ?",
            (origin.folder, words, now, uid, wanted.destination),
        )


@dataclass(frozen=True, slots=True)
class Promise:
    """How far one destination is with one instance, as :func:`gateway.spool.space.purgeable` sees it."""

    policy: str
    state: Delivery
    waived: bool = False  # by a person
    superseded: bool = False  # by a rule: another wrapping went there instead
    kept_by_successor: bool = False

    @property
    def counts(self) -> bool:
        return self.policy != "copy"

    @property
    def owed(self) -> bool:
        """A copy that was not made yet, held ones included: it takes no responsibility, but it was asked for."""
        return self.policy == "copy" and self.state is Delivery.QUEUED and not self.waived and not self.superseded

    @property
    def kept(self) -> bool:
        if self.superseded:
            return self.kept_by_successor
        return self.waived or self.state in FREES[self.policy]


def promises(c: sqlite3.Connection, uid: str) -> list[Promise]:
    rows = c.execute("SELECT * FROM deliveries WHERE instance = ?", (uid,)).fetchall()
    return [
        Promise(
            r["policy"],
            Delivery(r["state"]),
            waived=r["waived"] is not None and r["superseded_by"] is None,
            superseded=r["superseded_by"] is not None,
            kept_by_successor=_successors_kept(c, r["superseded_by"], r["destination"]),
        )
        for r in rows
    ]


def _successors_kept(c: sqlite3.Connection, folder: str | None, destination: str) -> bool:
    rows = c.execute(
        "SELECT d.policy, d.state, d.waived FROM deliveries d JOIN instances i ON i.uid = d.instance"
        " WHERE i.folder = ? AND d.destination = ?",
        (folder, destination),
    ).fetchall()
    return bool(rows) and all(r["waived"] is not None or Delivery(r["state"]) in FREES[r["policy"]] for r in rows)


def happen(c: sqlite3.Connection, uid: str, destination: str, event: str, now: float, **columns: object) -> None:
    """One event of the delivery table, with what else is to be noted. Column names come from this package only."""
    state = advance(DELIVERY, Delivery(_row(c, uid, destination)["state"]), event)
    columns = {"state": state, "changed_at": now} | columns
    assignments = ", ".join(f"{name} = ?" for name in columns)
    c.execute(
        f"UPDATE deliveries SET {assignments} WHERE instance = ? AND destination = ?",  # noqa: S608
        (*columns.values(), uid, destination),
    )


def settle(c: sqlite3.Connection, uid: str) -> None:
    """Note it if the last destination has taken responsibility, also for what this instance replaces.

    The time is written as 0 (unknown) and dated by :func:`date_settled`, when the clock may be trusted.
    """
    for one in {uid, *_replaced_by(c, uid)}:
        found = promises(c, one)
        if any(p.counts for p in found) and all(p.kept for p in found if p.counts):
            c.execute("UPDATE instances SET settled_at = coalesce(settled_at, 0) WHERE uid = ?", (one,))


def date_settled(ledger: Ledger, now: float) -> None:
    """Date what settled meanwhile; only for a trusted clock: the retention time begins here.

    It begins anew for what was dated ahead of the clock, which was set back since: else that would stay for years.
    """
    if ledger.query(f"SELECT 1 FROM instances WHERE {_UNDATED} LIMIT 1", now + FAR_AHEAD):  # noqa: S608
        with ledger.change() as c:
            c.execute(f"UPDATE instances SET settled_at = ? WHERE {_UNDATED}", (now, now + FAR_AHEAD))  # noqa: S608


def _file(ledger: Ledger, uid: str) -> Path:
    """Where the instance lies. Raises Misuse if there is none."""
    row = instances.instance(ledger, uid)
    if row is None:
        raise Misuse(f"there is no instance {uid}", "gateway queue list shows all")
    return ledger.path.parent / str(row["path"])


def _replaced_by(c: sqlite3.Connection, uid: str) -> list[str]:
    rows = c.execute(
        "SELECT d.instance FROM deliveries d WHERE d.superseded_by ="
        " (SELECT folder FROM instances WHERE uid = ?) AND d.superseded_by IS NOT NULL",
        (uid,),
    ).fetchall()
    return [r["instance"] for r in rows]


def _row(c: sqlite3.Connection, uid: str, destination: str) -> sqlite3.Row:
    row: sqlite3.Row | None = c.execute(
        "SELECT * FROM deliveries WHERE instance = ? AND destination = ?", (uid, destination)
    ).fetchone()
    if row is None:
        raise Misuse(
            f"instance {uid} does not go to {destination!r}", "gateway queue show INSTANCE names where it goes"
        )
    return row
