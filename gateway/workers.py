"""The threads of a process, one for each worker: its rounds, its heart, its bell, and what a failed round means.

A worker is a function that does what is due and says after how many seconds to look again. Each is owned by one thread
and knows nothing of the others. One that fails through a bug rests and goes on, loudly; what may pass by itself is
tried again, said once; a failure that would risk data stops the process.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from gateway.clock import Clock
from gateway.errors import Fatal, GatewayError, in_words
from gateway.service import Heart, Service

log = logging.getLogger(__name__)
_LOOK = 1.0  # seconds between two beats of a resting worker
_AFTER_DEFECT = 30.0  # seconds a worker rests after a failure it did not expect
_AFTER_FAILURE = 5.0  # seconds it rests after one that may pass: of the disk, above all
WORKING = 120.0  # seconds without progress: 60, and as many for one sync of some ten MiB on a worn-out card

Turn = Callable[[Callable[[], None]], float]  # a worker's round: takes its beat, returns the seconds to rest


class Workers:
    """All workers of one process. ``failed``: why it must stop, if one found that out."""

    def __init__(self, service: Service, clock: Clock) -> None:
        self.failed: Exception | None = None
        self.failing: dict[str, str] = {}  # workers whose last round failed, and why
        self._service = service
        self._clock = clock
        self._bells: list[threading.Event] = []
        self._threads: list[threading.Thread] = []

    def begin(self, name: str, turn: Turn, patience: float = WORKING) -> None:
        """One more worker, from now on. ``patience``: seconds without a beat after which it counts as stuck."""
        bell = threading.Event()
        self._bells.append(bell)
        heart = self._service.heart(name, patience)
        thread = threading.Thread(target=self._work, args=(name, turn, bell, heart), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def ring(self) -> None:
        """Something has changed: let every worker look at once."""
        for bell in self._bells:
            bell.set()

    def end(self, seconds: float) -> bool:
        """Wait for all to end, so long for each, once the service is stopping; whether they did."""
        self.ring()
        for thread in self._threads:
            thread.join(timeout=seconds)
        return not any(t.is_alive() for t in self._threads)

    def _work(self, name: str, turn: Turn, bell: threading.Event, heart: Heart) -> None:
        stopping = self._service.stopping
        while not stopping.is_set():
            bell.clear()
            rest = self._round(name, turn, heart.beat)
            until = self._clock.monotonic() + rest
            while (left := until - self._clock.monotonic()) > 0 and not stopping.is_set():
                heart.beat()
                if bell.wait(min(left, _LOOK)):
                    break
        heart.end()

    def _round(self, name: str, turn: Turn, beat: Callable[[], None]) -> float:
        """Seconds to rest after it."""
        try:
            rest = turn(beat)
            if self.failing.pop(name, None) is not None:
                log.info("%s: goes on", name)
            return rest
        except Fatal as error:
            log.critical("%s: %s; this process stops", name, error)
            self.failed = error
            self._service.stopping.set()
        except (GatewayError, OSError) as error:
            words = in_words(error) if isinstance(error, OSError) else str(error)
            if self.failing.get(name) != words:  # said once, not at every try
                log.error("%s: %s; tried again every %.0f s", name, words, _AFTER_FAILURE)
            self.failing[name] = words
            return _AFTER_FAILURE
        except Exception:
            log.exception("%s: a defect of this program; it goes on in %.0f s", name, _AFTER_DEFECT)
        return _AFTER_DEFECT
