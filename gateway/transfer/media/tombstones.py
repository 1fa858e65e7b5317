"""GATEWAY/REMOVED.TXT: what was taken off the medium on purpose, so that no repair brings it back.

One line per file, "File ID  SOP Instance UID", appended and synced before anything else of a removal is done. A name
that stands here is never used again.
"""

from __future__ import annotations

import re
from pathlib import Path

from gateway import fsops
from gateway.errors import Held
from gateway.transfer.media import hashes
from gateway.transfer.media.dicomdir.entities import FILE_ID, file_id_of
from gateway.transfer.media.dicomdir.header import read_header
from gateway.transfer.media.dicomdir.structure import Record
from gateway.transfer.media.medium import Finder

NAME = "REMOVED.TXT"
_LINE = re.compile(rb"([A-Z0-9_/]{1,71})  ([0-9.]{1,64})\n")


def place(root: Path) -> Path:
    return root / hashes.FOLDER / NAME


def put(root: Path, file_id: str, sop_instance_uid: str) -> bool:
    """Say durably that a file is removed; False if a line cannot say it."""
    line = f"{file_id}  {sop_instance_uid}\n".encode()
    if _LINE.fullmatch(line) is None:
        return False
    hashes.append_line(place(root), line)
    return True


def read(root: Path) -> dict[str, str]:
    """File ID -> SOP Instance UID."""
    gone: dict[str, str] = {}
    for line in hashes.lines(root, f"{hashes.FOLDER}/{NAME}"):
        if match := _LINE.fullmatch(line):
            gone[match[1].decode("ascii")] = match[2].decode("ascii")
    return gone


def last_number(gone: dict[str, str]) -> int:
    """The highest number of a removed file of ours."""
    return max((int(match[4]) for file_id in gone if (match := FILE_ID.fullmatch(file_id))), default=0)


def names(record: Record, gone: dict[str, str]) -> bool:
    """Whether a directory record names one of them."""
    return gone.get(file_id_of(record.values.get(0x00041500, b"")), "-") == record.text(0x00041511)


def unburied(root: Path) -> dict[str, str]:
    """Those of which something is still on the medium. Another object that has the name by now is none."""
    gone = read(root)
    known = hashes.remembered(root) if gone else {}
    find = Finder(root)
    return {f: uid for f, uid in gone.items() if f in known or _holds(find(f), f, uid)}


def bury(root: Path, gone: dict[str, str]) -> None:
    """What is left to do when no DICOMDIR names them any more: the files, empty folders of ours, the hashes."""
    find = Finder(root)
    for file_id, uid in gone.items():
        if (path := find(file_id)) and _holds(path, file_id, uid):
            fsops.unlink(path)
        for folder in (root / file_id).parents if FILE_ID.fullmatch(file_id) else ():
            if folder == root or folder.is_symlink() or not fsops.remove_empty(folder):
                break
    known = hashes.remembered(root) if gone else {}
    if known.keys() & gone.keys():
        hashes.drop(root, gone)


def _holds(path: Path | None, file_id: str, sop_instance_uid: str) -> bool:
    """Whether the file is there and is that instance; one that cannot be read is, if its name is ours."""
    if path is None:
        return False
    try:
        return read_header(path).sop_instance_uid == sop_instance_uid
    except Held:
        return FILE_ID.fullmatch(file_id) is not None
