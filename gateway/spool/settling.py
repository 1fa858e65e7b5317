"""When an instance is settled: each destination that counts has taken responsibility, itself or through another.

Another is the wrapping that went there instead of a refused one, or the stand-in that took it while the destination was
down. The retention time begins when it is settled (spool.space).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass

from gateway.spool.ledger import Ledger
from gateway.spool.states import FREES, Delivery

FAR_AHEAD = 3600.0  # seconds: what is dated so far in the future shows a clock that was set back
_THOSE = "(SELECT value FROM json_each(?))"
_DELIVERIES = "SELECT instance, destination, policy, state, waived, superseded_by, taken_by FROM deliveries"
_UNDATED = "(settled_at = 0 OR settled_at > ?) AND state <> 'PURGED'"


@dataclass(frozen=True, slots=True)
class Promise:
    """How far one destination is with one instance, as :func:`gateway.spool.space.purgeable` sees it."""

    policy: str
    state: Delivery
    waived: bool = False  # by a person
    superseded: bool = False  # by a rule: another wrapping went there instead
    kept_by_successor: bool = False
    kept_by_stand_in: bool | None = None  # a stand-in took it: whether that one is as far as its own policy asks

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
        if self.kept_by_stand_in is not None:
            return self.waived or self.kept_by_stand_in
        return self.waived or self.state in FREES[self.policy]


def promises(c: sqlite3.Connection, uid: str) -> list[Promise]:
    """How far each destination of one instance is."""
    return _promises(c, (uid,)).get(uid, [])


def _promises(c: sqlite3.Connection, uids: Collection[str]) -> dict[str, list[Promise]]:
    """By instance."""
    found: dict[str, list[Promise]] = {}
    for row in c.execute(f"{_DELIVERIES} WHERE instance IN {_THOSE}", (json.dumps(list(uids)),)).fetchall():
        found.setdefault(row["instance"], []).append(_promise(c, row))
    return found


def _promise(c: sqlite3.Connection, row: sqlite3.Row) -> Promise:
    return Promise(
        row["policy"],
        Delivery(row["state"]),
        waived=row["waived"] is not None and row["superseded_by"] is None,
        superseded=row["superseded_by"] is not None,
        kept_by_successor=row["superseded_by"] is not None and _successors_kept(c, row),
        kept_by_stand_in=_stand_in_keeps(c, row),
    )


def _successors_kept(c: sqlite3.Connection, row: sqlite3.Row) -> bool:
    """Whether all that was wrapped instead is kept by the same destination."""
    sql = "SELECT d.* FROM deliveries d JOIN instances i ON i.uid = d.instance WHERE i.folder = ? AND d.destination = ?"
    rows = c.execute(sql, (row["superseded_by"], row["destination"])).fetchall()
    return bool(rows) and all(_promise(c, r).kept for r in rows)


def _stand_in_keeps(c: sqlite3.Connection, row: sqlite3.Row) -> bool | None:
    if row["taken_by"] is None:
        return None
    sql = "SELECT * FROM deliveries WHERE instance = ? AND destination = ?"
    instead = c.execute(sql, (row["instance"], row["taken_by"])).fetchone()
    if instead is None:
        return False
    promise = _promise(c, instead)
    return promise.kept and not promise.waived  # nobody's word about the stand-in is about the one that is down


def settle(c: sqlite3.Connection, *uids: str) -> None:
    """Note of each if the last destination has taken responsibility, also for what this instance replaces.

    The time is written as 0 (unknown) and dated by :func:`date_settled`, when the clock may be trusted.
    """
    c.executemany(
        "UPDATE instances SET settled_at = coalesce(settled_at, 0) WHERE uid = ?",
        [
            (one,)
            for one, found in _promises(c, {*uids, *_replaced_by(c, uids)}).items()
            if any(p.counts for p in found) and all(p.kept for p in found if p.counts)
        ],
    )


def date_settled(ledger: Ledger, now: float) -> None:
    """Date what settled meanwhile; only for a trusted clock: the retention time begins here.

    It begins anew for what was dated ahead of the clock, which was set back since: else that would stay for years.
    """
    if ledger.query(f"SELECT 1 FROM instances WHERE {_UNDATED} LIMIT 1", now + FAR_AHEAD):  # noqa: S608
        with ledger.change() as c:
            c.execute(f"UPDATE instances SET settled_at = ? WHERE {_UNDATED}", (now, now + FAR_AHEAD))  # noqa: S608


def _replaced_by(c: sqlite3.Connection, uids: Collection[str]) -> list[str]:
    rows = c.execute(
        "SELECT d.instance FROM instances i JOIN deliveries d ON d.superseded_by = i.folder"  # noqa: S608
        f" WHERE i.uid IN {_THOSE} AND d.superseded_by IS NOT NULL",
        (json.dumps(list(uids)),),
    ).fetchall()
    return [r["instance"] for r in rows]
