"""After a crash, a power cut or the loss of the ledger: what must be done follows from the files and the ledger alone.

:func:`plan` is pure, and as true of a part of the spool as of all of it. :class:`Recovery` walks over the spool in
slices while the other workers are at work already, so that a start takes as long with 100 000 instances as with ten,
ledger or no ledger, and never holds more than a slice in memory. What they may do meanwhile it looks at once more
before it raises an alarm. What was never finished is swept before anybody begins something new.
"""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway import fsops
from gateway.clock import Clock
from gateway.errors import Held
from gateway.settings import Settings
from gateway.spool import holding, imports, instances, layout, leftovers
from gateway.spool.instances import Origin
from gateway.spool.ledger import Ledger
from gateway.spool.routing import Router
from gateway.spool.settling import settle
from gateway.spool.states import Acquisition, Instance

log = logging.getLogger(__name__)
_SLICE = 100  # folders looked at in one turn, and adopted in one SQL transaction


@dataclass(frozen=True, slots=True)
class Sweep:
    """A wrapping that was never finished, and that nobody was offered."""

    folder: str


@dataclass(frozen=True, slots=True)
class Adopt:
    """Instances that the ledger does not know: queued again, wherever the rules say."""

    folder: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """The ledger and the disk contradict each other in a way that only a person can judge."""

    uid: str
    words: str


