"""What a power cut left of work that was never finished, and that nobody was told of: swept at the start.

Temporary files of a write that did not come to its end, and the remains of recordings that a person discarded. Not in
the folder of a recording that has no facts yet: there a capture may just be at work.

::

    acquisitions/.ID.discarded/     a person gave it up; its deletion was begun
"""

from __future__ import annotations

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
    rows = ledger.query("SELECT id FROM acquisitions WHERE state = ?", Acquisition.WRAPPED)
    wrapped = {row["id"] for row in rows}
    for folder in here.acquisitions.iterdir() if here.acquisitions.exists() else ():
        if folder.name.endswith(_DISCARDED) and folder.name.startswith("."):
            _finish_discard(ledger, folder)
        elif folder.name not in wrapped and (folder / FACTS).exists():
            fsops.sweep(folder)


def never_began(folder: Path) -> bool:
    """Whether there is nothing but what a capture writes before the first record: its facts, or a part of them."""
    return all(path.name == FACTS or path.name.startswith(f".{FACTS}.") for path in folder.iterdir())
