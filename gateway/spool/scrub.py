"""What lies in the spool is read again from time to time, slowly, and compared with what was written.

So a file that a failing disk has spoiled is found while a PACS, a stick or the raw recording may still have it whole,
not on the day it is asked for. Whatever was adopted without a hash gets one.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path

from gateway.clock import Clock
from gateway.settings import Settings
from gateway.spool import instances, layout
from gateway.spool.ledger import Ledger
from gateway.spool.states import Instance

log = logging.getLogger(__name__)
DAY = 86400.0
_SHARE = 0.05  # of the time that is spent on reading; the rest is the disk's for others
_AT_ONCE = 50  # instances noted in one SQL transaction
_IDLE = 60.0  # seconds
_NEXT = """
    SELECT uid, path, sha256, checked_at FROM instances
    WHERE state = 'SPOOLED' AND corrupt IS NULL ORDER BY checked_at LIMIT ?
"""

Pause = Callable[[float], bool]  # waits so many seconds; true if the process is stopping


class Stopping(Exception):
    """The process ends in the middle of a file: it is read again some other time."""


def due(checked_at: float | None, every: float, now: float) -> bool:
    """Whether it is time to read an instance again. ``every`` in days; a time to come is a clock that was set back."""
    return checked_at is None or not 0 <= now - checked_at < every * DAY


def pause_after(seconds: float) -> float:
    """How long to rest after ``seconds`` of reading."""
    return seconds * (1 / _SHARE - 1)


class Scrubber:
    """Owned by one thread, which calls :meth:`turn` over and over."""

    def __init__(self, settings: Settings, ledger: Ledger, clock: Clock, pause: Pause) -> None:
        self._data = settings.box.data
        self._every = settings.spool.scrub
        self._ledger = ledger
        self._clock = clock
        self._pause = pause

    def turn(self, beat: Callable[[], None] = lambda: None) -> float:
        """Read what is due, a few files; returns the seconds after which to look again."""
        if not self._every:
            return _IDLE
        now = self._clock.wall()
        rows = [r for r in self._ledger.query(_NEXT, _AT_ONCE) if due(r["checked_at"], self._every, now)]
        try:
            good = {row["uid"]: found for row in rows if (found := self._read(row, beat)) is not None}
        except Stopping:
            return _IDLE
        if good:
            instances.checked(self._ledger, good, self._clock.wall())
        return 0.0 if len(rows) == _AT_ONCE else _IDLE

    def _read(self, row: sqlite3.Row, beat: Callable[[], None]) -> str | None:
        """The file's SHA-256, if it is as it was written; else an alarm."""
        since = self._clock.monotonic()

        def progress() -> None:
            nonlocal since
            beat()
            if self._pause(pause_after(self._clock.monotonic() - since)):
                raise Stopping
            since = self._clock.monotonic()

        try:
            found = layout.sha256(self._data / row["path"], progress)
        except OSError as error:
            self._alarm(row["uid"], f"its file cannot be read ({error.strerror})")
            return None
        if row["sha256"] not in (None, found):
            self._alarm(row["uid"], "its file is not what was written")
            return None
        return found

    def _alarm(self, uid: str, words: str) -> None:
        row = instances.instance(self._ledger, uid)
        if row is None or Instance(row["state"]) is not Instance.SPOOLED:
            return  # purged in this moment
        instances.mark_corrupt(self._ledger, uid, words)
        log.error("instance %s: %s; %s; check the disk", uid, words, self._where_else(row))

    def _where_else(self, row: sqlite3.Row) -> str:
        """Who may still have it whole, and what a person can do."""
        rows = self._ledger.query(
            "SELECT destination FROM deliveries WHERE instance = ? AND (sent_sha256 IS NOT NULL"
            " OR state IN ('COMMITTED', 'VERIFIED')) ORDER BY destination",
            row["uid"],
        )
        if rows:
            return f"{', '.join(r['destination'] for r in rows)} took it while it was whole"
        if Path(self._data / "acquisitions" / row["acquisition"]).exists():
            return f"its recording is here: gateway queue release {row['uid']} makes it anew"
        if layout.is_import(row["folder"]):
            return "the medium from which it was imported may have it whole"
        return "nobody else has it: compare with a backup"
