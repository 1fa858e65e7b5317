"""What a destination has not kept yet follows the policy of today's configuration, and no other.

Somebody who relaxes a policy wants to be free of what waits for a commitment that will never come; somebody who makes
it stricter means the instances that are still to be sent, too. What was kept by the policy under which it was queued
stays kept; and what a medium brought back, and nobody has sent, is asked for as before. It is noted in the audit trail,
once for each destination and start, before anything changes.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable

from gateway.clock import Clock
from gateway.destination import Destination
from gateway.settings import Settings
from gateway.spool import audit
from gateway.spool.ledger import Ledger
from gateway.spool.settling import settle
from gateway.spool.states import FREES, Delivery

log = logging.getLogger(__name__)
_AT_ONCE = 200  # deliveries in one SQL transaction
# By way of what is not settled: however much was purged, it is not looked at.
_OTHERS = """
    SELECT d.instance, d.state, d.policy, i.wrapped_at FROM instances i INDEXED BY instances_unfinished
    CROSS JOIN deliveries d ON d.instance = i.uid AND d.destination = ?
    WHERE i.state = 'SPOOLED' AND i.settled_at IS NULL AND (i.wrapped_at, i.uid) > (?, ?)
      AND d.policy <> ? AND d.waived IS NULL AND (d.state = 'QUEUED' OR d.sent_sha256 IS NOT NULL)
    ORDER BY i.wrapped_at, i.uid LIMIT ?
"""


class Policies:
    """Run once after a start, by one thread, in slices: :meth:`turn` until it says that there is no more."""

    def __init__(self, settings: Settings, ledger: Ledger, clock: Clock) -> None:
        self._settings = settings
        self._ledger = ledger
        self._clock = clock
        self._left = list(settings.destinations)
        self._after: tuple[float, str] = (-1.0, "")
        self._count = 0

    def turn(self, beat: Callable[[], None] = lambda: None) -> bool:
        """One slice of one destination's; whether there is more."""
        if not self._left:
            return False
        beat()
        to = self._left[0]
        rows = self._ledger.query(_OTHERS, to.name, *self._after, to.policy, _AT_ONCE)
        if rows:
            self._after = rows[-1]["wrapped_at"], rows[-1]["instance"]
            self._change(to, [r for r in rows if Delivery(r["state"]) not in FREES[r["policy"]]])
            return True
        if self._count:
            log.warning(
                "%d instances that %s has not kept yet follow its policy %r now", self._count, to.name, to.policy
            )
        self._left.pop(0)
        self._after, self._count = (-1.0, ""), 0
        return bool(self._left)

    def _change(self, to: Destination, rows: list[sqlite3.Row]) -> None:
        if not rows:
            return
        if not self._count:
            before = " and ".join(sorted({repr(r["policy"]) for r in rows}))
            why = f"what it has not kept yet was queued under {before} and follows the configuration"
            audit.append(self._settings.places.audit, self._clock.now(), "rule", f"policy {to.policy}", to.name, why)
        self._count += len(rows)
        with self._ledger.change() as c:
            c.executemany(
                "UPDATE deliveries SET policy = ? WHERE instance = ? AND destination = ?",
                [(to.policy, r["instance"], to.name) for r in rows],
            )
            settle(c, *(r["instance"] for r in rows))
