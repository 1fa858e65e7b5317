"""How long to wait for a commitment report on the association that asked for it. Pure; one for each peer.

Some peers report there and nowhere else, most call back on an association of their own, some only after days (PS3.4
J.3.3 leaves it to them). So the first requests wait a moment; a peer that has not used it does not cost that moment
again. One whose report did not come at all may have found the association closed: the next request waits for longer.
"""

from __future__ import annotations

MOMENT = 2.0  # seconds
_REQUESTS = 3  # in a row that wait in vain, until no more do


class Lingering:
    def __init__(self, patience: float) -> None:
        """``patience``: seconds to wait where the peer seems to need them."""
        self._patience = patience
        self._seconds = MOMENT
        self._left = _REQUESTS

    def seconds(self) -> float:
        """How long the next request waits; less, if the report comes before, on whichever association."""
        return self._seconds if self._left else 0.0

    def came(self) -> None:
        """A report came on the association of its request."""
        self._left = _REQUESTS

    def did_not_come(self) -> bool:
        """The request was taken, and no report came on its association; True if no more will wait for that."""
        self._left -= bool(self._left)
        return not self._left

    def in_vain(self) -> float:
        """No report came at all; returns the seconds that the next request waits on its association."""
        self._seconds, self._left = max(self._seconds, self._patience), max(self._left, 1)
        return self._seconds
