"""A process as systemd sees it: ready, status, watchdog, stopping (sd_notify(3)), signals and the log.

Every long-lived thread has a :class:`Heart` and beats it whenever it makes progress. The watchdog is pinged only
while every heart has beaten within its patience: one stuck thread is enough to have the process restarted,
and a slow transfer that beats is not stuck. By hand, without systemd, all of this does nothing but stop cleanly.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import signal
import socket
import stat
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

from gateway import journal

log = logging.getLogger(__name__)

try:
    # Never a bare `import systemd`: without systemd-python that succeeds with the checkout's folder of units.
    from systemd import daemon
except ImportError:
    daemon = None

_LOOK = 1.0  # seconds between two looks at the hearts, at most


class Heart:
    """One thread's sign of life. Beat it from that thread only, at every piece of progress."""

    def __init__(self, thread: str, patience: float, stopping: threading.Event, monotonic: Callable[[], float]) -> None:
        self.thread = thread
        self.patience = patience  # seconds
        self._stopping = stopping
        self._monotonic = monotonic
        self._last: float | None = monotonic()

    def beat(self) -> None:
        self._last = self._monotonic()

    def rest(self, seconds: float) -> bool:
        """Wait, beating; True as soon as the process is stopping: ``while not heart.rest(5): ...``"""
        until = self._monotonic() + seconds
        self.beat()
        while (left := until - self._monotonic()) > 0:
            if self._stopping.wait(min(left, self.patience / 2)):
                return True
            self.beat()
        return self._stopping.is_set()

    def end(self) -> None:
        """The thread has done its work and leaves: it is watched no longer."""
        self._last = None

    def late(self, now: float) -> float:
        """Seconds by which the last beat is overdue; 0 if it is not."""
        last = self._last
        return 0.0 if last is None else max(0.0, now - last - self.patience)


