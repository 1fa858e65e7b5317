"""A bandwidth cap: a token bucket that all associations with one destination share.

It lies between the file and the association, PDU by PDU: these are made small enough that several go out in a second,
so the peer sees progress, the caller's heart beats, and time-outs, which run per progress, mean what they say. The
answers and what else the peer sends are small and not counted.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence

from gateway.transfer.association.connection import Buffer

Report = Callable[[int], None]  # hears of bytes of the data set that are out
Blocks = Callable[[Report], Iterator[Sequence[Buffer]]]
_STEP = 0.25  # seconds that one PDU takes, at most
_LEAST, _MOST = 1024, 16384  # bytes in a PDU
_BURST = 1.0  # seconds whose bytes may go at once after a rest


class Throttle:
    """``rate``: bytes per second. Any thread may take from it."""

    def __init__(
        self,
        rate: float,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.rate = rate
        self._monotonic = monotonic
        self._sleep = sleep
        self._lock = threading.Lock()
        self._free_at = monotonic()  # when all that was taken so far is paid for

    def fragment(self, allowed: int) -> int:
        """Bytes of data in one P-DATA-TF, of those ``allowed``: what goes out within a quarter second."""
        return min(allowed, max(_LEAST, min(_MOST, int(self.rate * _STEP))))

    def take(self, size: int) -> None:
        """Wait until ``size`` bytes may go. Several callers are served in the order in which they came."""
        with self._lock:
            now = self._monotonic()
            start = max(self._free_at, now - _BURST)
            self._free_at = start + size / self.rate
            wait = self._free_at - now
        if wait > 0:
            self._sleep(wait)

    def paced(self, blocks: Blocks, report: Report | None) -> Iterator[Sequence[Buffer]]:
        """The P-DATA-TF of ``blocks`` (each a header and its data) one after the other.

        ``report`` hears how far it is, as from ``blocks``, and of each PDU besides, so that it beats while we wait.
        """
        sent = 0

        def reached(now: int) -> None:
            nonlocal sent
            sent = now
            if report is not None:
                report(sent)

        for block in blocks(reached):
            for at in range(0, len(block), 2):
                pdu = block[at : at + 2]
                self.take(sum(map(len, pdu)))
                yield pdu
                reached(sent)
