"""The box's own memory of the file-sets it filled: outlives the stick, the ledger, and what was purged.

DATA/media/UID/facts.json     what it is called, on which stick it was, first and last seen
DATA/media/UID/SHA256.TXT     as on the medium (:mod:`gateway.transfer.media.hashes`): what this box put there

UID is the file-set's (0002,0003). A line is on the disk before the ledger says that the instance is stored; of two
lines for one file the later counts. A medium may lie about its UID: it is checked before it becomes a folder's name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from gateway import fsops
from gateway.errors import Held
from gateway.identifiers import is_uid
from gateway.model import from_json, to_json
from gateway.places import FACTS
from gateway.transfer.media import hashes

VERSION = 1
_LONGEST_ID = 16  # VR CS
_SEEN_EVERY = 3600.0  # seconds: "last seen" is written no more often than that


@dataclass(frozen=True, slots=True)
class Entry:
    """One file-set. Times are wall clock, as far as it was right."""

    file_set_uid: str
    file_set_id: str
    label: str = ""
    serial: str = ""
    first_seen: float = 0.0
    last_seen: float = 0.0

    def __str__(self) -> str:
        where = [f"label {self.label}"] if self.label else []
        where += [f"serial {self.serial}"] if self.serial else []
        return f"file-set {self.file_set_id or '(no ID)'}" + (f" on the stick with {', '.join(where)}" if where else "")


class Register:
    """``folder`` is DATA/media. Errors of the box's disk pass as they are: the medium is not at fault."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def seen(self, uid: str, file_set_id: str, label: str, serial: str, now: float) -> Entry:
        """Note that a file-set is plugged in. Raises Held if its UID is none, or what is kept of it cannot be read."""
        before = self.entry(uid)
        if before is None:
            entry = Entry(uid, file_set_id, label, serial, now, now)
        else:
            entry = replace(before, file_set_id=file_set_id, label=label, serial=serial, last_seen=now)
            if replace(entry, last_seen=before.last_seen) == before and abs(now - before.last_seen) < _SEEN_EVERY:
                return before
        folder = fsops.make_folder(self._place(uid))
        fsops.write_json(folder / FACTS, {"version": VERSION} | to_json(entry))
        return entry

    def filed(self, uid: str, file_id: str, sha256: str) -> None:
        """Note one copy, durably. The file-set was :meth:`seen`."""
        hashes.note(self._place(uid) / hashes.NAME, file_id, sha256)

    def remembered(self, uid: str) -> Mapping[str, str]:
        """File ID -> SHA-256 of what this box put there; empty if it does not know the file-set."""
        if not is_uid(uid):
            return {}
        return hashes.read(self._place(uid) / hashes.NAME)

    def count(self, uid: str) -> int:
        """How many copies were made there, doubled lines included: for people, not for a decision."""
        try:
            with (self._place(uid) / hashes.NAME).open("rb") as lines:
                return sum(1 for _ in lines)
        except FileNotFoundError:
            return 0

    def entry(self, uid: str) -> Entry | None:
        """Raises Held for a UID that is none, and for facts that cannot be read."""
        path = self._place(uid) / FACTS
        try:
            data = json.loads(path.read_bytes())
            if data.pop("version") > VERSION:
                raise ValueError("a newer format")
            return from_json(Entry, data)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Held(f"{path} cannot be read ({error})", "move its folder away: it is begun anew") from error

    def entries(self) -> list[Entry]:
        """All that can be read, in the order in which they were begun."""
        found = []
        for folder in sorted(self._folder.iterdir()) if self._folder.is_dir() else ():
            if is_uid(folder.name):
                try:
                    entry = self.entry(folder.name)
                except Held:
                    continue
                found += [entry] if entry else []
        return sorted(found, key=lambda e: (e.first_seen, e.file_set_uid))

    def next_id(self, wanted: str) -> str:
        """The File-set ID of a medium that has none yet: none of those that are known."""
        return next_id(wanted, {e.file_set_id for e in self.entries()})

    def _place(self, uid: str) -> Path:
        if not is_uid(uid):
            raise Held("the file-set's UID (0002,0003) is none", "use another medium, or empty this one")
        return self._folder / uid


def next_id(wanted: str, taken: Iterable[str]) -> str:
    """``wanted``, or it with _2, _3, ...: at most 16 characters (VR CS), none of ``taken``."""
    known = set(taken)
    found, number = wanted, 1
    while found in known:
        number += 1
        end = f"_{number}"
        found = wanted[: _LONGEST_ID - len(end)] + end
    return found
