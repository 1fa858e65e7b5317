"""A run of the product with every durable step noted: what lay on the disk before and after it, and who asked."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Generic, TypeVar

from crash.disk import Disk, Image, Looking, Tree

from gateway import fsops

Told = TypeVar("Told")
LEDGER = "ledger.sqlite"
# They sync for whoever calls them: the caller is the place that asked.
_ON_BEHALF = {"gateway.fsops", "gateway.records:Writer.sync", "contextlib"}


@dataclass(frozen=True)
class Point(Generic[Told]):
    """A moment at which the power may fail."""

    moment: str  # "before" or "after"
    what: str
    where: str  # relative to the root
    site: str  # who asked for it, e.g. "exam.keep: write_json, names"
    tree: Tree
    ledger: bytes | None  # as SQLite has it durably
    told: Told  # what had been said, and what the world outside had, at this moment


class Trace(Generic[Told]):
    """Runs ``act`` on the disk ``root``; ``told`` is asked at each point for what was promised until then.

    SQLite's own durability is trusted: the ledger is as of its last COMMIT (WAL, synchronous=FULL).
    """

    def __init__(self, root: Path, told: Callable[[], Told]) -> None:
        self._looking = Looking(root, LEDGER)
        self._root = root
        self._told = told
        self._ledger = _ledger(root)
        self.start = self._looking.look()
        self.points: list[Point[Told]] = []

    def run(self, act: Callable[[], None]) -> None:
        fsops.watch = self._watch
        try:
            act()
        finally:
            fsops.watch = None
        self._note("after", "all", self._root.as_posix(), "")

    def _watch(self, moment: str, what: str, where: str) -> None:
        if moment == "after" and what == "commit":
            self._ledger = _ledger(self._root)
        self._note(moment, what, where, _site())

    def _note(self, moment: str, what: str, where: str, site: str) -> None:
        path = Path(where)
        if path.is_relative_to(self._root):  # else it is in the runtime folder, which no reboot survives
            at = path.relative_to(self._root).as_posix()
            self.points.append(Point(moment, what, at, site, self._looking.look(), self._ledger, self._told()))

    def sites(self) -> dict[str, int]:
        """Who asked for an fsync, and how often."""
        found: dict[str, int] = {}
        for point in self.points:
            if (point.moment, point.what) == ("after", "fsync"):
                found[point.site] = found.get(point.site, 0) + 1
        return found

    def images(self, without: frozenset[str] = frozenset()) -> Iterator[tuple[Point[Told], Image]]:
        """Every image at every point; ``without``: the places whose fsync makes nothing durable, from the first on."""
        disk = Disk.durable(self.start)
        differs = not without
        for point in self.points:
            disk.become(point.tree)
            if (point.moment, point.what) == ("after", "fsync"):
                differs = differs or point.site in without
                if point.site not in without:
                    node = point.tree.at(point.where)
                    assert node is not None, f"{point.where} was synced, but is not there"
                    disk.fsync(node)
            if differs:
                for image in disk.images():
                    yield point, image


def _ledger(root: Path) -> bytes | None:
    """A copy in one piece of what is committed."""
    path = next(root.rglob(LEDGER), None)
    if path is None:
        return None
    source = sqlite3.connect(path)
    try:
        return source.serialize()
    finally:
        source.close()


def _site() -> str:
    """Who asked, by which function of fsops, and whether for a file's data or a folder's names."""
    frame: FrameType | None = sys._getframe(2)
    chain: list[str] = []
    while frame is not None:
        module, name = str(frame.f_globals["__name__"]), frame.f_code.co_qualname
        if module == "gateway.fsops":
            chain.append(name)
        elif module not in _ON_BEHALF and f"{module}:{name}" not in _ON_BEHALF:
            how = f"{chain[-1]}, " if chain[-1] not in {"sync", "sync_folder"} else ""
            return f"{module.removeprefix('gateway.')}.{name}: {how}{'names' if 'sync_folder' in chain else 'data'}"
        frame = frame.f_back
    return "nobody"
