"""Rebuild the DICOMDIR of our file-set from its files: they are the truth, the directory is a list of them.

It starts from what another program's DICOMDIR said before ours were added (:mod:`.original`), if there was one: of
those records only such go as name a file of ours that is removed or lost. Every file in
PAnnnnnn/STnnnnnn/SEnnnnnn/INnnnnnn whose hash is the remembered one is named again, in the old order. One
without a remembered hash is taken in if its header is sound: somebody lost the hashes. One with another hash is
damaged: it is left where it is, and said. A removed one is taken off (:mod:`.tombstones`). The new directory
replaces the old one at once.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway import fsops
from gateway.errors import Held
from gateway.transfer.media import hashes, original, tombstones
from gateway.transfer.media.dicomdir.directory import Directory, NotOurs
from gateway.transfer.media.dicomdir.elements import Malformed, Window
from gateway.transfer.media.dicomdir.entities import FILE_ID, file_id_of
from gateway.transfer.media.dicomdir.header import read_header
from gateway.transfer.media.dicomdir.splicing import without
from gateway.transfer.media.dicomdir.stores import Draft, load, opened
from gateway.transfer.media.dicomdir.structure import Record, read_records, read_top
from gateway.transfer.media.medium import DICOMDIR, claimed, doubtful, refuse_unsound
from gateway.transfer.media.medium import found as find_file

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Repaired:
    """What the new directory names, and what it does not."""

    instances: int
    left_out: tuple[str, ...]  # "File ID: reason"

    def __str__(self) -> str:
        lines = [f"the DICOMDIR was rebuilt and names {self.instances} instances"]
        return "\n".join([*lines, *(f"left out: {line}" for line in self.left_out)])


def repair(root: Path, file_set_id: str = "GATEWAY") -> Repaired:
    """Rebuild the DICOMDIR at ``root``. ``file_set_id`` is used if the old one cannot be read any more.

    Raises Retry if the medium is not there or cannot be written, Held if it, or its DICOMDIR, is another program's.
    """
    with claimed(root):
        done = rebuild(root, file_set_id)
        doubtful.discard(root)
    return done


def rebuild(root: Path, file_set_id: str, beat: Callable[[], None] = lambda: None) -> Repaired:
    """The same for whoever has claimed the medium and knows it is ours."""
    _keep_others(root)
    known, gone = hashes.remembered(root), tombstones.read(root)
    kept: dict[str, str] = {}
    left_out: list[str] = []
    sweep(root)
    with contextlib.ExitStack() as open_files:
        directory = _original(root, known, gone, open_files)
        for file_id in _files(root):
            if file_id in gone:
                continue
            said, found = known.get(file_id), hashes.of_file(root / file_id, beat)
            kept[file_id] = said or found
            if said not in (None, found):
                left_out.append(f"{file_id}: its content is not what was written")
                continue
            try:
                header = read_header(root / file_id)
            except Held as error:
                left_out.append(f"{file_id}: {error.message}")
                continue
            if directory is None:
                stream = open_files.enter_context(fsops.new_file(root / DICOMDIR))
                directory = Directory(Draft(stream), _title(root) or file_set_id)
            if (there := directory.find(header.sop_instance_uid)) is not None:
                if there != file_id:
                    left_out.append(f"{file_id}: the same instance is there already")
                continue
            try:
                directory.file_id(header)  # refuses a second patient with the same ID
            except Held as error:
                left_out.append(f"{file_id}: {error.message}")
                continue
            directory.insert(header, file_id)
        hashes.rewrite(root, kept)  # before the new directory names what was not remembered
    count = directory.counts["instance"] if directory else 0
    if directory is None and (root / DICOMDIR).exists():
        fsops.unlink(root / DICOMDIR)  # one without records is not allowed (PS3.11 H.3.3)
    tombstones.bury(root, gone)
    return Repaired(count, tuple(left_out))


def _keep_others(root: Path) -> None:
    """What another program wrote over our DICOMDIR is what repair starts from. Held if that is not sound."""
    try:
        load(root / DICOMDIR, original.end(root))
    except NotOurs:
        refuse_unsound(root)
        original.keep(root)
    except Malformed as error:
        log.info("medium %s: its DICOMDIR is damaged: %s", root, error)
        original.refuse_others(root)


def _original(
    root: Path, known: dict[str, str], gone: dict[str, str], open_files: contextlib.ExitStack
) -> Directory | None:
    """The beginning of the new DICOMDIR: what another program named, but for what is gone of ours. None if nothing."""

    def doomed(record: Record) -> bool:
        file_id = file_id_of(record.values.get(0x00041500, b""))
        return tombstones.names(record, gone) or (file_id in known and find_file(root, file_id) is None)

    with opened(original.place(root)) as source:
        if source is None:
            return None
        try:
            if all(
                not record.values.get(0x00041500) or doomed(record) for record in read_records(source, read_top(source))
            ):
                return None
            stream = open_files.enter_context(fsops.new_file(root / DICOMDIR))
            without(source, stream, doomed, 1 << 40)
            stream.flush()
            return Directory.adopt(Draft(stream), Window(stream.fileno()))
        except Malformed as error:
            raise Held(
                f"{original.place(root)} is damaged ({error})",
                "it holds what another program named: put its DICOMDIR back from elsewhere, or move this file away",
            ) from error


def _files(root: Path) -> Iterator[str]:
    """Our files below ``root`` by number of the instance; links are not followed."""
    found = []
    for parent, folders, names in os.walk(root):
        relative = Path(parent).relative_to(root).as_posix()
        if relative.startswith("PA"):
            sweep(Path(parent))
        found += [f for name in names if FILE_ID.fullmatch(f := f"{relative}/{name}")]
        folders[:] = [name for name in folders if name[:2] in ("PA", "ST", "SE")]
    yield from sorted((f for f in found if (root / f).is_file() and not (root / f).is_symlink()), key=lambda f: f[-6:])


def _title(root: Path) -> str:
    """File-set ID of the old directory, if that much of it can be read."""
    try:
        with opened(root / DICOMDIR) as source:
            return read_top(source).file_set_id if source else ""
    except Malformed:
        return ""


def sweep(folder: Path) -> None:
    """Remove what an interrupted write left behind under a temporary name.

    FAT renames by writing the new entry first: after a cut both names may lead to the same clusters, and removing one
    would free those of the other. So one that is as long as the file it was to become stays.
    """
    for leftover in folder.glob(".*.part"):
        named = folder / leftover.name[1:].rsplit(".", 2)[0]
        if not (named.is_file() and named.stat().st_size == leftover.stat().st_size):
            fsops.unlink(leftover)
