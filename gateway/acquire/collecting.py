"""The process around a watched folder: it looks, waits until a file is whole, takes it, and says what cannot be taken.

Everything durable is :mod:`gateway.acquire.taking`'s; here is the folder, which may be anybody's: a share that goes
away, names that mean harm, a hundred thousand files. It is only ever looked at by name below its own descriptor, a
link or a pipe is never opened, and a file is moved or deleted only when its recordings are kept, and only if it is
still the one that was read.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from collections.abc import Callable

from gateway import fsops
from gateway.acquire.adapter import Adapter, Decoder, Folder
from gateway.acquire.admission import admit, unwrapped
from gateway.acquire.footprint import of_file
from gateway.acquire.idle import close_if_idle
from gateway.acquire.listing import MOST_SAID, Listing, shown, unnamed
from gateway.acquire.putting_away import DELETE, LEAVE, content, leftovers, put_away
from gateway.acquire.reporting import NOTHING
from gateway.acquire.taken import Memory, Stamp
from gateway.acquire.taking import Changed, Taken, Taking
from gateway.acquire.waiting import Waiting
from gateway.acquire.whole import lacking, opened
from gateway.acquire.whose import file_exam
from gateway.clock import Clock
from gateway.errors import GatewayError, Held, Misuse, Retry, Unreadable
from gateway.events import Identified, Started
from gateway.local import Answer, Request
from gateway.service import Heart, Service
from gateway.settings import Settings

log = logging.getLogger(__name__)
ROOM_AGAIN = 30.0  # seconds until the next try when there was no room, or the folder failed
_FOLDER_FIX = "is the share mounted, and may the user who runs the gateway read it?"
_IDLE_LOOK = 10.0  # seconds between two looks at idle exams
_PATIENCE = 8.0  # seconds that closing an exam waits for a file that is just coming
_SHARE = 20  # of its time at most one part is spent looking


class Collecting:
    """One device that drops files. Only :meth:`attend` touches the folder, in its own thread."""

    def __init__(self, settings: Settings, device: str, adapter: Adapter, decoder: Decoder) -> None:
        assert isinstance(adapter.transport, Folder)
        self._settings = settings
        self._here = settings.places
        self._clock = Clock(settings.clock.trust)
        self._device = settings.device(device)
        assert self._device.folder is not None
        self._folder = self._device.folder
        self._transport = adapter.transport
        self._listing = Listing(device, self._folder, adapter.transport.patterns)
        self._memory = Memory(self._here.taken(device))
        self._taking = Taking(self._here, self._clock, self._device, adapter, decoder, self._memory)
        self.waiting = Waiting(self._device.settle, self._device.incomplete * 60)
        self._refused: dict[str, tuple[Stamp, str, str]] = {}  # what cannot be taken: as it was, and in words
        self._stuck: set[str] = set()  # what was taken and cannot be put away
        self._problem: GatewayError | None = None  # of the folder or the disk
        self._place = (0, 0)  # file system and inode of the folder
        self._next_look = self._idle_look = 0.0
        self.looks = 0
        self._busy = False
        self.wake = threading.Event()
        self._last: Taken | None = None
        self.taken_files = 0
        self.failure: BaseException | None = None
        self.status: Answer = {}
        self._tell()

    @property
    def recording(self) -> bool:
        """A file is being taken, or about to be."""
        return self._busy

    def handlers(self) -> dict[str, Callable[[Request], Answer]]:
        return {
            "status": lambda _request: self.status,
            "live": lambda _request: {"rate": 0.0, "channels": []},
            "start": self._on_start,
            "stop": self._on_stop,
        }

    def attend(self, service: Service, heart: Heart) -> None:
        """The folder's thread, until the process is stopping."""
        try:
            self.recover()
            while not service.stopping.is_set():
                self.turn(heart.beat)
                self.wake.wait(0.1)
                self.wake.clear()
                heart.beat()
        except BaseException as error:  # the main thread ends the process with it
            self.failure = error
            service.stopping.set()
        finally:
            heart.end()

    def recover(self) -> None:
        """What a power cut left half done is finished, or was never begun. Comes first."""
        if recovered := self._taking.recover():
            log.warning("%s: %d recordings of its last file appear now", self._device.name, recovered)

    def turn(self, beat: Callable[[], None]) -> None:
        """Look if it is time to, take what is ready, say what is wrong."""
        now = self._clock.monotonic()
        if now >= self._next_look or self.wake.is_set():
            try:
                self._look(now, beat)
                self._solved()
            except (OSError, Held, Retry) as error:
                if isinstance(error, OSError):
                    self.waiting.blind()
                self._fail(error)
            self.looks += 1
        if now - self._idle_look > _IDLE_LOOK:
            self._idle_look = now
            self._close_idle()
        self._tell()

    def _look(self, now: float, beat: Callable[[], None]) -> None:
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            found = os.fstat(folder)
            if self._place != (place := (found.st_dev, found.st_ino)):
                self.waiting.blind()  # a share was mounted here, or is gone: what it holds did not come now
                self._place = place
            began = time.perf_counter()
            entries = dict(self._listing.entries(folder, beat))
            took = time.perf_counter() - began
            self._next_look = now + max(min(self._device.settle / 2, 2.0), took * _SHARE)
            if not self.looks:
                self._sweep()
                self._memory.tidy(entries.keys())
            self._refused = {name: was for name, was in self._refused.items() if entries.get(name) == was[0]}
            # What should be gone and is there again is read again: a name and a time are no reason to delete a file.
            stays = entries.keys() if self._device.taken == LEAVE else self._stuck & entries.keys()
            known = {name for name in stays if self._memory.left(name, entries[name])}
            new = (e for e in entries.items() if e[0] not in self._refused and e[0] not in known)
            self.waiting.look(new, now)
            for name, stamp, arrived in self.waiting.ready(now):
                beat()
                self._busy = True
                self._examine(folder, name, stamp, arrived, beat)
            for name, words in self.waiting.overdue(self._clock.monotonic()):
                minutes = self._device.incomplete
                late = f"{unnamed(entries[name])} is not whole after {minutes:g} min: {words}"
                self._say(logging.ERROR, name, late)
        finally:
            self._busy = self.waiting.expected()
            os.close(folder)

    def _sweep(self) -> None:
        """What a power cut left between moving a file away and deleting it."""
        for path in leftovers(self._folder) if self._device.taken == DELETE else ():
            if self._memory.taken(content(path)):
                fsops.drop(path)
            else:
                words = "%s: %s was moved aside and never read; give it back its name, and it is taken"
                log.error(words, self._device.name, shown(path.name))

    def _examine(self, folder: int, name: str, stamp: Stamp, arrived: float | None, beat: Callable[[], None]) -> None:
        """Take it if it is whole. What is wrong with this file alone concerns no other."""
        now = self._clock.monotonic()
        try:
            with opened(folder, name) as file:
                if words := lacking(file, stamp, self._transport):
                    self.waiting.lacks(name, words, now)
                    return
                self._take(file, name, stamp, arrived, beat)
        except FileNotFoundError:
            self.waiting.done(name)
        except Changed:
            self.waiting.lacks(name, "it was written to while it was read", now)
        except Unreadable as error:
            self._refuse(name, stamp, error)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EPERM, errno.ELOOP):
                raise
            fix = f"let the user who runs the gateway read it: chmod a+r {self._folder}/FILE"
            self._refuse(name, stamp, Unreadable(f"it cannot be opened ({error.strerror})", fix))

    def _take(self, file: int, name: str, stamp: Stamp, arrived: float | None, beat: Callable[[], None]) -> None:
        def whose(started: Started, said: list[Identified]) -> str | None:
            return file_exam(self._here, self._clock, self._device, said, started.at, arrived)

        def admitted(started: Started, size: int) -> None:
            takes = of_file(started.picture, size, self._settings.profile(self._device))
            admit(self._here, self._settings.spool.reserve, takes, unwrapped(self._here))

        log.debug("%s: taking %s", self._device.name, shown(name))
        taken = self._taking.take(file, name, stamp, whose, admitted, beat)
        self.waiting.done(name)
        if taken.facts:
            self._last, self.taken_files = taken, self.taken_files + 1
            ids = ", ".join(f"{facts.acquisition} ({facts.kind})" for facts in taken.facts)
            exam = taken.facts[0].exam
            whose_words = f"exam {exam}" if exam else "of no exam: it is held unless it names a scheduled patient"
            log.info("%s: kept a file as %s, %s", self._device.name, ids, whose_words)
        else:
            earlier = ", ".join(taken.same_as.get("acquisitions", ())) or "an earlier recording"
            fix = f"to take it again, remove that line of {self._here.taken(self._device.name)} and restart capture"
            words = f"{unnamed(stamp)} is the same as a file that became {earlier}, and is not taken twice ({fix})"
            self._say(logging.WARNING, name, words)
        self._put_away(name, stamp)

    def _put_away(self, name: str, stamp: Stamp) -> None:
        try:
            put_away(self._folder, name, stamp, self._device.taken)
        except OSError as error:
            self._stuck.add(name)
            why = error.strerror or type(error).__name__  # the whole of its words name the file
            words = f"{unnamed(stamp)} is kept, but cannot be put away (taken = {self._device.taken!r}): {why}"
            self._say(logging.ERROR, name, f"{words}; let the gateway's user write in {self._folder}")

    def _refuse(self, name: str, stamp: Stamp, error: Unreadable) -> None:
        """Left where it is, and said once; looked at again only when it changes, or after a restart."""
        self.waiting.done(name)
        if len(self._refused) >= MOST_SAID:
            self._refused.pop(next(iter(self._refused)))
        self._refused[name] = (stamp, error.message, error.fix)
        self._say(logging.ERROR, name, f"{unnamed(stamp)} cannot be taken: {error}; it stays where it is")

    def _say(self, level: int, name: str, words: str) -> None:
        """To the log, where no file has a name: devices name their files after patients. ``gateway status`` has it."""
        log.log(level, "%s: %s", self._device.name, words)
        log.debug("%s: its name is %s", self._device.name, shown(name))

    def _fail(self, error: OSError | GatewayError) -> None:
        """The folder, or the disk, does not do what it should: said once for each state, and tried again."""
        if isinstance(error, OSError):
            problem: GatewayError = Retry(f"the folder {self._folder} cannot be read ({error.strerror})", _FOLDER_FIX)
        else:
            problem = error
        self._next_look = self._clock.monotonic() + min(ROOM_AGAIN, 2 * self._device.settle)
        if self._problem is None or self._problem.message != problem.message:
            log.warning("%s: %s; trying again", self._device.name, problem)
        self._problem = problem

    def _solved(self) -> None:
        if self._problem is not None:
            log.info("%s: the folder is read again", self._device.name)
        self._problem = None

    def _close_idle(self) -> None:
        try:
            close_if_idle(self._here, self._clock, self._device)
        except (GatewayError, OSError) as error:
            log.warning("%s: idle exams cannot be closed: %s", self._device.name, error)

    def _on_start(self, _request: Request) -> Answer:
        raise Misuse(
            f"device {self._device.name!r} is not started: it takes what comes into {self._folder}",
            "open an exam for it (gateway exam start), then have the device save its file",
        )

    def _on_stop(self, request: Request) -> Answer:
        """An exam is being closed: a file that is just coming still belongs to it."""
        until = self._clock.monotonic() + _PATIENCE
        looks = self.looks
        self.wake.set()
        while request.get("exam") and self._clock.monotonic() < until and (self._busy or self.looks == looks):
            time.sleep(0.05)
        return {"acquisition": None}

    def _tell(self) -> None:
        """Renew the answer to ``status``; replaced as a whole, so any thread may read it."""
        problem, fix = (self._problem.message, self._problem.fix) if self._problem else (None, None)
        file = None
        if problem is None and self._refused:
            name, (stamp, words, fix) = next(iter(self._refused.items()))
            more = f" (and {len(self._refused) - 1} more)" if len(self._refused) > 1 else ""
            problem, file = f"{unnamed(stamp)} in {self._folder} cannot be taken: {words}{more}", shown(name)
        kept = self._last.facts[0].acquisition if self._last else None
        self.status = {
            **NOTHING,
            "device": self._device.name,
            "adapter": self._device.adapter,
            "port": str(self._folder),
            "state": "no device" if isinstance(self._problem, Retry) else "taking" if self._busy else "ready",
            "problem": problem,
            "fix": fix,
            "file": file,
            "kept": kept,
            "test": self._device.test,
            "files": {"taken": self.taken_files, "waiting": len(self.waiting), "refused": len(self._refused)},
        }
