"""Room on the disk: what may be deleted, and the deletion itself.

:func:`purgeable` is the one function that may authorise a deletion of anything that was kept.
"""

from __future__ import annotations

import logging
import math
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from gateway import fsops
from gateway.clock import Clock
from gateway.places import Places
from gateway.settings import Settings
from gateway.spool import instances, layout
from gateway.spool.ledger import Ledger
from gateway.spool.settling import Promise, date_settled, promises
from gateway.spool.states import INSTANCE, Instance, advance

log = logging.getLogger(__name__)
DAY = 86400.0
_AT_ONCE = 100  # instances looked at in one round
# Those that only wait for a copy are left out here, or a hundred of them would hide all the others.
_OLD_ENOUGH = """
    SELECT uid FROM instances i WHERE settled_at > 0 AND settled_at <= ? AND state <> 'PURGED'
      AND (settled_at <= ? OR NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.instance = i.uid AND d.policy = 'copy'
        AND d.state = 'QUEUED' AND d.waived IS NULL AND d.superseded_by IS NULL))
    ORDER BY settled_at LIMIT ?
"""


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


def purgeable(candidate: Candidate, retention: float, now: float, trusted: bool, wait: float = math.inf) -> Verdict:
    """Whether the box may delete this. ``retention`` in days; ``now`` is the wall clock, ``trusted`` if it is believed.

    Every destination that counts has what its policy asks for, there is at least one, the retention time is over,
    and the clock is believed; or a person discarded a test recording, or one without any sample. What is corrupt
    never goes. A copy for a medium that was asked for (policy "copy") takes no responsibility, but it cannot be made
    any more once the instance is gone: it is waited for, ``wait`` days from when all others had it.
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
    if any(p.owed for p in candidate.promises):
        if now - candidate.settled_at < wait * DAY:
            return Verdict(False, "its copy for a medium is not made yet")
        return Verdict(True, "every destination has taken responsibility, and no medium came to take a copy")
    return Verdict(True, "every destination has taken responsibility and the retention time is over")


def patience(settings: Settings) -> float:
    """Days that a copy for a medium is waited for; none where no medium is configured any more."""
    return settings.media.wait if settings.media is not None else 0.0


class Purger:
    """Deletes what :func:`purgeable` allows, the longest settled first; PURGING is noted before, PURGED after."""

    def __init__(self, here: Places, ledger: Ledger, clock: Clock, retention: float, wait: float = math.inf) -> None:
        self._here = here
        self._ledger = ledger
        self._clock = clock
        self._retention = retention
        self._wait = wait

    def turn(self, beat: Callable[[], None] = lambda: None, short: bool = False) -> int:
        """One round; returns how many instances were deleted.

        ``short``: the disk is filling. Then no copy is waited for: a box that refuses recordings to keep what the PACS
        has would be the worse loss.
        """
        now = self._clock.now()
        wait = 0.0 if short else self._wait
        if now.trusted:
            date_settled(self._ledger, now.wall)
        rows = self._ledger.query(
            _OLD_ENOUGH,
            now.wall - self._retention * DAY,
            max(0.0, now.wall - wait * DAY),
            _AT_ONCE,
        )
        rows += self._ledger.query("SELECT uid FROM instances WHERE state = 'PURGING'")  # a crash came between
        rows += self._ledger.query("SELECT uid FROM instances WHERE discarded AND state = 'SPOOLED' LIMIT ?", _AT_ONCE)
        count = 0
        for uid in dict.fromkeys(r["uid"] for r in rows):
            beat()
            count += self._purge(uid, wait)
        return count

    def _purge(self, uid: str, wait: float) -> bool:
        now = self._clock.now()
        with self._ledger.change() as c:
            row = c.execute("SELECT * FROM instances WHERE uid = ?", (uid,)).fetchone()
            if Instance(row["state"]) is Instance.SPOOLED:
                one = candidate(c, row)
                verdict = purgeable(one, self._retention, now.wall, now.trusted, wait)
                if not verdict.allowed:
                    return False
                if any(p.owed for p in one.promises) and not one.discarded:
                    log.warning("instance %s is deleted without a copy on a medium: %s", uid, verdict.words)
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
