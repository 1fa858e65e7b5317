"""Room on the disk: what may be deleted, and the deletion itself.

:func:`purgeable` is the one function that may authorise a deletion of anything that was kept.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from gateway import fsops
from gateway.clock import Clock
from gateway.places import Places
from gateway.spool import instances, layout
from gateway.spool.deliveries import Promise, date_settled, promises
from gateway.spool.ledger import Ledger
from gateway.spool.states import INSTANCE, Instance, advance

log = logging.getLogger(__name__)
DAY = 86400.0
_AT_ONCE = 100  # instances looked at in one round


@dataclass(frozen=True, slots=True)
class Candidate:
    """All that decides whether one instance (or a recording that never became one) may be deleted."""

    promises: tuple[Promise, ...]
    settled_at: float | None  # wall clock; None or 0: not yet, or nobody knows when
    corrupt: bool = False
    test: bool = False
    discarded: bool = False  # by a person, audited
    empty: bool = False  # a recording without any sample: there is nothing in it to lose


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether it may go, and in words why."""

    allowed: bool
    words: str


def purgeable(candidate: Candidate, retention: float, now: float, trusted: bool) -> Verdict:
    """Whether the box may delete this. ``retention`` in days; ``now`` is the wall clock, ``trusted`` if it is believed.

    Every destination that counts has what its policy asks for, there is at least one, the retention time is over,
    and the clock is believed; or a person discarded a test recording, or one without any sample. What is corrupt
    never goes.
    """
    counted = [p for p in candidate.promises if p.counts]
    if candidate.corrupt:
        return Verdict(False, "it is damaged: a person must look")
    if candidate.discarded:
        may = candidate.test or candidate.empty
        return Verdict(may, "discarded" if may else "only test recordings can be discarded, and empty ones")
    if not counted:
        return Verdict(False, "no destination takes responsibility for it")
    if not all(p.kept for p in counted):
        return Verdict(False, "not every destination has taken responsibility")
    if not trusted:
        return Verdict(False, "the clock is not to be trusted")
    if not candidate.settled_at or now - candidate.settled_at < retention * DAY:
        return Verdict(False, "the retention time is not over")
    return Verdict(True, "every destination has taken responsibility and the retention time is over")


class Purger:
    """Deletes what :func:`purgeable` allows, the longest settled first; PURGING is noted before, PURGED after."""

    def __init__(self, here: Places, ledger: Ledger, clock: Clock, retention: float) -> None:
        self._here = here
        self._ledger = ledger
        self._clock = clock
        self._retention = retention

    def turn(self, beat: Callable[[], None] = lambda: None) -> int:
        """One round; returns how many instances were deleted."""
        now = self._clock.now()
        if now.trusted:
            date_settled(self._ledger, now.wall)
        rows = self._ledger.query(
            "SELECT uid FROM instances WHERE settled_at > 0 AND settled_at <= ? AND state <> 'PURGED'"
            " ORDER BY settled_at LIMIT ?",
            now.wall - self._retention * DAY,
            _AT_ONCE,
        )
        rows += self._ledger.query("SELECT uid FROM instances WHERE state = 'PURGING'")  # a crash came between
        rows += self._ledger.query("SELECT uid FROM instances WHERE discarded AND state = 'SPOOLED' LIMIT ?", _AT_ONCE)
        count = 0
        for uid in dict.fromkeys(r["uid"] for r in rows):
            beat()
            count += self._purge(uid)
        return count

    def _purge(self, uid: str) -> bool:
        now = self._clock.now()
        with self._ledger.change() as c:
            row = c.execute("SELECT * FROM instances WHERE uid = ?", (uid,)).fetchone()
            if Instance(row["state"]) is Instance.SPOOLED:
                verdict = purgeable(candidate(c, row), self._retention, now.wall, now.trusted)
                if not verdict.allowed:
                    return False
                state = advance(INSTANCE, Instance.SPOOLED, "purge")
                c.execute("UPDATE instances SET state = ? WHERE uid = ?", (state, uid))
        finish_purge(self._here, self._ledger, uid)
        return True


def candidate(c: sqlite3.Connection, row: sqlite3.Row) -> Candidate:
    """What the ledger knows of one instance."""
    return Candidate(
        promises=tuple(promises(c, row["uid"])),
        settled_at=row["settled_at"],
        corrupt=row["corrupt"] is not None,
        test=bool(row["test"]),
        discarded=bool(row["discarded"]),
    )


def finish_purge(here: Places, ledger: Ledger, uid: str) -> None:
    """Carry out a purge that the ledger has noted; also after a crash in the middle of it.

    The raw recording goes with its last instance, and before it: the other way round a recording without
    an instance could remain, which would be wrapped and sent once more.
    """
    row = instances.instance(ledger, uid)
    assert row is not None and Instance(row["state"]) is Instance.PURGING
    others = ledger.query(
        "SELECT 1 FROM instances WHERE acquisition = ? AND uid <> ? AND state <> 'PURGED' LIMIT 1",
        row["acquisition"],
        uid,
    )
    if not others:
        fsops.remove_folder(here.acquisition(row["acquisition"]))
    folder = here.instances / row["folder"]
    if folder.exists():
        fsops.unlink(here.data / row["path"])
        if not any(layout.files(folder)):
            fsops.remove_folder(folder)
    instances.advance_instance(ledger, uid, "unlinked")
    log.info("instance %s is deleted here: %s", uid, "discarded" if row["discarded"] else "its destinations have it")
