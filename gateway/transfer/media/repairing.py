"""Rebuild the DICOMDIR of our file-set from its files: they are the truth, the directory is a list of them.

It starts from what another program's DICOMDIR said before ours were added (:mod:`.original`), if there was one: of
those records only such go as name a file of ours that is removed or lost. Every file in
PAnnnnnn/STnnnnnn/SEnnnnnn/INnnnnnn whose hash is the remembered one is named again, folder by folder. One
without a remembered hash is taken in if its header is sound: somebody lost the hashes. One with another hash is
damaged: it is left where it is, and said; of an empty one nothing but its name is left, and that is taken off. A
removed one is taken off (:mod:`.tombstones`). The new directory replaces the old one at once.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway import fsops
from gateway.errors import Held
from gateway.transfer.media import hashes, original, tombstones
from gateway.transfer.media.dicomdir.directory import Directory, NotOurs
from gateway.transfer.media.dicomdir.elements import Malformed, Window
from gateway.transfer.media.dicomdir.entities import file_id_of
from gateway.transfer.media.dicomdir.header import Header, header_in
from gateway.transfer.media.dicomdir.splicing import without
from gateway.transfer.media.dicomdir.stores import Draft, opened
from gateway.transfer.media.dicomdir.structure import Record, read_records, read_top
from gateway.transfer.media.findings import Findings
from gateway.transfer.media.medium import DICOMDIR, Finder, claimed, doubtful, refuse_unsound
from gateway.transfer.media.walking import LEFTOVER, OURS, names_in, walk

log = logging.getLogger(__name__)

_FILE_SET_ID = re.compile(r"[A-Z0-9_ ]{0,16}")
_AHEAD = 8  # files


@dataclass(frozen=True, slots=True)
class Repaired:
    """What the new directory names, and what it does not."""

    instances: int
    left_out: tuple[str, ...]  # "File ID: reason", the first 1000 of ``others``
    others: int = 0

    def __str__(self) -> str:
        lines = [f"the DICOMDIR was rebuilt and names {self.instances} instances"]
        lines += [f"left out: {line}" for line in self.left_out]
        more = self.others - len(self.left_out)
        return "\n".join([*lines, f"left out: {more} more"] if more > 0 else lines)


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
    left_out = Findings()
    sweep(root)
    with (
        contextlib.ExitStack() as draft,  # ends last: the hashes are there before the directory names what had none
        fsops.new_file(hashes.place(root)) as sums,
        contextlib.closing(_opened(root, gone)) as files,
    ):
        directory = _original(root, known, gone, draft)
        for file_id, digest in _moved(root, known, gone):
            sums.write(hashes.line(file_id, digest))
        for file_id, descriptor in files:
            said = known.get(file_id)
            if said is not None and not os.fstat(descriptor).st_size:
                fsops.unlink(root / file_id)  # so FAT leaves what was cut off between its name and its data
                left_out.say(f"{file_id}: nothing is left of it; its name is taken off")
                continue
            digest, header, trouble = _look(root / file_id, descriptor, beat)
            sums.write(hashes.line(file_id, said or digest))
            if said not in (None, digest):
                trouble = "its content is not what was written"
            if header is not None and not trouble:
                if directory is None:
                    stream = draft.enter_context(fsops.new_file(root / DICOMDIR))
                    directory = Directory(Draft(stream), *_title(root, file_set_id))
                trouble = _name(directory, header, file_id)
            if trouble:
                left_out.say(f"{file_id}: {trouble}")
    count = directory.counts["instance"] if directory else 0
    if directory is None and (root / DICOMDIR).exists():
        fsops.unlink(root / DICOMDIR)  # one without records is not allowed (PS3.11 H.3.3)
    tombstones.bury(root, gone)
    return Repaired(count, tuple(left_out.said), left_out.count)


def _moved(root: Path, known: Mapping[str, str], gone: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Hashes of what is no more under the name we gave it: another program that wrote there may have moved it."""
    if original.place(root).exists():
        for file_id, digest in hashes.entries(root):
            if file_id not in gone and (known[file_id] != digest or not (root / file_id).is_file()):
                yield file_id, digest


def _opened(root: Path, gone: dict[str, str]) -> Generator[tuple[str, int], None, None]:
    """Our files but those ``gone``, each opened some turns before it is wanted: the medium reads in the meantime."""
    waiting: deque[tuple[str, int]] = deque()
    try:
        for file_id in _files(root):
            if file_id in gone:
                continue
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
    if (there := directory.find(header.sop_instance_uid)) is not None:
        return "" if there == file_id else "the same instance is there already"
    try:
        directory.file_id(header)  # refuses a second patient with the same ID
    except Held as error:
        return error.message
    directory.insert(header, file_id)
    return ""


def _keep_others(root: Path) -> None:
    """What another program wrote over our DICOMDIR is what repair starts from. Held if that is not sound."""
    try:
        original.load_ours(root)
    except NotOurs:
        refuse_unsound(root)
        original.keep(root)
    except Malformed as error:
        log.info("medium %s: its DICOMDIR is damaged: %s", root, error)


def _original(
    root: Path, known: Mapping[str, str], gone: dict[str, str], open_files: contextlib.ExitStack
) -> Directory | None:
    """The beginning of the new DICOMDIR: what another program named, but for what is gone of ours. None if nothing."""

    find = Finder(root)

    def doomed(record: Record) -> bool:
        file_id = file_id_of(record.values.get(0x00041500, b""))
        return tombstones.names(record, gone) or (file_id in known and find(file_id) is None)

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
    """Our files below ``root``, folder by folder in the order of their numbers; links are not followed."""
    return walk(root, OURS, hidden=lambda folder: sweep(root / folder) if folder else None)


def _title(root: Path, otherwise: str) -> tuple[str, str]:
    """File-set ID and UID of the old directory, if that much of it can be read; else ``otherwise`` and a new one ("").

    The UID stays: whoever knows the file-set, above all the box that wrote it, knows it by that.
    """
    try:
        with opened(root / DICOMDIR) as source:
            if source is not None:
                top = read_top(source)
                name = top.file_set_id if _FILE_SET_ID.fullmatch(top.file_set_id) else ""
                return name or otherwise, top.file_set_uid
    except Malformed:
        pass
    return otherwise, ""


def sweep(folder: Path) -> None:
    """Remove what an interrupted write left behind under a temporary name.

    FAT renames by writing the new entry first: after a cut both names may lead to the same clusters, and removing one
    would free those of the other. So one that is as long as the file it was to become stays.
    """
    for name in [name for name in names_in(folder) if LEFTOVER.fullmatch(name)]:
        leftover, named = folder / name, folder / name[1:].rsplit(".", 2)[0]
        if leftover.is_file() and not (named.is_file() and named.stat().st_size == leftover.stat().st_size):
            fsops.unlink(leftover)
