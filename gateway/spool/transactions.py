"""Storage commitment in the ledger (PS3.4 J): which Transaction UID asked for what, and what a report changes.

A Transaction UID is on the medium before its N-ACTION is sent, and the report is answered after its changes are.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from gateway.spool.deliveries import happen
from gateway.spool.ledger import Ledger
from gateway.spool.settling import FAR_AHEAD, settle
from gateway.spool.states import DELIVERY, Delivery, may

log = logging.getLogger(__name__)
Later = Callable[[int], float]  # attempts so far -> wall time of the next one


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the peer does not commit one instance, and what follows: "missing", "unanswered" (ask again) or "held"."""

    event: str
    code: str
    words: str


_LAST = "SELECT coalesce(max(number), 0) FROM transactions"
_DELIVERY = "SELECT state, transaction_uid, lost_before FROM deliveries WHERE instance = ? AND destination = ?"
_ANOTHER_CLASS = "0119"
_REPORTED = "reported"
_LEFT_OUT = Failure("unanswered", "", "the report does not mention it; asked again")


def ask(ledger: Ledger, transaction_uid: str, destination: str, uids: Iterable[str], now: float) -> None:
    """Note the request before it is sent: the instances are REQUESTED under this Transaction UID."""
    with ledger.change() as c:
        c.execute(
            f"INSERT INTO transactions (uid, destination, requested_at, number) SELECT ?, ?, ?, 1 + ({_LAST})",
            (transaction_uid, destination, now),
        )
        for uid in uids:
            happen(c, uid, destination, "asked", now, transaction_uid=transaction_uid)


def give_up(
    ledger: Ledger,
    transaction_uid: str,
    why: str,
    now: float,
    later: Later,
    held: str | None = None,
    in_vain: bool = False,
) -> None:
    """No report will be waited for: what it asked for is asked for again, under another Transaction UID.

    ``in_vain``: the peer took the request, and never reported. What was never sent to it is sent then.
    """
    with ledger.change() as c:
        destination = _finish(c, transaction_uid, why)
        for uid in _still_asked(c, transaction_uid):
            event = "missing" if in_vain and _never_sent(c, uid, destination) else "unanswered"
            _again(c, uid, destination, event, now, later, held, words=why)


def unfinished(ledger: Ledger, destination: str) -> list[str]:
    """Transaction UIDs that no report has answered, the oldest first."""
    sql = "SELECT uid FROM transactions WHERE destination = ? AND finished IS NULL ORDER BY requested_at"
    return [r["uid"] for r in ledger.query(sql, destination)]


def overdue(ledger: Ledger, destination: str, now: float, patience: float) -> list[str]:
    """Transaction UIDs whose report is overdue, or whose date only a clock jump explains."""
    rows = ledger.query(
        "SELECT uid FROM transactions WHERE destination = ? AND finished IS NULL"
        " AND (requested_at <= ? OR requested_at > ?)",
        destination,
        now - patience,
        now + FAR_AHEAD,
    )
    return [r["uid"] for r in rows]


def is_finished(ledger: Ledger, transaction_uid: str) -> bool:
    """Whether nobody waits for its report any more, above all because it came."""
    return not ledger.query("SELECT 1 FROM transactions WHERE uid = ? AND finished IS NULL", transaction_uid)


def report(
    ledger: Ledger,
    transaction_uid: str,
    committed: frozenset[str],
    failed: Mapping[str, Failure],
    now: float,
    later: Later,
    verified_by: str = "",
) -> bool:
    """Take a report, from whichever association it came; False if the transaction is unknown.

    A report that comes late is as good as another, except that nobody need ask again because of it: another transaction
    does already. Of one that comes twice only "committed" counts. An instance in neither list, or in both, is not
    committed. What was ``verified_by`` something was not committed either: it is called so.
    """
    with ledger.change() as c:
        row = c.execute("SELECT * FROM transactions WHERE uid = ?", (transaction_uid,)).fetchone()
        if row is None:
            return False
        destination, before, number = row["destination"], row["finished"], row["number"]
        for uid in sorted(committed - failed.keys()):
            _take(c, uid, destination, number, verified_by, now)
        if before is None:
            for uid in _still_asked(c, transaction_uid):
                _fail(c, uid, destination, failed.get(uid, _LEFT_OUT), now, later)
        elif before != _REPORTED:
            for uid, failure in failed.items():
                if failure.event != _LEFT_OUT.event and _may_concern(c, uid, destination, number, failure.event):
                    _fail(c, uid, destination, failure, now, later)
        c.execute("UPDATE transactions SET finished = ? WHERE uid = ?", (_REPORTED, transaction_uid))
    return True


