"""After a crash, a power cut or the loss of the ledger: what must be done follows from the files and the ledger alone.

:func:`plan` is pure. :class:`Recovery` carries its actions out in slices, so that a spool of many instances with a
deleted ledger does not keep the process from starting: what is adopted is sent while the rest still waits.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from gateway import fsops
from gateway.clock import Clock
from gateway.errors import Held
from gateway.settings import Settings
from gateway.spool import holding, instances, layout, leftovers
from gateway.spool.deliveries import settle
from gateway.spool.instances import Origin
from gateway.spool.intake import wanted
from gateway.spool.ledger import Ledger
from gateway.spool.space import finish_purge
from gateway.spool.states import Acquisition, Instance

log = logging.getLogger(__name__)
_SLICE = 100  # folders adopted in one SQL transaction


@dataclass(frozen=True, slots=True)
class Sweep:
    """A wrapping that was never finished, and that nobody was offered."""

    folder: str


@dataclass(frozen=True, slots=True)
class Adopt:
    """Instances that the ledger does not know: queued again to every destination."""

    folder: str


@dataclass(frozen=True, slots=True)
class FinishPurge:
    uid: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """The ledger and the disk contradict each other in a way that only a person can judge."""

    uid: str
    words: str


Action = Sweep | Adopt | FinishPurge | Alarm


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger says of one instance."""

    uid: str
    folder: str
    state: Instance


def plan(files: Mapping[str, frozenset[str]], known: Iterable[Known]) -> list[Action]:
    """``files``: the names below instances/, each with the instance UIDs in it. Each action may be repeated."""
    actions: list[Action] = [Sweep(name) for name in sorted(files) if layout.is_unfinished(name)]
    in_ledger = set()
    for one in known:
        in_ledger.add(one.uid)
        there = one.uid in files.get(one.folder, frozenset())
        if one.state is Instance.PURGING:
            actions.append(FinishPurge(one.uid))
        elif one.state is Instance.SPOOLED and not there:
            actions.append(Alarm(one.uid, f"its file has vanished from instances/{one.folder}"))
        elif one.state is Instance.PURGED and there:
            actions.append(Alarm(one.uid, f"it was purged, but lies in instances/{one.folder} again"))
    for name in sorted(files):
        if not layout.is_unfinished(name) and files[name] - in_ledger:
            actions.append(Adopt(name))
    return actions


def look(settings: Settings) -> dict[str, frozenset[str]]:
    """The files side of :func:`plan`: names only, nothing is read."""
    found: dict[str, frozenset[str]] = {}
    root = settings.places.instances
    if not root.exists():
        return found
    with os.scandir(root) as folders:
        for folder in folders:
            if folder.is_dir():
                names = (n for n in os.listdir(folder.path) if n.endswith(layout.SUFFIX))  # noqa: PTH208 - 100 000 times
                found[folder.name] = frozenset(n.removesuffix(layout.SUFFIX) for n in names if not n.startswith("."))
    return found


class Recovery:
    """Made once, at the start. :meth:`turn` until it says that nothing is left."""

    def __init__(self, settings: Settings, ledger: Ledger, clock: Clock) -> None:
        self._settings = settings
        self._ledger = ledger
        self._clock = clock
        leftovers.sweep(settings.places, ledger)
        if late := instances.queue_unwanted(ledger, wanted(settings), clock.wall()):
            log.warning("%d instances were wrapped while no destination was configured: they are sent now", late)
        rows = ledger.query("SELECT uid, folder, state FROM instances")
        known = (Known(r["uid"], r["folder"], Instance(r["state"])) for r in rows)
        self._actions = deque(plan(look(settings), known))
        if adopted := sum(isinstance(a, Adopt) for a in self._actions):
            log.warning("%d wrapped recordings are unknown to the ledger: they are queued and sent again", adopted)

    def turn(self, beat: Callable[[], None] = lambda: None) -> bool:
        """Carry out one slice; True while more is left."""
        adopt = []
        for _ in range(min(_SLICE, len(self._actions))):
            beat()
            match self._actions.popleft():
                case Sweep(folder):
                    fsops.remove_folder(self._settings.places.instances / folder)
                case FinishPurge(uid):
                    finish_purge(self._settings.places, self._ledger, uid)
                case Alarm(uid, words):
                    instances.mark_corrupt(self._ledger, uid, words)
                    log.error("instance %s: %s; compare with a backup: gateway queue show %s", uid, words, uid)
                case Adopt(folder):
                    adopt.append(folder)
        if adopt:
            self._adopt(adopt)
        return bool(self._actions)

    def _adopt(self, folders: list[str]) -> None:
        here = self._settings.places
        found = []
        for name in folders:
            try:
                folder = here.instances / name
                sums = layout.read_sums(folder)
                described = [(layout.describe(here, path), sums.get(path.stem)) for path in layout.files(folder)]
                found.append((self._origin(name), described))
            except Held as error:
                log.error("instances/%s is not sent: %s", name, error)
        now = self._clock.wall()
        with self._ledger.change() as c:
            for origin, described in found:
                # A further wrapping goes only where the first is refused, and that the destination will say again.
                further = origin.folder != origin.acquisition
                instances.insert(c, origin, described, () if further else wanted(self._settings), now)
                for one in described:
                    if one[0].marks:
                        settle(c, one[0].uid)
                c.execute(
                    "INSERT INTO acquisitions (id, exam, device, test, state) VALUES (?, ?, ?, ?, ?)"
                    " ON CONFLICT (id) DO UPDATE SET state = excluded.state, held = NULL",
                    (origin.acquisition, origin.exam, origin.device, origin.test, Acquisition.WRAPPED),
                )

    def _origin(self, folder: str) -> Origin:
        acquisition = layout.acquisition_of(folder)
        raw = self._settings.places.acquisition(acquisition)
        facts = holding.facts(raw)
        if facts is None:
            return Origin(folder, acquisition, "", "", False)
        return Origin(folder, acquisition, holding.exam_of(raw, facts) or "", facts.device, facts.test)