Action = Sweep | Adopt | Alarm


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger says of one instance."""

    uid: str
    folder: str
    state: Instance


def plan(
    files: Mapping[str, frozenset[str]], known: Iterable[Known], elsewhere: frozenset[str] = frozenset()
) -> list[Action]:
    """``files``: names below instances/, each with the instance UIDs in it; ``known``: what the ledger says of these
    folders; ``elsewhere``: UIDs that it knows in others. Each action may be repeated. What is being purged is the
    purger's.
    """
    actions: list[Action] = [Sweep(name) for name in sorted(files) if layout.is_unfinished(name)]
    in_ledger = set(elsewhere)
    for one in known:
        in_ledger.add(one.uid)
        there = one.uid in files.get(one.folder, frozenset())
        if one.state is Instance.SPOOLED and not there:
            actions.append(Alarm(one.uid, f"its file has vanished from instances/{one.folder}"))
        elif one.state is Instance.PURGED and there:
            actions.append(Alarm(one.uid, f"it was purged, but lies in instances/{one.folder} again"))
    for name in sorted(files):
        if not layout.is_unfinished(name) and files[name] - in_ledger:
            actions.append(Adopt(name))
    return actions


def unfinished(root: Path) -> list[str]:
    """The wrappings that were never finished. Names only, nothing is read."""
    if not root.exists():
        return []
    with os.scandir(root) as folders:
        return sorted(folder.name for folder in folders if layout.is_unfinished(folder.name))


def look(root: Path) -> Iterator[dict[str, frozenset[str]]]:
    """The files side of :func:`plan`, a slice at a time: what each folder holds when its turn comes."""
    if not root.exists():
        return
    with os.scandir(root) as folders:
        finished = (f for f in folders if not f.name.startswith(".") and f.is_dir())
        while some := list(itertools.islice(finished, _SLICE)):
            yield {folder.name: _uids(folder.path) for folder in some}


def _uids(folder: str) -> frozenset[str]:
    try:
        names = os.listdir(folder)  # noqa: PTH208 - 100 000 times
    except FileNotFoundError:  # purged in this moment
        return frozenset()
    return frozenset(n.removesuffix(layout.SUFFIX) for n in names if n.endswith(layout.SUFFIX) and n[0] != ".")


class Recovery:
    """Made once, at the start, before anybody else works. :meth:`turn` until it says that nothing is left.

    ``refused`` is told of each recording whose instance cannot be adopted, since it cannot be read.
    """

    def __init__(
        self, settings: Settings, ledger: Ledger, clock: Clock, refused: Callable[[str], None] = lambda _: None
    ) -> None:
        self._settings = settings
        self._root = settings.places.instances
        self._ledger = ledger
        self._clock = clock
        leftovers.sweep(settings.places, ledger)
        self._refused = refused
        self.folders = self.adopted = 0  # so far
        self.done = False
        self._router = Router(settings)
        for name in unfinished(self._root):
            fsops.remove_folder(self._root / name)
        imports.sweep(settings.places)
        self._unrouted_after: str | None = ""  # the UID up to which it was looked whether a rule takes it now
        self._plans = itertools.chain(self._by_folder(), self._vanished())

    def turn(self, beat: Callable[[], None] = lambda: None) -> bool:
        """Carry out one slice; True while more is left."""
        if self._unrouted_after is not None:
            self._unrouted_after = self._route_again(self._unrouted_after, beat)
            return True
        actions = next(self._plans, None)
        if actions is None:
            if not self.done and self.adopted:
                log.warning("%d wrapped recordings were unknown to the ledger: they are sent again", self.adopted)
            self.done = True
            return False
        adopt = []
        for action in actions:
            beat()
            match action:
                case Sweep():
                    raise AssertionError("only whoever wraps meanwhile has unfinished folders")
                case Alarm(uid, words):
                    self._alarm(uid, words)
                case Adopt(folder):
                    adopt.append(folder)
        if adopt:
            self._adopt(adopt, beat)
        return True

    def _by_folder(self) -> Iterator[list[Action]]:
        """What lies on the disk, and what the ledger says of it."""
        for files in look(self._root):
            self.folders += len(files)
            known = self._known("folder", list(files))
            strange = frozenset().union(*files.values()) - {k.uid for k in known}
            yield plan(files, known, frozenset(k.uid for k in self._known("uid", list(strange))))

    def _vanished(self) -> Iterator[list[Action]]:
        """What the ledger says of folders that are not there."""
        last = ""
        while rows := self._ledger.query(
            "SELECT DISTINCT folder FROM instances WHERE folder > ? AND state <> 'PURGED' ORDER BY folder LIMIT ?",
            *(last, 5 * _SLICE),
        ):
            last = rows[-1]["folder"]
            yield plan(
                {}, self._known("folder", [r["folder"] for r in rows if not (self._root / r["folder"]).exists()])
            )

    def _known(self, column: str, values: list[str]) -> list[Known]:
        marks = ", ".join("?" * len(values))
        sql = f"SELECT uid, folder, state FROM instances WHERE {column} IN ({marks})"  # noqa: S608
        return [Known(r["uid"], r["folder"], Instance(r["state"])) for r in self._ledger.query(sql, *values)]

    def _alarm(self, uid: str, words: str) -> None:
        """Only if it still is so: the file first and then the ledger, which says PURGING before a file goes."""
        row = instances.instance(self._ledger, uid)
        if row is None:
            return
        there = (self._settings.box.data / row["path"]).exists()
        (again,) = plan({row["folder"]: frozenset({uid} if there else ())}, self._known("uid", [uid])) or (None,)
        if isinstance(again, Alarm):
            instances.mark_corrupt(self._ledger, uid, words)
            log.error("instance %s: %s; compare with a backup: gateway queue show %s", uid, words, uid)

    def _adopt(self, folders: list[str], beat: Callable[[], None]) -> None:
        here = self._settings.places
        found = []
        for name in folders:
            beat()
            try:
                folder = here.instances / name
                sums = layout.read_sums(folder)
                described = [(layout.describe(here, path), sums.get(path.stem)) for path in layout.files(folder)]
                found.append(
                    (imports.origin(name, described) if layout.is_import(name) else self._origin(name), described)
                )
            except Held as error:
                log.error("instances/%s is not sent: %s", name, error)
                self._refused(name)
        now = self._clock.wall()
        self.adopted += len(found)
        with self._ledger.change() as c:
            for origin, described in found:
                instances.insert(c, origin, described, self._router.choose(origin, backlog=True), now)
                for one in described:
                    if one[0].marks:
                        settle(c, one[0].uid)
                if layout.is_import(origin.folder):
                    continue
                c.execute(
                    "INSERT INTO acquisitions (id, exam, device, test, state) VALUES (?, ?, ?, ?, ?)"
                    " ON CONFLICT (id) DO UPDATE SET state = excluded.state, held = NULL",
                    (origin.acquisition, origin.exam, origin.device, origin.test, Acquisition.WRAPPED),
                )

    def _route_again(self, after: str, beat: Callable[[], None]) -> str | None:
        """Ask the rules, which may have changed, about a slice of what went to nobody; returns its last UID."""
        rows = self._ledger.query(
            "SELECT uid, path, folder, acquisition, exam, device, test FROM instances WHERE unrouted AND"
            " state = 'SPOOLED' AND NOT discarded AND uid > ? ORDER BY uid LIMIT ?",
            *(after, _SLICE),
        )
        late = 0
        for row in rows:
            beat()
            origin = Origin(row["folder"], row["acquisition"], row["exam"], row["device"], bool(row["test"]))
            try:
                one = layout.describe(self._settings.places, self._settings.box.data / row["path"])
            except (Held, OSError):  # the plans tell of it
                continue
            to = list(self._router.choose(origin, backlog=True)(one))
            late += any(w.policy != "copy" for w in to)
            with self._ledger.change() as c:
                instances.queue(c, one, to, self._clock.wall())
        if late:
            log.warning("%d instances that went to no destination so far have one now: they are sent", late)
        return rows[-1]["uid"] if rows else None

    def _origin(self, folder: str) -> Origin:
        acquisition = layout.acquisition_of(folder)
        raw = self._settings.places.acquisition(acquisition)
        facts = holding.facts(raw)
        if facts is None:
            return Origin(folder, acquisition, "", "", False)
        return Origin(folder, acquisition, holding.exam_of(raw, facts) or "", facts.device, facts.test)
