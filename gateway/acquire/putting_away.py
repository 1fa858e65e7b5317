"""What becomes of a file whose recordings are kept: it stays, is moved to ``done/``, or is deleted, as configured.

The folder is somebody else's and may be on a share: nothing here is synced, and nothing is trusted. Between reading and
this moment another file may have come under the same name; so it is moved first, looked at where nobody else writes,
and moved back if it is not the one that was read.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from pathlib import Path

from gateway import fsops
from gateway.acquire.taken import Stamp

DONE = "done"
LEAVE, DELETE = "leave", "delete"


def stamp_of(found: os.stat_result) -> Stamp:
    return Stamp(found.st_size, found.st_mtime_ns)


def put_away(folder: Path, name: str, stamp: Stamp, how: str) -> None:
    """Raises OSError if the folder does not allow it: then the file stays, and is known."""
    if how == LEAVE:
        return
    path = folder / name
    aside = folder / f".{secrets.token_hex(8)}.taken" if how == DELETE else _place(folder, name)
    try:
        fsops.set_aside(path, aside)
    except FileNotFoundError:
        return  # somebody else did
    found = aside.lstat()
    if not stat.S_ISREG(found.st_mode) or stamp_of(found) != stamp:
        fsops.set_aside(aside, path)
    elif how == DELETE:
        fsops.drop(aside)


def _place(folder: Path, name: str) -> Path:
    """A free name in ``done/``; the devices' own names come again and again."""
    done = folder / DONE
    done.mkdir(exist_ok=True)
    if done.is_symlink():
        raise NotADirectoryError(20, "is a link", str(done))
    place = done / name
    return done / f"{place.stem}.{secrets.token_hex(4)}{place.suffix}" if os.path.lexists(place) else place


def leftovers(folder: Path) -> list[Path]:
    """What a power cut left between moving and deleting."""
    return [path for path in folder.glob(".*.taken") if stat.S_ISREG(path.lstat().st_mode)]


def content(path: Path) -> bytes:
    """Its SHA-256: the file that was moved may not be the one that was read. Raises OSError."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()
