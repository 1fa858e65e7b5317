"""How many instances go to a destination in one batch. Pure.

A batch costs an association and two syncs of the ledger, which on a memory card take longer than a hundred small
instances: many in a batch are fast. But what is urgent waits until it is out, and after a cut nobody knows of as many
whether the destination has them. So a batch is what went in a moment the last time, within limits.
"""

from __future__ import annotations

MOMENT = 1.0  # seconds
FEWEST, MOST = 32, 512
MOST_BYTES = 256 << 20  # but at least one instance
_CAPPED = 30.0  # seconds of a batch whose bandwidth is capped


class Pace:
    def __init__(self, rate: float = 0.0) -> None:
        """``rate``: the bandwidth cap in bytes per second; 0 = none."""
        self.most = FEWEST  # instances
        self.most_bytes = min(MOST_BYTES, int(rate * _CAPPED) or MOST_BYTES)

    def went(self, count: int, seconds: float) -> None:
        """So many instances went well, one after the other, in so many seconds."""
        self.most = max(FEWEST, min(MOST, int(count * MOMENT / max(seconds, 1e-3))))

    def broke(self) -> None:
        """An association broke: what else was in its batch is tried again."""
        self.most = FEWEST
