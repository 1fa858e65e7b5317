"""Several associations with one peer beside each other: each in a thread, all taking from the same instances.

It pays where a peer or a link is slow to answer, and nowhere else. A peer that grants fewer than are asked for is
served by those it grants. The caller's thread alone sees outcomes and progress.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Iterator

from gateway.model import InstanceRef
from gateway.transfer.association.negotiation import Pair
from gateway.transfer.calling.outcomes import Failed, Outcome
from gateway.transfer.calling.peers import Peer
from gateway.transfer.calling.requestor import Requestor
from gateway.transfer.storing.sending import Progress, Waiting, send_all

log = logging.getLogger(__name__)
_AHEAD = 256  # events that wait for the caller; beyond that progress is not told, outcomes always are
_PATIENCE = 5.0  # seconds for a thread to end whose connection was cut

Event = tuple[InstanceRef, Outcome | int]  # an outcome, or bytes sent so far


class _Stopped(Exception):
    """Nobody wants the rest."""


class _Crew:
    def __init__(self, peer: Peer, pairs: list[Pair], waiting: Waiting) -> None:
        self.peer = peer
        self.pairs = pairs
        self.waiting = waiting
        self.events: queue.SimpleQueue[Event | BaseException | None] = queue.SimpleQueue()
        self.stopping = False
        self.established: list[Requestor] = []

    def work(self) -> None:
        """One association after another while there is something to send (a file that fails may cost one)."""
        end: BaseException | None = None
        try:
            while len(self.waiting) and not self.stopping:
                for told in send_all(self.peer, self.pairs, self.waiting, self._progress, self._established):
                    self.events.put(told)
                    if self.stopping:
                        raise _Stopped
        except BaseException as error:
            end = error
        self.events.put(end)

    def _progress(self, instance: InstanceRef, sent: int) -> None:
        if self.events.qsize() < _AHEAD:
            self.events.put((instance, sent))

    def _established(self, requestor: Requestor) -> None:
        self.established.append(requestor)
        if self.stopping:
            raise _Stopped


def send(
    peer: Peer, pairs: list[Pair], waiting: Waiting, count: int, progress: Progress | None
) -> Iterator[tuple[InstanceRef, Outcome]]:
    """As :func:`gateway.transfer.storing.sending.send_all`, on ``count`` associations.

    Raises Failed when the last of them broke and something is still waiting.
    """
    crew = _Crew(peer, pairs, waiting)
    threads = [threading.Thread(target=crew.work, name=f"to {peer.name} {i + 1}", daemon=True) for i in range(count)]
    for thread in threads:
        thread.start()
    try:
        failures: list[Failed] = []
        running = count
        while running:
            event = crew.events.get()
            if isinstance(event, tuple):
                instance, told = event
                if isinstance(told, Outcome):
                    yield instance, told
                elif progress is not None:
                    progress(instance, told)
                continue
            running -= 1
            if isinstance(event, Failed):
                failures.append(event)
            elif event is not None:
                raise event
        if failures and len(waiting):
            raise failures[-1]
        for failed in failures:
            log.info("%s; the others of %d associations went on", failed.outcome.words, count)
    finally:
        crew.stopping = True
        for requestor in crew.established:
            requestor.cut()
        if crew.established:  # those that are still connecting end by themselves
            for thread in threads:
                thread.join(_PATIENCE)
