"""One line in the journal for each association that stores: with whom, how many, how much, how long, how it ended."""

from __future__ import annotations

import logging
import time

from gateway.model import InstanceRef
from gateway.transfer.calling.outcomes import Failed, Outcome
from gateway.transfer.calling.requestor import Requestor

log = logging.getLogger(__name__)


class Entry:
    """Of one association; made when it is established."""

    def __init__(self, requestor: Requestor) -> None:
        self._peer = requestor.peer
        self._tls = requestor.tls()
        self._began = time.monotonic()
        self._told = self._stored = self._bytes = 0

    def told(self, instance: InstanceRef, outcome: Outcome) -> None:
        """What became of one instance. Of bytes those count that the peer says it has."""
        self._told += 1
        if outcome.good:
            self._stored += 1
            self._bytes += instance.size

    def ended(self, failed: Failed | None = None) -> None:
        """Write the line; ``failed``: it broke."""
        seconds = time.monotonic() - self._began
        how = f"{self._stored} of {self._told} instances stored, {self._bytes} bytes in {seconds:.2f} s"
        under = f", {self._tls.split(',', maxsplit=1)[0]}" if self._tls else ""
        end = f"; it broke ({failed.outcome.code})" if failed is not None else ""
        log.info("association with %s: %s%s%s", self._peer, how, under, end)
