"""One recording is wrapped, or given to another exam, at a time: whose it is stays as it is until its instances are."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

_lock = threading.Lock()


@contextlib.contextmanager
def undisturbed(beat: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Waits while another thread is at it; that one is watched, and ``beat`` says that who waits is not stuck."""
    while not _lock.acquire(timeout=1.0):
        beat()
    try:
        yield
    finally:
        _lock.release()
