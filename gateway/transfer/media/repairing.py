"""Rebuild the DICOMDIR of our file-set from its files: they are the truth, the directory is a list of them.

Every file in PAnnnnnn/STnnnnnn/SEnnnnnn/INnnnnnn whose hash is the remembered one is named again, folder by folder. One
without a remembered hash was cut off just before: it appeared under its name only when it was whole, so it is
taken in if its header is sound. One with another hash is damaged: it is left where it is, and said. The new directory
replaces the old one at once.
"""

from __future__ import annotations

import contextlib
import logging
import os
import stat
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway import fsops
from gateway.errors import Held
from gateway.transfer.media import hashes
from gateway.transfer.media.dicomdir.directory import FILE_ID, Directory, NotOurs
from gateway.transfer.media.dicomdir.elements import Malformed, Window
from gateway.transfer.media.dicomdir.header import Header, header_in
from gateway.transfer.media.dicomdir.stores import Draft, load, open_directory
from gateway.transfer.media.dicomdir.structure import read_top
from gateway.transfer.media.medium import DICOMDIR, claimed, doubtful

log = logging.getLogger(__name__)

_AHEAD = 8  # files


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
    left_out: list[str] = []
    fsops.sweep(root)
    directory: Directory | None = None
    with (
        contextlib.ExitStack() as draft,  # ends last: the hashes are there before the directory names what had none
        fsops.new_file(hashes.place(root)) as sums,
        contextlib.closing(_opened(root)) as files,
    ):
        for file_id, descriptor in files:
            digest, header, trouble = _look(root / file_id, descriptor, beat)
            said = known.get(file_id)
            sums.write(hashes.line(file_id, said or digest))
            if said not in (None, digest):
                trouble = "its content is not what was written"
            if header is not None and not trouble:
                if directory is None:
                    stream = draft.enter_context(fsops.new_file(root / DICOMDIR))
                    directory = Directory(Draft(stream), _title(root) or file_set_id)
                trouble = _name(directory, header, file_id)
            if trouble:
                left_out.append(f"{file_id}: {trouble}")
    count = directory.counts["instance"] if directory else 0
    if not count and (root / DICOMDIR).exists():
        fsops.unlink(root / DICOMDIR)  # one without records is not allowed (PS3.11 H.3.3)
    return Repaired(count, tuple(left_out))


def _opened(root: Path) -> Generator[tuple[str, int], None, None]:
    """Our files, each opened some turns before it is wanted: the medium reads while another one is worked on."""
    waiting: deque[tuple[str, int]] = deque()
    try:
        for file_id in _files(root):
            waiting.append((file_id, hashes.fresh(root / file_id)))
            if len(waiting) > _AHEAD:
                yield waiting[0]
                os.close(waiting.popleft()[1])
        while waiting:
            yield waiting[0]
            os.close(waiting.popleft()[1])
    finally:
        for _file_id, descriptor in waiting:
            os.close(descriptor)


def _look(path: Path, descriptor: int, beat: Callable[[], None]) -> tuple[str, Header | None, str]:
    """Hash and header of a file, read once, or what is wrong with it."""
    digest, start = hashes.of_open(descriptor, beat)
    try:
        return digest, header_in(Window(descriptor, start), path), ""
    except Held as error:
        return digest, None, error.message


def _name(directory: Directory, header: Header, file_id: str) -> str:
    """Name a file in the new directory; returns why not, else ""."""
    if directory.find(header.sop_instance_uid) is not None:
        return "the same instance is there already"
    try:
        directory.file_id(header)  # refuses a second patient with the same ID
    except Held as error:
        return error.message
    directory.insert(header, file_id)
    return ""


def _files(root: Path) -> Iterator[str]:
    """Our files below ``root``, folder by folder in the order of their numbers; links are not followed."""
    for parent, folders, names in os.walk(root):
        relative = parent[len(str(root)) + 1 :]
        if relative.startswith("PA") and any(name.startswith(".") for name in names):
            fsops.sweep(Path(parent))
        folders[:] = sorted(name for name in folders if name[:2] in ("PA", "ST", "SE"))
        for name in sorted(names):
            if FILE_ID.fullmatch(f"{relative}/{name}") and stat.S_ISREG(os.lstat(f"{parent}/{name}").st_mode):
                yield f"{relative}/{name}"


def _title(root: Path) -> str:
    """File-set ID of the old directory, if that much of it can be read."""
    try:
        descriptor = open_directory(root / DICOMDIR)
    except Malformed:
        return ""
    if descriptor is None:
        return ""
    try:
        return read_top(Window(descriptor)).file_set_id
    except Malformed:
        return ""
    finally:
        os.close(descriptor)
