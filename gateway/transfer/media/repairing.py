"""Rebuild the DICOMDIR of our file-set from its files: they are the truth, the directory is a list of them.

Every file in PAnnnnnn/STnnnnnn/SEnnnnnn/INnnnnnn whose hash is the remembered one is named again, in the old order. One
without a remembered hash was cut off just before: it appeared under its name only when it was whole, so it is
taken in if its header is sound. One with another hash is damaged: it is left where it is, and said. The new directory
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
from gateway.transfer.media import hashes
from gateway.transfer.media.dicomdir.directory import FILE_ID, Directory, NotOurs
from gateway.transfer.media.dicomdir.elements import Malformed, Window
from gateway.transfer.media.dicomdir.header import read_header
from gateway.transfer.media.dicomdir.stores import Draft, load, open_directory
from gateway.transfer.media.dicomdir.structure import read_top
from gateway.transfer.media.medium import DICOMDIR, claimed, doubtful

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
        try:
            load(root / DICOMDIR)
        except NotOurs as error:
            raise Held(
                f"the DICOMDIR at {root} was written by another program ({error})",
                "it may name files that are not ours: move it away first if it shall be rebuilt",
            ) from error
        except Malformed as error:
            log.info("medium %s: its DICOMDIR is damaged: %s", root, error)
        done = rebuild(root, file_set_id)
        doubtful.discard(root)
    return done


def rebuild(root: Path, file_set_id: str, beat: Callable[[], None] = lambda: None) -> Repaired:
    """The same for whoever has claimed the medium and knows it is ours."""
    known = hashes.remembered(root)
    kept: dict[str, str] = {}
    left_out: list[str] = []
    fsops.sweep(root)
    with contextlib.ExitStack() as open_files:
        directory: Directory | None = None
        for file_id in _files(root):
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
                directory = Directory(Draft(stream), *_title(root, file_set_id))
            if directory.find(header.sop_instance_uid) is not None:
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
    if not count and (root / DICOMDIR).exists():
        fsops.unlink(root / DICOMDIR)  # one without records is not allowed (PS3.11 H.3.3)
    return Repaired(count, tuple(left_out))


def _files(root: Path) -> Iterator[str]:
    """Our files below ``root`` by number of the instance; links are not followed."""
    found = []
    for parent, folders, names in os.walk(root):
        relative = Path(parent).relative_to(root).as_posix()
        if relative.startswith("PA"):
            fsops.sweep(Path(parent))
        found += [f for name in names if FILE_ID.fullmatch(f := f"{relative}/{name}")]
        folders[:] = [name for name in folders if name[:2] in ("PA", "ST", "SE")]
    yield from sorted((f for f in found if (root / f).is_file() and not (root / f).is_symlink()), key=lambda f: f[-6:])


def _title(root: Path, otherwise: str) -> tuple[str, str]:
    """File-set ID and UID of the old directory, if that much of it can be read; else ``otherwise`` and a new one ("").

    The UID stays: whoever knows the file-set, above all the box that wrote it, knows it by that.
    """
    try:
        descriptor = open_directory(root / DICOMDIR)
    except Malformed:
        return otherwise, ""
    if descriptor is None:
        return otherwise, ""
    try:
        top = read_top(Window(descriptor))
        return top.file_set_id or otherwise, top.file_set_uid
    except Malformed:
        return otherwise, ""
    finally:
        os.close(descriptor)
