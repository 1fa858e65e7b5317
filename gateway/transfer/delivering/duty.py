"""What a worker of one destination works with: whom it serves, from which ledger, by which way."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.clock import Clock
from gateway.destination import Destination
from gateway.settings import Settings
from gateway.spool import backoff
from gateway.spool.ledger import Ledger
from gateway.transfer.delivering.transports import Transport


@dataclass(frozen=True, slots=True)
class Duty:
    settings: Settings
    destination: Destination
    ledger: Ledger
    clock: Clock
    by: Transport

    @property
    def name(self) -> str:
        return self.destination.name

    def later(self, attempts: int) -> float:
        """The wall time of the next try after so many."""
        to = self.destination
        return self.clock.wall() + backoff.wait(attempts, to.retry_first, to.retry_most)
