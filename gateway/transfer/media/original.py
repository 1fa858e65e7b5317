"""GATEWAY/DICOMDIR.ORG: the DICOMDIR as another program wrote it last, before records of ours were added to it.

It is copied and synced before the DICOMDIR is touched, so that whatever happens to the DICOMDIR then, ``repair`` starts
from what the other program said. Whoever wants the medium as it was copies it back.
"""

from __future__ import annotations

from pathlib import Path

from gateway import fsops
from gateway.errors import Held
from gateway.identifiers import IMPLEMENTATION_CLASS_UID
from gateway.transfer.media import hashes
from gateway.transfer.media.dicomdir.elements import Malformed, Window
from gateway.transfer.media.dicomdir.stores import copy, opened
from gateway.transfer.media.dicomdir.structure import read_meta, read_records, read_top
from gateway.transfer.media.medium import DICOMDIR, refuse_links

NAME = "DICOMDIR.ORG"
_BLOCK = 1 << 20


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


def refuse_others(root: Path) -> None:
    """Held if a damaged DICOMDIR is another program's: rebuilt from the files, it would lose what only it names."""
    try:
        with opened(root / DICOMDIR) as source, opened(place(root)) as before:
            author = _meta(source)
            if not author or author.get(0x00020012) == IMPLEMENTATION_CLASS_UID.encode() or author == _meta(before):
                return
    except Malformed:
        return
    raise Held(
        f"the DICOMDIR at {root} was written by another program and is damaged",
        "it is left as it is: have that program write it again, or move it away and run 'gateway media repair'",
    )


def _meta(source: Window | None) -> dict[int, bytes]:
    try:
        return read_meta(source)[0] if source else {}
    except Malformed:
        return {}


def _same(one: Path, other: Path) -> bool:
    with one.open("rb") as first, other.open("rb") as second:
        while True:
            block = first.read(_BLOCK)
            if block != second.read(_BLOCK):
                return False
            if not block:
                return True
