"""The media that are there now, and how each of them does: the folder that is always there, and the sticks.

A stick is used only if root's process told of it and it really is mounted where that says. It keeps its state as long
as it stays plugged in; one that comes back is looked at anew, and its DICOMDIR mended if it was cut.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.clock import Clock
from gateway.errors import GatewayError, Held
from gateway.places import Places
from gateway.settings import Media
from gateway.spool.backoff import Pause
from gateway.spool.deliveries import ANY_SIZE
from gateway.transfer import media
from gateway.transfer.sticks import told
from gateway.transfer.sticks.register import Register
from gateway.transfer.sticks.told import State, Told

log = logging.getLogger(__name__)
FOLDER = "folder"  # the name of what [media] folder means; no block device is called so
_RETRY_FIRST, _RETRY_MOST = 5.0, 60.0  # seconds
_GROWN = 1 << 20  # bytes that must become free before a full medium is tried again


@dataclass(slots=True)
class Medium:
    """One of them. Changed by the carrier's thread only; others may look."""

    name: str
    root: Path
    token: str  # of this plugging in
    pause: Pause
    label: str = ""
    serial: str = ""
    file_set_id: str = ""  # "" = none yet
    file_set_uid: str = ""
    instances: int = 0
    free: int = 0  # bytes
    looked: bool = False  # whether it is known what is on it
    refused: bool = False
    room: int = ANY_SIZE  # bytes: what is not smaller did not fit
    free_when_full: int = 0
    busy: bool = False
    fresh: bool = False  # something was written since its pages were made
    leaving: bool = False  # a person wants it out
    words: str = ""  # what is wrong with it

    def __str__(self) -> str:
        return f"medium {self.name}" + (f" ({self.label or self.serial})" if self.label or self.serial else "")

    @property
    def usable(self) -> bool:
        return self.looked and not self.refused and not self.leaving and not self.pause.left() and self.room > 0

    def say(self, words: str) -> None:
        """Said once, not at every try; "" = all is well again."""
        if words and words != self.words:
            log.warning("%s: %s", self, words)
        elif self.words and not words:
            log.info("%s: takes copies again", self)
        self.words = words

    def failed(self, words: str) -> None:
        self.pause.failed()
        self.say(words)

    def full(self, size: int, words: str) -> None:
        """What has ``size`` bytes did not fit: nothing as large is tried here until there is more room."""
        self.room, self.free_when_full = size, self.free
        self.say(words)

    def measure(self) -> None:
        """How much is free. A medium that fails here says so when it is written to."""
        try:
            self.free = shutil.disk_usage(self.root).free
        except OSError:
            return
        if self.room != ANY_SIZE and self.free >= self.free_when_full + _GROWN:
            self.room = ANY_SIZE
            self.say("")


@dataclass
class Plugged:
    """All media of one box. :meth:`look` again and again, from the carrier's thread."""

    wanted: Media
    here: Places
    clock: Clock
    register: Register
    there: tuple[Medium, ...] = ()
    waiting: tuple[Told, ...] = ()  # sticks that are asked about, refused, or may be taken out
    missing: bool = False  # the folder that should always be there is not
    ejected: set[str] = field(default_factory=set)  # tokens of sticks that a person wants out

    def look(self, beat: Callable[[], None]) -> tuple[Medium, ...]:
        """What is there now, in the order in which it came; the folder first."""
        known = {(m.root, m.token): m for m in self.there}
        found = []
        for name, root, token, label, serial in self._places():
            medium = known.pop((root, token), None) or Medium(
                name, root, token, Pause(_RETRY_FIRST, _RETRY_MOST, self.clock.monotonic), label, serial
            )
            medium.leaving = medium.token in self.ejected
            found.append(medium)
        for gone in known.values():
            media.forget(gone.root)
            self.ejected.discard(gone.token)
            log.info("%s was taken out", gone)
        self.there = tuple(found)
        for medium in self.there:
            beat()
            if not medium.looked and not medium.refused and not medium.leaving and not medium.pause.left():
                self._look_at(medium, beat)
            medium.measure()
        return self.there

    def still_there(self, medium: Medium) -> bool:
        """Asked before each copy: a stick's empty mount point is no medium."""
        return any((m[1], m[2]) == (medium.root, medium.token) for m in self._places())

    def filed(self, medium: Medium, filed: media.Filed) -> None:
        """Note a copy, durably, in the box's register. OSErrors are the box's own disk's."""
        if medium.file_set_uid != filed.file_set_uid:
            medium.file_set_id, medium.file_set_uid = filed.file_set_id, filed.file_set_uid
            self._note(medium)
        self.register.filed(filed.file_set_uid, filed.file_id, filed.sha256)
        medium.instances += 1
        medium.fresh = True

    def id_for(self, medium: Medium) -> str:
        """The File-set ID that a file-set begun there gets."""
        return medium.file_set_id or self.register.next_id(self.wanted.file_set_id)

    def eject(self, token: str) -> None:
        """A person wants this stick out: nothing more is written to it. From any thread."""
        self.ejected.add(token)

    def _places(self) -> Iterator[tuple[str, Path, str, str, str]]:
        """Name, root, token, label and serial number of what may be written to."""
        folder = self.wanted.folder
        self.missing = folder is not None and not folder.is_dir()
        if folder is not None and not self.missing:
            yield FOLDER, folder, "", "", ""
        sticks = told.all_told(self.here.sticks) if self.wanted.sticks else []
        self.waiting = tuple(t for t in sticks if t.state is not State.MOUNTED)
        for one in sticks:
            if one.state is State.MOUNTED and told.is_mounted(self.here.sticks, one):
                yield one.name, self.here.sticks / one.name, one.token, one.label, one.serial

    def _look_at(self, medium: Medium, beat: Callable[[], None]) -> None:
        medium.busy = True
        try:
            found = media.look(medium.root, self.wanted.file_set_id, beat, self.wanted.foreign == "extend")
            if found is not None:
                medium.file_set_id, medium.file_set_uid = found.file_set_id, found.file_set_uid
                medium.instances = found.instances
                self._note(medium)
            medium.looked = True
            medium.say("")
        except Held as error:  # of the medium as a whole: no instance was looked at
            medium.refused = True
            medium.say(str(error))
        except GatewayError as error:
            medium.failed(str(error))
        finally:
            medium.busy = False

    def _note(self, medium: Medium) -> None:
        now = self.clock.wall()
        self.register.seen(medium.file_set_uid, medium.file_set_id, medium.label, medium.serial, now)


def shown(medium: Medium, waits: int) -> dict[str, Any]:
    """One medium for status, page and commands. ``waits``: instances that are still to be copied to any."""
    if medium.busy:
        state = "it is being written: leave it in"
    elif medium.leaving:
        state = "it is finished and unmounted: leave it in"
    elif medium.refused:
        state = "it is not used; it may be taken out"
    else:
        state = f"it may be taken out now; {waits} instances still wait" if waits else "it may be taken out now"
    return {
        "name": medium.name,
        "label": medium.label,
        "serial": medium.serial,
        "file_set_id": medium.file_set_id,
        "file_set_uid": medium.file_set_uid,
        "instances": medium.instances,
        "free": medium.free >> 20,  # MiB
        "full": medium.room != ANY_SIZE,
        "may_be_taken_out": not medium.busy and not medium.leaving,
        "words": f"{medium.words}; {state}" if medium.words else state,
    }
