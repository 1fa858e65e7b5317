"""GATEWAY/DICOMDIR.ORG: the DICOMDIR as another program wrote it last, before records of ours were added to it.

It is copied and synced before the DICOMDIR is touched, so that whatever happens to the DICOMDIR then, ``repair`` starts
from what the other program said. Whoever wants the medium as it was copies it back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from gateway import fsops
from gateway.transfer.media import hashes
from gateway.transfer.media.dicomdir.directory import Directory, NotOurs
from gateway.transfer.media.dicomdir.elements import Malformed
from gateway.transfer.media.dicomdir.entities import FILE_ID, file_id_of
from gateway.transfer.media.dicomdir.stores import copy, load, opened
from gateway.transfer.media.dicomdir.structure import read_records, read_top
from gateway.transfer.media.medium import DICOMDIR, allowed, refuse_links
from gateway.transfer.media.medium import found as find_file

NAME = "DICOMDIR.ORG"
_BLOCK = 1 << 20
_FILE_ID_AT = re.compile(rb"\x04\x00\x00\x15CS(..)(?=(.{0,80}))", re.DOTALL)  # its length, what follows


def place(root: Path) -> Path:
    return root / hashes.FOLDER / NAME


def keep(root: Path) -> None:
    """Copy the DICOMDIR, durably; one that is kept already is not written again."""
    refuse_links(root, f"{hashes.FOLDER}/{NAME}")
    if place(root).is_file() and _same(place(root), root / DICOMDIR):
        return
    with fsops.new_file(place(root)) as stream:
        copy(root / DICOMDIR, stream, (root / DICOMDIR).stat().st_size)


def end(root: Path) -> int:
    """Where the other program's records end, in its DICOMDIR and so in ours; 0 if there are none that can be read."""
    try:
        with opened(place(root)) as source:
            if source is None:
                return 0
            top = read_top(source)
            return max((record.end for record in read_records(source, top)), default=top.records_at)
    except Malformed:
        return 0


def load_ours(root: Path) -> Directory | None:
    """The DICOMDIR of a medium of ours; None if there is none.

    Raises NotOurs if another program wrote over it, Malformed if it is ours and damaged: then it may be rebuilt.
    """
    try:
        return load(root / DICOMDIR, end(root))
    except NotOurs:
        raise
    except Malformed as error:
        if _names_others(root):  # rebuilt from our files it would lose what only it names
            raise NotOurs(str(error)) from error
        raise


def _names_others(root: Path) -> bool:
    """Whether a damaged DICOMDIR names a file that is there and that neither we nor .ORG would name."""
    kept = set(_names(place(root)))
    return any(name not in kept and find_file(root, name) is not None for name in _names(root / DICOMDIR))


def _names(path: Path) -> Iterator[str]:
    """File IDs of others in a DICOMDIR, sound or not: whatever looks like (0004,1500)."""
    try:
        with opened(path) as source:
            for start in range(0, source.size if source else 0, _BLOCK):
                assert source is not None
                for match in _FILE_ID_AT.finditer(source.read(start, min(_BLOCK + 128, source.size - start))):
                    name = file_id_of(match[2][: int.from_bytes(match[1], "little")])
                    if allowed(name) and not FILE_ID.fullmatch(name):
                        yield name
    except Malformed:
        return


def _same(one: Path, other: Path) -> bool:
    with one.open("rb") as first, other.open("rb") as second:
        while True:
            block = first.read(_BLOCK)
            if block != second.read(_BLOCK):
                return False
            if not block:
                return True
