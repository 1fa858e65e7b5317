"""What a power cut left of work that was never finished, and that nobody was told of: swept at the start.

Temporary files of a write that did not come to its end, and the remains of recordings that a person discarded. Not in
the folder of a recording that has no facts yet: there a capture may just be at work.

::

    acquisitions/.ID.discarded/     a person gave it up; its deletion was begun
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from gateway import exam, fsops
from gateway.places import FACTS, Places
from gateway.spool.ledger import Ledger
from gateway.spool.states import Acquisition

_DISCARDED = ".discarded"


def discard(ledger: Ledger, folder: Path) -> None:
    """Delete a recording that a person gave up: from the rename on it is gone, whatever happens."""
    aside = folder.with_name(f".{folder.name}{_DISCARDED}")
    if folder.exists():
        fsops.rename(folder, aside)
    _finish_discard(ledger, aside)


def _finish_discard(ledger: Ledger, aside: Path) -> None:
    with ledger.change() as c:
        c.execute("DELETE FROM acquisitions WHERE id = ?", (aside.name.removesuffix(_DISCARDED)[1:],))
    fsops.remove_folder(aside)


def sweep(here: Places, ledger: Ledger) -> None:
    """At the start, before anybody works. What a wrapped recording has of it goes with the recording."""
    exam.sweep(here)
    fsops.sweep(here.worklist)
    for some in _portions(here.acquisitions):
        marks = ", ".join("?" * len(some))
        sql = f"SELECT id FROM acquisitions WHERE id IN ({marks}) AND state = ?"  # noqa: S608
        wrapped = {row["id"] for row in ledger.query(sql, *some, Acquisition.WRAPPED)}
        for name in some:
            folder = here.acquisitions / name
            if name.startswith(".") and name.endswith(_DISCARDED):
                _finish_discard(ledger, folder)
            elif name not in wrapped and _has_leftovers(folder):
                fsops.sweep(folder)


def _portions(folder: Path) -> Iterator[list[str]]:
    """Names in a folder that may hold 100 000, some at a time."""
    if folder.exists():
        with os.scandir(folder) as found:
            while some := [entry.name for entry in itertools.islice(found, 500)]:
                yield some


def _has_leftovers(folder: Path) -> bool:
    found = os.listdir(folder) if folder.is_dir() else []  # noqa: PTH208 - 100 000 times
    return FACTS in found and any(name.endswith(".part") for name in found)


def never_began(folder: Path) -> bool:
    """Whether there is nothing but what a capture writes before the first record: its facts, or a part of them."""
    return all(path.name == FACTS or path.name.startswith(f".{FACTS}.") for path in folder.iterdir())