class Service:
    """One process. Make it first, in the main thread: from then on SIGTERM and SIGINT set ``stopping``.

    SIGHUP ends it too, as soon as it is :attr:`idle`: systemd starts it anew, with the configuration as it is then.
    """

    def __init__(self, name: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        for handler in logging.getLogger().handlers:
            if isinstance(handler, journal.JournalHandler):
                handler.process = name
        self.stopping = threading.Event()
        self.idle: Callable[[], bool] = lambda: True  # whether a new configuration may be taken up now
        self._renewing = threading.Event()
        self._monotonic = monotonic
        self._hearts: list[Heart] = []
        self._lock = threading.Lock()
        self._waiting: str | None = None  # the words of a READY that was not sent yet
        self._stuck: frozenset[str] = frozenset()
        self._signals: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._handlers_before: dict[int, object] = {}
        self._closed = False
        if daemon is None:
            level = logging.WARNING if os.environ.get("NOTIFY_SOCKET") else logging.DEBUG
            log.log(level, "systemd-python is not installed: systemd cannot be told that %s is ready or alive", name)
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                self._handlers_before[number] = signal.signal(number, self._on_signal)
            threading.Thread(target=self._stop_on_signal, name="signals", daemon=True).start()

    def heart(self, thread: str, patience: float = 60.0) -> Heart:
        """Watch one more thread; ``patience`` is how many seconds it may go without progress."""
        heart = Heart(thread, patience, self.stopping, self._monotonic)
        with self._lock:
            self._hearts.append(heart)
        return heart

    def ready(self, status: str) -> None:
        """The process does its work from now on. Told to systemd as soon as every heart beats."""
        self._waiting = status
        self._look()

    def status(self, text: str) -> None:
        """One line for ``systemctl status``; no patient data."""
        self._notify(f"STATUS={text}")

    def run(self) -> None:
        """Block until the process is stopping; meanwhile keep the watchdog fed as long as every heart beats."""
        pause = min(_LOOK, watchdog_period(os.environ, os.getpid()) / 3)
        while not self.stopping.wait(pause):
            self._look()
            if self._renewing.is_set() and self.idle():
                log.info("%s: stopping, to start again with the configuration as it is now", self.name)
                self.stopping.set()

    def close(self) -> None:
        """Tell systemd that the process is going, and give the signals back."""
        if self._closed:
            return
        self._closed = True
        self.stopping.set()
        self._notify("STOPPING=1")
        for number, handler in self._handlers_before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._signals.put(0)

    def _look(self) -> None:
        """Ping if all hearts beat; say once per change which do not."""
        now = self._monotonic()
        with self._lock:
            stuck = {h.thread: h.patience for h in self._hearts if h.late(now)}
        for thread in stuck.keys() - self._stuck:
            log.error(
                "%s: thread %r has made no progress for %.0f s; the watchdog restarts the service if that goes on",
                *(self.name, thread, stuck[thread]),
            )
        for thread in self._stuck - stuck.keys():
            log.warning("%s: thread %r makes progress again", self.name, thread)
        self._stuck = frozenset(stuck)
        if stuck:
            return
        if self._waiting is not None:
            self._notify(f"READY=1\nSTATUS={self._waiting}")
            self._waiting = None
        self._notify("WATCHDOG=1")

    def _notify(self, text: str) -> None:
        if daemon is not None:
            with contextlib.suppress(OSError):  # systemd is gone: the work goes on
                daemon.notify(text)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        # Only what is reentrant may happen here: Event.set() and logging could wait for the very thread they interrupt.
        self._signals.put(number)
        if number != signal.SIGHUP:
            signal.signal(number, signal.SIG_DFL)  # a second one ends the process at once

    def _stop_on_signal(self) -> None:
        while number := self._signals.get():
            if number == signal.SIGHUP:
                self._renewing.set()
                continue
            log.info("%s: stopping (%s)", self.name, signal.Signals(number).name)
            self.stopping.set()


def inherited_socket() -> socket.socket | None:
    """The listening socket that systemd bound for this process (sd_listen_fds(3)); None if it bound none."""
    descriptors = daemon.listen_fds() if daemon is not None else ()
    return socket.socket(fileno=descriptors[0]) if descriptors else None


def watchdog_period(environment: os._Environ[str] | dict[str, str], process: int) -> float:
    """Seconds within which systemd wants a ping (sd_watchdog_enabled(3)); infinity if it wants none of ``process``."""
    try:
        microseconds = int(environment.get("WATCHDOG_USEC", "0"))
        meant = int(environment.get("WATCHDOG_PID", str(process)))
    except ValueError:
        return float("inf")
    return microseconds / 1e6 if microseconds > 0 and meant == process else float("inf")


class _Lines(logging.Formatter):
    """For people: ``12:34:56 warning: ...``. For the journal: ``<4>...`` on every line, the journal knows the time."""

    def __init__(self, journal: bool) -> None:
        super().__init__("%(message)s", "%H:%M:%S")
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        if self._journal:
            return "\n".join(f"<{journal.priority(record.levelno)}>{line}" for line in text.splitlines() or [""])
        word = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        return f"{self.formatTime(record, self.datefmt)} {word}{text}"


class _Ours(logging.Filter):
    """Libraries put data set contents into their messages: below ERROR they speak only when asked to (-v).

    Nor are their tracebacks for a person: pynetdicom logs one for each peer that hangs up.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.split(".")[0] in ("gateway", "firmware_adapters"):
            return True
        record.exc_info = record.exc_text = None
        return record.levelno >= logging.ERROR


def _journal_stream() -> os.stat_result | None:
    """Standard error, if it is the stream that systemd.exec(5) names in JOURNAL_STREAM (a terminal may inherit it)."""
    try:
        stream = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return None
    return stream if os.environ.get("JOURNAL_STREAM") == f"{stream.st_dev}:{stream.st_ino}" else None


def set_up_logging(verbose: bool = False) -> None:
    """Log to standard error; when the journal reads that, to the journal itself, with fields (gateway.journal).

    ``verbose`` adds DEBUG and what libraries say; only then may patient data appear.
    """
    stream = _journal_stream()
    handler: logging.Handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines(stream is not None))
    if stream is not None and stat.S_ISSOCK(stream.st_mode):
        handler = journal.JournalHandler(handler)
    if not verbose:
        handler.addFilter(_Ours())
    logging.captureWarnings(capture=True)
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler], force=True)
