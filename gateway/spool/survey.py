"""How the spool is doing, in numbers and in one line of words."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

from gateway import exam
from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.settings import Settings
from gateway.spool import room
from gateway.spool.ledger import Ledger
from gateway.spool.routing import NO_RULE

_COUNTS = {
    "recording": "SELECT count(*) FROM acquisitions WHERE state = 'RECORDING' AND held IS NULL",
    "to_wrap": "SELECT count(*) FROM acquisitions WHERE state = 'KEPT' AND held IS NULL",
    "held_recordings": "SELECT count(*) FROM acquisitions WHERE held IS NOT NULL",
    "instances": "SELECT count(*) FROM instances WHERE state = 'SPOOLED'",
    "unfinished": "SELECT count(*) FROM instances WHERE state = 'SPOOLED' AND settled_at IS NULL",
    "corrupt": "SELECT count(*) FROM instances WHERE corrupt IS NOT NULL",
    "held_deliveries": "SELECT count(*) FROM deliveries WHERE held IS NOT NULL AND waived IS NULL",
    "unrouted": "SELECT count(*) FROM instances WHERE unrouted AND state = 'SPOOLED' AND NOT discarded",
    "held_steps": "SELECT count(*) FROM steps WHERE held IS NOT NULL",
}
_PER_DESTINATION = """
    SELECT destination, state, count(*) AS number, sum(held IS NOT NULL) AS held, min(queued_at) AS oldest
    FROM deliveries WHERE waived IS NULL AND taken_by IS NULL GROUP BY destination, state
"""


# What goes on without an error, but does not get done: tried in vain, asked in vain, or simply waiting for too long.
_MANY = 5  # attempts to send
_ASKED = 2  # requests for commitment that nothing came of
_LONG = 86400.0  # seconds
_STUCK = """
    SELECT d.destination, count(*) AS number, max(d.attempts) AS attempts, min(d.queued_at) AS oldest, d.words
    FROM instances i JOIN deliveries d ON d.instance = i.uid
    WHERE i.state = 'SPOOLED' AND i.settled_at IS NULL AND i.corrupt IS NULL AND d.held IS NULL AND d.waived IS NULL
      AND d.taken_by IS NULL AND d.policy <> 'copy'
      AND (d.state = 'QUEUED' OR d.policy = 'commitment' AND d.state <> 'COMMITTED')
      AND (d.attempts >= ? OR d.state <> 'QUEUED' AND d.attempts >= ? OR d.queued_at < ?)
    GROUP BY d.destination ORDER BY d.destination
"""
_STUCK_STEPS = """
    SELECT ris, count(*) AS number, max(attempts) AS attempts, words FROM steps
    WHERE state <> 'DONE' AND held IS NULL AND attempts >= ? GROUP BY ris ORDER BY ris
"""


def queue(ledger: Ledger) -> dict[str, Any]:
    """Counts, and since when (wall clock) the oldest instance waits that not every destination has taken."""
    counts: dict[str, Any] = {name: ledger.query(sql)[0][0] for name, sql in _COUNTS.items()}
    oldest = ledger.query("SELECT min(wrapped_at) FROM instances WHERE state = 'SPOOLED' AND settled_at IS NULL")
    return counts | {"oldest": oldest[0][0]}


def destinations(ledger: Ledger) -> dict[str, dict[str, int]]:
    """Per destination: deliveries by state, and how many are held."""
    found: dict[str, dict[str, int]] = {}
    for row in ledger.query(_PER_DESTINATION):
        counts = found.setdefault(row["destination"], {"held": 0})
        counts[row["state"]] = row["number"]
        counts["held"] += row["held"]
    return found


def troubles(settings: Settings, ledger: Ledger, clock: Clock, counts: dict[str, Any]) -> list[str]:
    """What is not well in the spool, the worst first, each with what to do."""
    found = []
    if counts["corrupt"]:
        found.append(f"{counts['corrupt']} instances are damaged on the disk: gateway queue list")
    if trouble := room.space(settings, ledger, clock.wall()).trouble:
        found.append(trouble)
    held = counts["held_recordings"] + counts["held_deliveries"] + counts["held_steps"]
    if held:
        found.append(f"{held} held, a person must look: gateway queue list")
    known = {d.name for d in settings.destinations} | ({"media"} if settings.media else set())
    if gone := _unfinished_at(ledger, known):
        names = ", ".join(sorted(gone))
        found.append(f"instances wait for {names}, no longer configured: configure it, or gateway queue waive")
    if settings.destinations and counts["unrouted"]:
        found.append(f"{counts['unrouted']} instances go to no destination: {NO_RULE}")
    found += _stuck(ledger, clock.wall())
    if not clock.trusted():
        found.append("the clock is not synchronized: nothing is deleted, and recordings are marked so")
    if not settings.destinations and not (settings.media and settings.media.policy == "media-verified"):
        found.append("no destination is configured: nothing leaves the box")
    return found


def _stuck(ledger: Ledger, now: float) -> list[str]:
    found = []
    for row in ledger.query(_STUCK, _MANY, _ASKED, now - _LONG):
        tried = f"tried {row['attempts']} times" if row["attempts"] else "not tried yet"
        since = f", the oldest for {(now - row['oldest']) / 3600:.0f} h" if now - row["oldest"] >= 3600 else ""
        what = f"{row['number']} instances wait for {row['destination']}, {tried}{since}"
        found.append(f"{what}: {row['words']}; gateway queue list" if row["words"] else f"{what}: gateway queue list")
    for row in ledger.query(_STUCK_STEPS, _MANY):
        what = f"{row['number']} procedure steps wait for {row['ris']}, tried {row['attempts']} times"
        found.append(f"{what}: {row['words']}; gateway queue list")
    return found


def interrupted(settings: Settings, ids: Iterable[str]) -> list[str]:
    """The exams among ``ids`` that a restart interrupted and nobody has closed since."""
    found = []
    for name in ids:
        with contextlib.suppress(GatewayError):
            if exam.interrupted(exam.load(settings.places, name)):
                found.append(f"exam {name} was interrupted by a restart: gateway exam stop {name}")
    return found


def in_words(troubles: Iterable[str], counts: dict[str, Any]) -> str:
    """The one line."""
    troubles = list(troubles)
    if troubles:
        more = f" (and {len(troubles) - 1} more)" if len(troubles) > 1 else ""
        return f"{troubles[0]}{more}"
    waiting = counts["unfinished"] + counts["to_wrap"]
    return f"all is well; {waiting} on their way" if waiting else "all is well; nothing waits"


def _unfinished_at(ledger: Ledger, known: set[str]) -> set[str]:
    rows = ledger.query(
        "SELECT DISTINCT d.destination FROM deliveries d JOIN instances i ON i.uid = d.instance"
        " WHERE i.state = 'SPOOLED' AND i.settled_at IS NULL AND d.waived IS NULL AND d.taken_by IS NULL"
        " AND d.policy <> 'copy'"
    )
    return {r["destination"] for r in rows} - known
