"""One RIS's worker: keeps today's worklist on the disk, so that it is there when the network is not."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping

from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.settings import Ris, Settings
from gateway.spool import backoff
from gateway.transfer.calling import peers
from gateway.transfer.ris import worklist
from gateway.transfer.ris.step_changes import StepChanges
from gateway.worklists import Worklist, keep_worklist, steps_of

log = logging.getLogger(__name__)
_IDLE = 5.0  # seconds
_RETRY_FIRST = 5.0
SCATTER = 0.1  # of the interval: a hospital's boxes do not ask in the same second


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
        self._changes = StepChanges(settings.places, ris.name)

    def turn(self, beat: Callable[[], None] = lambda: None) -> float:
        """Ask if it is time; returns the seconds after which to look again."""
        left = max(self.pause.left(), self._next - self._clock.monotonic())
        if left > 0:
            return min(left, _IDLE)
        try:
            self.ask(beat)
        except GatewayError as error:
            seconds = self.pause.failed()
            if self.words != str(error):
                log.warning("%s: %s; tried again in %.0f s, then at longer intervals", self.ris.name, error, seconds)
            self.answers, self.words = False, str(error)
            return min(seconds, _IDLE)
        return min(float(self.ris.poll), _IDLE)

    def ask(self, beat: Callable[[], None] = lambda: None) -> int:
        """Fetch the worklist now and keep it; returns the number of items. Raises what the RIS's silence means."""
        beat()
        self.items, self.fetched = fetch(self._settings, self.ris, self._clock.wall(), beat=beat)
        steps = steps_of(self._settings.places.worklist, self.ris.name)
        self._changes.look(steps, self.items < self.ris.most, self.fetched)
        if self.answers is False:
            log.info("%s answers again", self.ris.name)
        self.pause.worked()
        self._next = self._clock.monotonic() + self.ris.poll * random.uniform(1 - SCATTER, 1 + SCATTER)  # noqa: S311
        self.answers = True
        more = f", and has more than the {self.items} that are taken (setting most)"
        self.words = "answers" + (more if self.items >= self.ris.most else "")
        return self.items


def fetch(
    settings: Settings,
    ris: Ris,
    now: float,
    asked: Mapping[str, str] | None = None,
    beat: Callable[[], None] = lambda: None,
) -> tuple[int, float]:
    """Ask the RIS for this station's day, or for one patient, and keep the answer.

    ``asked``: keys of worklist.PATIENT. Returns the number of items, and the wall time that counts as their age: that
    before the question.
    """
    keys = worklist.about_patient(ris, asked) if asked else worklist.broad(settings.box, ris)
    steps = worklist.find(peers.ris(settings.box, ris), beat=beat, **keys)
    answer = Worklist(ris.name, now, steps, dict(asked or {}))
    return keep_worklist(settings.places.worklist, answer, ris.most), now
