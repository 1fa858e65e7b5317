"""When a destination's courier works, and who stands in for it while it is down.

A destination is worked on in its hours; a batch that has begun by their end is finished. When it has been down for long
enough, what waits for it goes to its stand-in; when it answers again, what the stand-in has not stored comes back. One
that is down is called again and again, with C-ECHO when there is nothing left to send to it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from gateway.clock import Clock
from gateway.destination import Destination
from gateway.spool import standing_in
from gateway.spool.ledger import Ledger
from gateway.transfer.delivering.allowed_times import Hours
from gateway.transfer.delivering.courier import Courier

log = logging.getLogger(__name__)
_CLOSED = 15.0  # seconds between two looks at the clock


class Outage:
    """How long a destination has been down without a break, as this process has seen it. Pure: time is given."""

    def __init__(self) -> None:
        self._since: float | None = None

    def look(self, answers: bool | None, open_: bool, now: float) -> float:
        """Seconds that it has been down at ``now`` (monotonic). Outside its hours nobody can say that it is."""
        if answers is not False or not open_:
            self._since = None
        elif self._since is None:
            self._since = now
        return 0.0 if self._since is None else now - self._since


class Shift:
    """One destination. ``stand_in``: who stands in for it; ``first``: the shift of the one that it stands in for.

    ``ring``: has everybody look at once, when what waits has moved to another destination.
    """

    def __init__(
        self,
        courier: Courier,
        ledger: Ledger,
        clock: Clock,
        stand_in: Destination | None = None,
        first: Shift | None = None,
        ring: Callable[[], None] = lambda: None,
    ) -> None:
        self.courier = courier
        self._ledger = ledger
        self._clock = clock
        self._stand_in = stand_in
        self._first = first
        self._ring = ring
        self._hours = Hours(courier.destination.hours, clock)
        self._outage = Outage()
        self._handing_over = False

    @property
    def words(self) -> str:
        """What a person should know beside how the courier fares; "" = nothing."""
        if self._handing_over and self._stand_in is not None:
            return f"{self._stand_in.name} stands in for it"
        return self._hours.closed()

    def turn(self, beat: Callable[[], None] = lambda: None) -> float:
        """Do what is due; returns the seconds after which to look again."""
        self._take_back(beat)
        closed = self._hours.closed()
        rest = _CLOSED if closed else self._work(beat)
        if self._stand_in is not None:
            self._hand_over(self._stand_in, not closed, beat)
        return rest

    def _work(self, beat: Callable[[], None]) -> float:
        rest, courier = self.courier.turn(beat), self.courier
        waits_elsewhere = self._stand_in is not None and standing_in.standing_in(self._ledger, self._stand_in.name)
        unknown = courier.answers is False or (courier.answers is None and waits_elsewhere)
        if unknown and not standing_in.waits(self._ledger, courier.destination.name):
            courier.probe()  # what waits is tried itself: that says more than a C-ECHO
        return rest

    def _hand_over(self, stand_in: Destination, open_: bool, beat: Callable[[], None]) -> None:
        """By the thread that sends to this one: nothing of what is handed over is on its way here."""
        name = self.courier.destination.name
        down = self._outage.look(self.courier.answers, open_, self._clock.monotonic())
        due = self.courier.answers is False and open_ and down >= stand_in.stand_in_after
        if due != self._handing_over:
            self._handing_over = due
            if due:
                log.warning("%s has been down for %.0f s: %s stands in for it", name, down, stand_in.name)
        count = 0
        while due and (some := standing_in.hand_over(self._ledger, name, stand_in, self._clock.wall())):
            count += some
            beat()
        if count:
            log.info("%d instances that wait for %s go to %s", count, name, stand_in.name)
            self._ring()

    def _take_back(self, beat: Callable[[], None]) -> None:
        """By the thread that sends to the stand-in: nothing of what is taken back is on its way there."""
        if self._first is None or self._first.courier.answers is not True:
            return
        name, first = self.courier.destination.name, self._first.courier.destination.name
        if standing_in.standing_in(self._ledger, name) and (
            count := standing_in.take_back(self._ledger, name, first, self._clock.wall(), beat)
        ):
            log.warning("%s answers again: %d instances go to it after all, and not to %s", first, count, name)
            self._ring()


def shifts(
    couriers: Sequence[Courier], ledger: Ledger, clock: Clock, ring: Callable[[], None] = lambda: None
) -> list[Shift]:
    """One for each courier, in order; stand-ins know whom they stand in for, and the other way round."""
    to = [c.destination for c in couriers]
    first = {
        c.destination.name: Shift(
            c, ledger, clock, next((d for d in to if d.stands_in_for == c.destination.name), None), ring=ring
        )
        for c in couriers
        if not c.destination.stands_in_for
    }
    return [
        Shift(c, ledger, clock, first=first[c.destination.stands_in_for], ring=ring)
        if c.destination.stands_in_for
        else first[c.destination.name]
        for c in couriers
    ]
