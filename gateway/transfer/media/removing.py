"""Take an instance of ours off a medium: a recording that was attributed to another patient, or discarded.

Order, each step synced before the next:

1. its tombstone (:mod:`.tombstones`)
2. a DICOMDIR without its record, and without what would be left empty above it, replaces the old one; if nothing
   is left there is none (PS3.11 H.3.3 allows no empty one)
3. the same of ``GATEWAY/DICOMDIR.ORG``, if that names it
4. the file and its empty folders, then the line with its hash

A cut before 1 is durable leaves everything; after that the next add, removal or repair goes on where it was cut.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from pathlib import Path

from gateway import fsops
from gateway.errors import Held, Misuse
from gateway.transfer.media import hashes, original, tombstones
from gateway.transfer.media.dicomdir.directory import Directory, NotOurs
from gateway.transfer.media.dicomdir.elements import Malformed
from gateway.transfer.media.dicomdir.splicing import without
from gateway.transfer.media.dicomdir.stores import adopt, opened
from gateway.transfer.media.dicomdir.structure import read_records, read_top
from gateway.transfer.media.medium import DICOMDIR, claimed, found, refuse_unsound
from gateway.transfer.media.repairing import rebuild

log = logging.getLogger(__name__)
_NOBODYS = 1 << 40  # behind all records: none of them may get a reserve of ours


def remove(root: Path, sop_instance_uid: str, beat: Callable[[], None] = lambda: None) -> str:
    """Take one instance off the file-set at ``root``; returns the File ID it had.

    Raises Misuse if no record names it, Held if it is another program's, Retry if the medium is not there or fails.
    """
    with claimed(root):
        finish(root, beat)
        directory = _load(root, beat)
        file_id = directory.find(sop_instance_uid) if directory else None
        if file_id is None:
            raise Misuse(f"no record on the medium at {root} names the instance {sop_instance_uid}", "check the UID")
        if not _ours(root, file_id, beat):
            raise Held(
                f"{file_id} on the medium at {root} is not what a gateway put there",
                "it is left as it is: have it removed by the program that wrote it",
            )
        if not tombstones.put(root, file_id, sop_instance_uid):
            raise Held(f"{sop_instance_uid!r} at {file_id} is no UID", "it is left as it is: use another medium")
        finish(root, beat)
    return file_id


def finish(root: Path, beat: Callable[[], None] = lambda: None) -> None:
    """Go on with removals that were cut off, for whoever has claimed the medium."""
    todo = tombstones.unburied(root)
    if not todo:
        return
    try:
        _unname(root, todo)
    except Malformed as error:
        log.warning("medium %s: its DICOMDIR is damaged (%s); rebuilding it", root, error)
        rebuild(root, "GATEWAY", beat)
        return
    tombstones.bury(root, todo)


def _unname(root: Path, gone: dict[str, str]) -> None:
    path, theirs = root / DICOMDIR, original.end(root)
    try:
        original.load_ours(root)
    except NotOurs:
        theirs, last = _NOBODYS, _cut(path, gone, _NOBODYS)
    else:
        last = _cut(path, gone, theirs)
    if 0 < last < theirs < _NOBODYS:  # nothing of ours is left: it becomes what it was
        with opened(original.place(root)) as source, fsops.new_file(path) as out:
            assert source is not None
            without(source, out, lambda record: tombstones.names(record, gone))
    _cut(original.place(root), gone, _NOBODYS)


def _cut(path: Path, gone: dict[str, str], theirs: int) -> int:
    """Replace a DICOMDIR that names any of ``gone``; where the last record stands that is left, 0: nothing done."""
    with opened(path) as source:
        if source is None:
            return 0
        if not any(tombstones.names(record, gone) for record in read_records(source, read_top(source))):
            return 0
        with contextlib.suppress(_NothingLeft):
            with fsops.new_file(path) as out:
                last = without(source, out, lambda record: tombstones.names(record, gone), theirs)
                if not last:
                    raise _NothingLeft
            return last
    fsops.unlink(path)
    return 0


class _NothingLeft(Exception):
    """There is no record left to write down."""


def _load(root: Path, beat: Callable[[], None]) -> Directory | None:
    try:
        return original.load_ours(root)
    except NotOurs:
        refuse_unsound(root)
        return adopt(root / DICOMDIR)
    except Malformed as error:
        log.warning("medium %s: its DICOMDIR was cut or damaged (%s); rebuilding it", root, error)
        rebuild(root, "GATEWAY", beat)
        return original.load_ours(root)


def _ours(root: Path, file_id: str, beat: Callable[[], None]) -> bool:
    """Whether a gateway put this file here; another program may have moved it since."""
    path = found(root, file_id)
    return file_id in hashes.remembered(root) or (path is not None and hashes.ours(root, path, beat))
