"""One stick from plugged in to taken out, by a process of root's own for it: asked about, mounted, told, unmounted.

It ends when the device is gone or when it is stopped; then nothing is mounted and nothing is told any more. What a
process that was killed left behind is cleared by the next one, or by systemd (``gateway stick NAME --clear``).
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import Retry
from gateway.settings import Settings
from gateway.transfer.sticks import checking, mounting, told
from gateway.transfer.sticks.admission import Verdict, decide
from gateway.transfer.sticks.own_disks import used_as
from gateway.transfer.sticks.stick import SYS, Stick, from_udev, is_there, properties, valid_name
from gateway.transfer.sticks.told import Answer, State, Told

log = logging.getLogger(__name__)
_LOOK = 0.5  # seconds between two looks at the answers, and at whether the device is still there

Wait = Callable[[float], bool]  # waits so many seconds; True as soon as the process is stopping


@dataclass(frozen=True, slots=True)
class System:
    """Where the kernel's and udev's words are found; tests name other folders."""

    sys: Path = SYS
    dev: Path = mounting.DEV
    proc: Path = Path("/proc")


class Keeper:
    """``wait`` is how this process sleeps."""

    def __init__(self, settings: Settings, name: str, wait: Wait, system: System | None = None) -> None:
        self._settings = settings
        self._area = settings.places.sticks
        self._answers = settings.places.answers
        self._name = valid_name(name)
        self._root = self._area / self._name
        self._wait = wait
        self._system = system or System()

    def run(self, ready: Callable[[str], None] = lambda _: None) -> None:
        """Until the stick is gone or the process is stopping. ``ready`` hears what became of it."""
        uid, gid = _owner(self._settings.box.data)
        mounting.make_area(self._area, gid)
        self.clear()
        system = self._system
        stick = from_udev(
            self._name, properties(self._name), system.sys, used_as(self._name, self._area, system.sys, system.proc)
        )
        allowed = self._settings.media
        if allowed is None or not allowed.sticks:
            log.info("%s is left alone: no sticks are configured", stick)
            ready("no sticks are configured")
            return
        decision = decide(stick, allowed)
        state = {Verdict.ASK: State.ASKED, Verdict.REFUSE: State.REFUSED}.get(decision.verdict, State.ASKED)
        seen = Told(
            self._name, secrets.token_hex(16), state, decision.words, time.time(), stick.label, stick.serial, stick.size
        )
        ready(f"{decision.verdict}: {stick}")
        log.info("%s: %s: %s", stick, decision.verdict, decision.words)
        try:
            if decision.verdict is not Verdict.USE:
                told.tell(self._area, seen, gid)
            if decision.verdict is Verdict.REFUSE or (decision.verdict is Verdict.ASK and not self._allowed(seen, uid)):
                self._until_gone()
                return
            self._use(stick, seen, uid, gid)
        finally:
            self.clear()

    def clear(self) -> None:
        """Nothing is told of it, nothing is mounted: the state before it was plugged in."""
        if self._area.is_dir():
            told.forget(self._area, self._name)
        gone = not is_there(self._name, self._system.sys)
        if said := mounting.unmount(self._root, gone):
            log.warning("%s is let go while it is still in use (%s)", self._name, said)
            mounting.unmount(self._root, gone=True)

    def _use(self, stick: Stick, seen: Told, uid: int, gid: int) -> None:
        if checking.was_cut(stick, self._system.dev):
            self._mend(stick)
        try:
            device = mounting.mount(stick, self._area, uid, gid, self._system.dev)
        except Retry as error:
            log.error("%s: %s", stick, error)
            told.tell(self._area, told.now(seen, State.REFUSED, str(error)), gid)
            self._until_gone()
            return
        seen = told.now(seen, State.MOUNTED, "it is mounted", device)
        told.tell(self._area, seen, gid)
        log.info("%s is mounted at %s", stick, self._root)
        while self._goes_on():
            if told.answered(self._answers, seen, Answer.EJECT, uid):
                if said := mounting.unmount(self._root, gone=False):
                    log.warning("%s cannot be unmounted yet (%s)", stick, said)
                    continue
                log.info("%s is unmounted: it may be taken out", stick)
                told.tell(self._area, told.now(seen, State.OUT, "it may be taken out"), gid)
                self._until_gone()

    def _mend(self, stick: Stick) -> None:
        log.warning("%s was pulled while it was in use the last time: checking its FAT", stick)
        count, said = checking.mend(stick, self._area, self._system.dev)
        if count:
            log.info("%s: %d pieces of files that were cut off are removed (they never had a name)", stick, count)
        if said:
            log.warning("%s could not be checked (%s); it is used all the same", stick, said)

    def _allowed(self, seen: Told, uid: int) -> bool:
        while self._goes_on():
            if told.answered(self._answers, seen, Answer.ALLOW, uid):
                return True
        return False

    def _until_gone(self) -> None:
        while self._goes_on():
            pass

    def _goes_on(self) -> bool:
        """Wait a little; False once the stick is gone or the process is stopping."""
        return not self._wait(_LOOK) and is_there(self._name, self._system.sys)


def _owner(data: Path) -> tuple[int, int]:
    """User and group to whom the spool belongs: the stick's files will be theirs."""
    try:
        found = data.stat()
    except OSError as error:
        raise Retry(f"{data} cannot be looked at ({error.strerror})", "is the gateway set up on this box?") from error
    return found.st_uid, found.st_gid
