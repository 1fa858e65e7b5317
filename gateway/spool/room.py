"""How full the disk is, in words, and how long what is left may last: said while there is still time to act."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from gateway.acquire.admission import MIB, refusal, room
from gateway.settings import Settings
from gateway.spool.ledger import Ledger

log = logging.getLogger(__name__)
_DAY = 86400.0  # seconds
_TIMES = 3  # a recording and its instance together, in sizes of the instance: counts are kept wider than samples


@dataclass(frozen=True, slots=True)
class Space:
    """Room where recordings are kept. ``trouble`` is "" if there is enough of it."""

    free: int  # MiB
    reserve: int  # MiB
    warn: int  # MiB
    admits: bool  # whether a recording may begin, however short
    trouble: str

    def as_json(self) -> dict[str, Any]:
        return {"free": self.free, "reserve": self.reserve, "warn": self.warn, "admits": self.admits}


def space(settings: Settings, ledger: Ledger, now: float) -> Space:
    """The room as it is. ``now`` is the wall clock."""
    data, own = settings.box.data, settings.spool
    found = room(data)
    refused = refusal(found, data, own.reserve)
    trouble = ""
    if refused is not None:
        trouble = f"{refused.message}; {refused.fix}"
    elif found.mebibytes < own.warn:
        trouble = f"the disk is filling: {found.mebibytes} MiB are free{_lasts(ledger, found.free, own.reserve, now)}"
        waiting = ledger.query("SELECT count(*) FROM instances WHERE state = 'SPOOLED' AND settled_at IS NULL")[0][0]
        if waiting:
            trouble += f"; {waiting} instances wait for their destinations and may not be deleted: gateway queue list"
        else:
            trouble += f"; nothing waits: shorten spool.retention ({own.retention:g} days), or use a larger disk"
    return Space(found.mebibytes, own.reserve, own.warn, refused is None, trouble)


def _lasts(ledger: Ledger, free: int, reserve: int, now: float) -> str:
    """How long the room lasts at the pace of the last 24 hours; "" if nothing was recorded in them."""
    row = ledger.query("SELECT coalesce(sum(size), 0) FROM instances WHERE wrapped_at BETWEEN ? AND ?", now - _DAY, now)
    pace = _TIMES * row[0][0]  # bytes a day
    if not pace:
        return ""
    days = max(0, free - reserve * MIB) / pace
    words = f"{days:.0f} days" if days >= 2 else f"{days * 24:.0f} hours"
    return f", which last about {words} at the pace of the last 24 hours"


class Alarm:
    """Says in the log, once per change, how the room is."""

    def __init__(self) -> None:
        self._level = ""

    def look(self, seen: Space) -> None:
        level = "" if not seen.trouble else "filling" if seen.admits else "full"
        if level == self._level:
            return
        if level:
            log.log(logging.ERROR if level == "full" else logging.WARNING, "%s", seen.trouble)
        else:
            log.info("there is room again: %d MiB are free", seen.free)
        self._level = level
