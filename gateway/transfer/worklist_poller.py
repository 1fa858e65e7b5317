"""One RIS's worker: keeps today's worklist on the disk, so that it is there when the network is not."""

from __future__ import annotations

import logging
from collections.abc import Callable

from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.settings import Ris, Settings
from gateway.spool import backoff
from gateway.step import Worklist, keep_worklist
from gateway.transfer import peers, worklist

log = logging.getLogger(__name__)
_IDLE = 5.0  # seconds
_RETRY_FIRST = 5.0


class WorklistPoller:
    """Owned by one thread, which calls :meth:`turn` over and over. The cached answer stays until a better one came."""

    def __init__(self, settings: Settings, ris: Ris, clock: Clock) -> None:
        self._settings = settings
        self.ris = ris
        self._clock = clock
        self._next = 0.0  # monotonic
        self.pause = backoff.Pause(_RETRY_FIRST, float(ris.poll), clock.monotonic)
        self.words = "not asked yet"
        self.answers: bool | None = None
        self.fetched: float | None = None  # wall clock
        self.items = 0

    def turn(self, beat: Callable[[], None] = lambda: None) -> float:
        """Ask if it is time; returns the seconds after which to look again."""
        left = max(self.pause.left(), self._next - self._clock.monotonic())
        if left > 0:
            return min(left, _IDLE)
        beat()
        try:
            self.ask()
        except GatewayError as error:
            seconds = self.pause.failed()
            if self.words != str(error):
                log.warning("%s: %s; tried again in %.0f s, then at longer intervals", self.ris.name, error, seconds)
            self.answers, self.words = False, str(error)
            return min(seconds, _IDLE)
        return min(float(self.ris.poll), _IDLE)

    def ask(self) -> int:
        """Fetch the worklist now and keep it; returns the number of items. Raises what the RIS's silence means."""
        box = self._settings.box
        steps = worklist.query(peers.ris(box, self.ris), **worklist.broad(box, self.ris))
        fetched = self._clock.wall()
        keep_worklist(self._settings.places.worklist, Worklist(self.ris.name, fetched, steps))
        if self.answers is False:
            log.info("%s answers again", self.ris.name)
        self.pause.worked()
        self._next = self._clock.monotonic() + self.ris.poll
        self.answers, self.words, self.fetched, self.items = True, "answers", fetched, len(steps)
        return self.items
