"""What the failures so far say of a peer: how it is approached the next time, and whether it is left alone for longer.

A peer that drops an association may only be unable to do what it agreed to: so for a while it gets one instance at a
time, on one association, which also shows at which instance it breaks. And an instance that fails again, and again, is
no reason to be away for longer from a peer that does well otherwise.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from gateway.spool.backoff import Pause
from gateway.transfer.calling.peers import Peer

_TURNS = 8  # that must go well until the peer is trusted again with more than one instance at a time
_REMEMBERED = 100  # instances; where more fail, it is the peer


class Caution:
    def __init__(self, pause: Pause) -> None:
        self._pause = pause
        self._turns = 0
        self._failed: set[str] = set()  # SOP Instance UIDs, since something worked

    def approach(self, peer: Peer) -> Peer:
        """The peer, as it is to be called now."""
        return dataclasses.replace(peer, associations=1, operations=1) if self._turns else peer

    def broke(self) -> None:
        """An association broke with instances on their way."""
        self._turns = _TURNS

    def failed(self, instances: Collection[str], asked: float = 0.0) -> float:
        """Nothing worked; returns the seconds to leave the peer alone.

        ``instances``: SOP Instance UIDs of those that it got to see, and did not store; none, if it did not get so far.
        ``asked``: the seconds for which the peer itself asks to be left alone.
        """
        known = bool(instances) and self._failed.issuperset(instances)
        if len(self._failed) < _REMEMBERED:
            self._failed.update(instances)
        return self._pause.failed(grows=not known, asked=asked)

    def worked(self, whole: bool) -> None:
        """Something did; ``whole``: and nothing broke."""
        self._failed.clear()
        self._turns -= bool(self._turns and whole)
        self._pause.worked()