def _take(c: sqlite3.Connection, uid: str, destination: str, number: int, verified_by: str, now: float) -> None:
    event, words = ("verified", f"verified by {verified_by}") if verified_by else ("committed", "committed")
    if not _may_concern(c, uid, destination, number, event):
        row = c.execute(_DELIVERY, (uid, destination)).fetchone()
        if row is None or Delivery(row["state"]) not in (Delivery.COMMITTED, Delivery.VERIFIED):
            stale = row is not None and row["lost_before"] is not None
            which = "as it was before it lost it" if stale else "which it was not asked for"
            log.warning("%s answered for instance %s, %s; ignored", destination, uid, which)
        return
    happen(c, uid, destination, event, now, held=None, code="", words=words)
    settle(c, uid)


def _may_concern(c: sqlite3.Connection, uid: str, destination: str, number: int, event: str) -> bool:
    """Whether transaction ``number`` may speak of it: not if it is older than the day on which the peer lost it.

    Else a report of then, late by days, would call that committed which was sent since and is not answered for.
    """
    row = c.execute(_DELIVERY, (uid, destination)).fetchone()
    if row is None or row["transaction_uid"] is None:
        return False
    if row["lost_before"] is not None and number <= row["lost_before"]:
        return False
    return may(DELIVERY, Delivery(row["state"]), "unanswered" if event == "held" else event)


def _fail(c: sqlite3.Connection, uid: str, destination: str, failure: Failure, now: float, later: Later) -> None:
    """The peer does not commit: send again what it lacks, ask again, or hold.

    Of what a medium brought back, and was never sent, it may say in any words that it does not have it: then it gets
    it, unless it says that it has another class of object under this UID.
    """
    held = failure.words if failure.event == "held" else None
    event = "unanswered" if held else failure.event
    if failure.code != _ANOTHER_CLASS and _never_sent(c, uid, destination):
        event, held, later = "missing", None, _at_once
    _again(c, uid, destination, event, now, later, held, code=failure.code, words=failure.words)
    level = logging.ERROR if held else logging.WARNING
    log.log(level, "%s does not answer for instance %s: %s", destination, uid, failure.words)


def _at_once(_attempts: int) -> float:
    return 0.0


def _never_sent(c: sqlite3.Connection, uid: str, destination: str) -> bool:
    sql = "SELECT sent_sha256 FROM deliveries WHERE instance = ? AND destination = ?"
    return c.execute(sql, (uid, destination)).fetchone()["sent_sha256"] is None


def _again(
    c: sqlite3.Connection,
    uid: str,
    destination: str,
    event: str,
    now: float,
    later: Later,
    held: str | None,
    **columns: object,
) -> None:
    """One more failed attempt at this delivery; the next one waits longer. What a person holds stays held."""
    row = c.execute(
        "SELECT attempts, held FROM deliveries WHERE instance = ? AND destination = ?", (uid, destination)
    ).fetchone()
    attempts, held = row["attempts"] + 1, row["held"] or held
    if event == "missing":
        columns |= {"transaction_uid": None, "lost_before": c.execute(_LAST).fetchone()[0]}
    happen(c, uid, destination, event, now, attempts=attempts, next_try=later(attempts), held=held, **columns)


def _finish(c: sqlite3.Connection, transaction_uid: str, how: str) -> str:
    c.execute("UPDATE transactions SET finished = ? WHERE uid = ? AND finished IS NULL", (how, transaction_uid))
    row = c.execute("SELECT destination FROM transactions WHERE uid = ?", (transaction_uid,)).fetchone()
    return str(row["destination"])


def _still_asked(c: sqlite3.Connection, transaction_uid: str) -> list[str]:
    rows = c.execute(
        "SELECT instance FROM deliveries WHERE transaction_uid = ? AND state = ?", (transaction_uid, Delivery.REQUESTED)
    ).fetchall()
    return [r["instance"] for r in rows]
