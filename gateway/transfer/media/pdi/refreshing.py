"""Bring the pages up to date with the DICOMDIR: only what changed is written, no picture is drawn twice.

The DICOMDIR is read once from end to end, which is quick beside what the medium does. A study whose instances are
those that its pages were made of is passed over. Of one that got more, the new pictures are drawn and the last pages
written; one that changed otherwise (a repair, a removal) is made again. Lists and INDEX.HTM follow.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

from gateway.errors import Held
from gateway.transfer.media import profiles
from gateway.transfer.media.dicomdir.elements import Malformed, Window
from gateway.transfer.media.dicomdir.stores import open_directory
from gateway.transfer.media.medium import DICOMDIR, claimed, refuse_links
from gateway.transfer.media.pdi.lists import Lists
from gateway.transfer.media.pdi.readme import About
from gateway.transfer.media.pdi.shelf import STATE, NoRoom, Shelf
from gateway.transfer.media.pdi.studies import Studies
from gateway.transfer.media.pdi.tree import Tree

log = logging.getLogger(__name__)
_SURE = 1_700_000_000.0  # seconds: a clock that says less was never set
_said: set[tuple[Path, str]] = set()


def refresh(
    root: Path,
    about: About,
    beat: Callable[[], None] = lambda: None,
    now: float | None = None,
    check: bool = False,
    anew: bool = False,
) -> int:
    """Make and mend the pages of the file-set at ``root``; returns how many instances got their place on one now.

    ``check`` looks whether what was made is still there; ``anew`` makes everything again. Raises Retry if the medium
    is not there or fails, Held if it, its DICOMDIR or its IHE_PDI is another program's, or the DICOMDIR is not sound. A
    medium that is nearly full gets fewer pages; that is said in the log once.
    """
    moment = time.time() if now is None else now
    updated = time.strftime("%d %b %Y, %H:%M UTC", time.gmtime(moment)).lstrip("0") if moment > _SURE else ""
    with claimed(root):
        refuse_links(root, STATE)
        try:
            descriptor = open_directory(root / DICOMDIR)
            if descriptor is None:
                return 0
            try:
                return _refresh(Tree(Window(descriptor), beat), Shelf(root, beat, check, anew), about, updated)
            finally:
                os.close(descriptor)
        except Malformed as error:
            raise Held(
                f"the DICOMDIR at {root} is not sound ({error}); its pages stay as they are",
                "run 'gateway media verify', then repair",
            ) from error


def _refresh(tree: Tree, shelf: Shelf, about: About, updated: str) -> int:
    root = shelf.root
    lists = Lists(tree, shelf, about, profiles.of(root, about.profile), updated)
    studies = Studies(tree, shelf, f"../../{lists.index_from_pages}")
    try:
        lists.style()
    except NoRoom:
        studies.room = False
    for patient, study in tree.studies():
        lists.take(patient, study, *studies.bring(patient, study))
    studies.remove_gone()
    try:
        if not studies.room:
            raise NoRoom
        lists.all_studies()
    except NoRoom:
        words = "has little room left: pages of what came last are left out, its DICOM part is whole"
        _say(root, words)
    try:
        lists.index()
        lists.readme()
    except NoRoom:
        _say(root, "has no room for INDEX.HTM; its DICOM part is whole")
    shelf.settle()
    for name in lists.elsewhere:
        _say(root, f"has another's {name}: it is left as it is, ours is IHE_PDI/{name}")
    return studies.done


def _say(root: Path, words: str) -> None:
    if (root, words) not in _said:
        _said.add((root, words))
        log.warning("medium %s %s", root, words)
