"""What a medium brings back: staged by the command that reads it, taken by forward, an instance like any other then.

::

    instances/.NAME.reading/      being written by the command; nobody counts on it, the medium has it
    instances/.NAME.staged/       whole: UID.dcm, SHA256SUMS, and UID.deliveries.json if it is held; forward is told
    instances/NAME/               taken: one rename, then the ledger's row (a cut between: spool.recover adopts it)

Each instance has a folder of its own, NAME = import-TIME-xxxxxxxx-NUMBER: so a command that was stopped is given again,
and what it staged before is known by then. There is no acquisition, no exam and no procedure step of this box behind
it. Where it goes is said by :func:`gateway.spool.instances.of_import`.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from gateway import fsops
from gateway.clock import Clock
from gateway.dicom.header import TEST_SERIES
from gateway.errors import Fatal, Held, Misuse, Retry, in_words
from gateway.places import Places
from gateway.settings import Settings
from gateway.spool import audit, instances, layout, marks
from gateway.spool.instances import Origin
from gateway.spool.ledger import Ledger
from gateway.spool.routing import Router
from gateway.spool.settling import settle
from gateway.spool.states import Instance

log = logging.getLogger(__name__)
MOST_ASKED = 500  # instances in one question
_READING, _STAGED = ".reading", ".staged"
_AT_ONCE = 50  # instances taken in one turn
_AGAIN = 10.0  # seconds until the next try of what cannot be taken

Write = Callable[[BinaryIO], str]  # copies the instance; returns the SHA-256 of what it copied
Judge = Callable[[Path], str]  # looks at the copy; returns why it is held, or "". What it raises leaves nothing behind.


@contextlib.contextmanager
def claimed(here: Places) -> Iterator[None]:
    """Read a medium alone; what an interrupted command left unfinished is swept. Raises Retry if another one does."""
    descriptor = os.open(
        fsops.make_folder(here.data) / ".import.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, fsops.FILE_MODE
    )
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Retry("another medium is being imported", "wait until that is finished") from None
        _sweep(here)
        yield
    except KeyboardInterrupt:
        _sweep(here)  # a person stopped it: what was being copied is given up at once
        raise
    finally:
        os.close(descriptor)


def sweep(here: Places) -> None:
    """At the start of forward: what an interrupted command left, unless one is at work."""
    if here.instances.exists():
        with contextlib.suppress(Retry), claimed(here):
            pass


def _sweep(here: Places) -> None:
    for name in _on_their_way(here, _READING):
        fsops.remove_folder(here.instances / f".{name}{_READING}")


def _on_their_way(here: Places, how: str) -> list[str]:
    """The names below instances/ that are being read, or are staged."""
    if not here.instances.exists():
        return []
    with os.scandir(here.instances) as found:
        hidden = [f.name for f in found if f.name.startswith(".") and f.name.endswith(how)]
    return sorted(name for one in hidden if layout.is_import(name := one[1:].removesuffix(how)))


def stage(here: Places, name: str, uid: str, write: Write, judge: Judge) -> None:
    """Put one instance where forward takes it from; afterwards it is as durable as what was wrapped here.

    Raises what ``write`` and ``judge`` raise, and Fatal for a disk that fails; nothing is left behind then.
    """
    workplace = here.instances / f".{name}{_READING}"
    fsops.make_folder(workplace)
    try:
        path = workplace / f"{uid}{layout.SUFFIX}"
        with fsops.new_file(path) as stream:
            digest = write(stream)
        held = judge(path)
        layout.write_sums(workplace)
        if layout.read_sums(workplace).get(uid) != digest:
            raise Fatal(f"{here.instances} gives back other data than it took", "check the storage medium")
        if held:
            marks.hold(path, marks.EVERY, held, "")
    except Exception:
        fsops.remove_folder(workplace)
        raise
    fsops.rename(workplace, here.instances / f".{name}{_STAGED}")


def origin(folder: str, found: Sequence[tuple[layout.Described, str | None]]) -> Origin:
    """Of no acquisition of this box: the folder stands for one. That it is a test its series says."""
    test = any(one.series_description == TEST_SERIES for one, _ in found)
    return Origin(folder, folder, "", "", test)


def of_command(ledger: Ledger, name: str) -> list[str]:
    """The UIDs of all that one command brought back, or [] if ``name`` is none."""
    if not layout.is_import(name):
        return []
    rows = ledger.query(
        "SELECT uid FROM instances WHERE folder > ? AND folder < ? AND state = 'SPOOLED' ORDER BY folder",
        *(f"{name}-", f"{name}."),
    )
    return [r["uid"] for r in rows]


class Imports:
    """forward's side: takes what is staged, and answers the command.

    ``ready``: whether the ledger knows all that is in the spool; before that nobody can say what is new.
    """

    def __init__(self, settings: Settings, ledger: Ledger, clock: Clock, ready: Callable[[], bool]) -> None:
        self._settings = settings
        self._here = settings.places
        self._ledger = ledger
        self._clock = clock
        self._ready = ready
        self._router = Router(settings)
        self._staged = dict.fromkeys(_on_their_way(self._here, _STAGED))  # names, in order; told by other threads
        self._moved: set[str] = set()  # of those: have their place already, and not yet a row
        self._not_before: dict[str, float] = {}  # monotonic
        self.problems: dict[str, str] = {}  # what cannot be taken now, and why

    @property
    def handlers(self) -> dict[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        return {
            "import-begin": self._begin,
            "import-known": self._known,
            "import-staged": self._told,
            "import-left": self._left,
        }

    def turn(self, beat: Callable[[], None] = lambda: None) -> int:
        """Take some of what is staged; returns how many became instances."""
        if not self._ready() or not self._settings.destinations:
            return 0
        now, count = self._clock.monotonic(), 0
        due = (name for name in list(self._staged) if now >= self._not_before.get(name, 0.0))
        for name in itertools.islice(due, _AT_ONCE):
            beat()
            try:
                count += self._take(name)
            except (Held, Retry, OSError) as error:
                words = in_words(error) if isinstance(error, OSError) else str(error)
                self._not_before[name] = now + _AGAIN
                if self.problems.get(name) != words:
                    log.error("import %s cannot be taken in now: %s", name, words)
                self.problems[name] = words
            else:
                for noted in (self._staged, self.problems, self._not_before):
                    noted.pop(name, None)
        return count

    def _take(self, name: str) -> bool:
        staged, final = self._here.instances / f".{name}{_STAGED}", self._here.instances / name
        if name not in self._moved:
            path = _only(staged)
            if (row := instances.instance(self._ledger, path.stem)) is not None:
                same = row["sha256"] == layout.read_sums(staged).get(path.stem)
                if same and _damaged(row):
                    self._make_whole(path, row)
                level, words = (logging.INFO, "is here already") if same else (logging.ERROR, "is another object here")
                log.log(level, "instance %s of a medium %s; what is here stays", path.stem, words)
                fsops.remove_folder(staged)
                return False
            layout.describe(self._here, path)  # raises before anything is done
            fsops.rename(staged, final)
            self._moved.add(name)
        sums = layout.read_sums(final)
        found = [(layout.describe(self._here, path), sums.get(path.stem)) for path in layout.files(final)]
        with self._ledger.change() as c:
            came = origin(name, found)
            instances.insert(c, came, found, self._router.choose(came), self._clock.wall())
            for one, _ in found:
                settle(c, one.uid)
        self._moved.discard(name)
        return True

    def _make_whole(self, staged: Path, row: sqlite3.Row) -> None:
        """The medium gives back what the disk has spoiled or lost, byte for byte."""
        path = self._here.data / row["path"]
        fsops.make_folder(path.parent)
        fsops.rename(staged, path)
        layout.write_sums(path.parent)
        instances.mark_whole(self._ledger, row["uid"], self._clock.wall())
        log.warning("instance %s was damaged here, and is whole again", row["uid"])

    def _begin(self, request: dict[str, Any]) -> dict[str, Any]:
        """A person's command is noted, and gets the name under which it stages."""
        self._refuse_unready()
        now = self._clock.now()
        name = layout.import_name(now.wall)
        audit.append(self._here.audit, now, str(request["who"]), "import", name, str(request["why"]))
        for left in _on_their_way(self._here, _STAGED):  # by a command that ended before it could tell
            self._staged.setdefault(left)
        return {"import": name}

    def _known(self, request: dict[str, Any]) -> dict[str, Any]:
        """Of the instances asked for, those that this box has or had: hash (None: unknown), and if it is damaged."""
        self._refuse_unready()
        uids = [str(uid) for uid in request["instances"]][:MOST_ASKED]
        sql = f"SELECT uid, sha256, state, corrupt FROM instances WHERE uid IN ({', '.join('?' * len(uids))})"  # noqa: S608
        return {"known": {r["uid"]: _plain(r) for r in self._ledger.query(sql, *uids)}}

    def _left(self, _request: dict[str, Any]) -> dict[str, Any]:
        """How many instances are staged and not taken yet."""
        return {"left": len(self._staged)}

    def _told(self, request: dict[str, Any]) -> dict[str, Any]:
        """One instance is staged."""
        name = str(request["name"])
        if not layout.is_import(name) or Path(name).name != name:
            raise Misuse(f"{name!r} is no name of an import")
        self._staged.setdefault(name)
        return {}

    def _refuse_unready(self) -> None:
        if not self._settings.destinations:
            words = "no destination is configured that could lack what is on the medium"
            raise Misuse(words, "add a [[destination]] to the configuration")
        if not self._ready():
            raise Retry("forward is still looking through its spool after a start", "try again in a moment")


def _only(staged: Path) -> Path:
    found = list(layout.files(staged))
    if len(found) != 1:
        raise Held(f"{staged} holds {len(found)} instances, not one", "move it away, and import the medium again")
    return found[0]


def _plain(row: sqlite3.Row) -> dict[str, Any]:
    return {"sha256": row["sha256"], "damaged": _damaged(row)}


def _damaged(row: sqlite3.Row) -> bool:
    return row["corrupt"] is not None and Instance(row["state"]) is Instance.SPOOLED
