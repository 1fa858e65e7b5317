"""SHA-256 of what is being sent, in a thread beside the one that sends: hashlib lets others run while it works.

So a hash costs no time where a second processor is idle. Begun when there is something to hash, not before.
"""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Callable

Work = Callable[[memoryview], None]


class Hashing:
    """Of one sender: what it feeds must not change until :meth:`settle` has returned."""

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[tuple[Work, memoryview] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._open = 0  # pieces that were fed and are not known to be hashed
        self._thread: threading.Thread | None = None

    def feed(self, digest: hashlib._Hash, data: memoryview) -> None:
        """Update ``digest`` with ``data``, in the order of the calls."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="hashing", daemon=True)
            self._thread.start()
        self._open += 1
        self._work.put((digest.update, data))

    def settle(self) -> None:
        """Wait until all that was fed is hashed."""
        while self._open:
            self._done.get()
            self._open -= 1

    def close(self) -> None:
        self.settle()
        self._work.put(None)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            update, data = work
            update(data)
            del update, data, work  # the buffer is its owner's
            self._done.put(None)
