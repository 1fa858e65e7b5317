"""A FAT that was cut off, checked by fsck.fat(8) before it is mounted, and what that leaves on it.

It runs if and only if the volume is marked as not cleanly unmounted. Linux mounts it all the same, but a name that
reached the stick before its FAT entry (vfat syncs a file in that order) points to clusters that count as free: the next
file gets them, and deleting the first one frees the second one's data. fsck cuts such names off. A clean stick is not
touched, so that the rule costs nothing on most days. Without the program the stick is used unchecked.

Asked to decide by itself (-a), fsck makes a file FSCKnnnn.REC in the root of each chain of clusters without a name:
pieces of recordings that no DICOMDIR names, that nobody looks for and that fill the stick. Nothing is lost with them:
what had no name was never said to be on the stick. Those of others, which lay there before, stay.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from gateway import fsops
from gateway.errors import Retry
from gateway.transfer.sticks import mounting
from gateway.transfer.sticks.mounting import DEV, run
from gateway.transfer.sticks.stick import Stick

_CHECKED = (0, 1)  # exit codes of fsck.fat: nothing to do, errors were corrected
_STATE_AT = {"FAT16": 0x25, "FAT32": 0x41}  # offset of the state byte in the boot sector
_DIRTY = 0x01
_MOST_PASSES = 3  # of fsck.fat, after the first
_LONG_CHECK = 600.0  # seconds
_PIECE = re.compile(r"FSCK\d{4}\.REC", re.IGNORECASE)


def was_cut(stick: Stick, dev: Path = DEV) -> bool:
    """Whether the volume says that it was not unmounted (PS3.12 leaves FAT to Microsoft's own description of it)."""
    at = _STATE_AT.get(stick.version)
    if at is None:
        return False
    try:
        with (dev / stick.name).open("rb", buffering=0) as device:
            sector = device.read(512)
    except OSError:
        return False  # mounting says why, in words
    return len(sector) > at and bool(sector[at] & _DIRTY)


def mend(stick: Stick, area: Path, dev: Path = DEV) -> tuple[int, str]:
    """Check a volume that was cut, before it is mounted for the gateway.

    Returns how many nameless pieces were removed, and "" if all is in order now, else what went wrong.
    """
    before = _pieces(stick, area, dev)
    if said := check(stick, dev):
        return 0, said
    # Whose they are is not known if it could not be read before: then they stay.
    return (0, "") if before is None else _remove(stick, area, dev, before)


def check(stick: Stick, dev: Path = DEV) -> str:
    """fsck.fat on a volume that was cut; returns "" if all is in order now, else what went wrong.

    Until it finds nothing more: a folder whose cluster counts as free is cut off by one pass and removed by the next.
    Left in between it would make Linux set the whole volume read-only at the first look into it.
    """
    command = ["fsck.fat", "-a", str(dev / stick.name)]
    said = run(command, _LONG_CHECK, _CHECKED)
    for _ in range(0 if said else _MOST_PASSES):
        if not (said := run(command, _LONG_CHECK)):
            break
    return said


def pieces(root: Path) -> frozenset[str]:
    """The names of what fsck.fat saved in the root of a mounted stick, now or years ago."""
    return frozenset(p.name for p in root.iterdir() if _PIECE.fullmatch(p.name))


def _pieces(stick: Stick, area: Path, dev: Path) -> frozenset[str] | None:
    """What lies there before the check, by a mount that changes nothing; None if the volume cannot be read yet."""
    try:
        with _mounted(stick, area, dev, read_only=True) as root:
            return pieces(root)
    except (Retry, OSError):
        return None


def _remove(stick: Stick, area: Path, dev: Path, before: frozenset[str]) -> tuple[int, str]:
    removed = 0
    try:
        with _mounted(stick, area, dev, read_only=False) as root:
            for name in sorted(pieces(root) - before):
                fsops.unlink(root / name)
                removed += 1
            if removed:
                fsops.sync_folder(root)
    except (Retry, OSError) as error:
        return removed, str(error)
    return removed, ""


@contextlib.contextmanager
def _mounted(stick: Stick, area: Path, dev: Path, read_only: bool) -> Iterator[Path]:
    """As root's own: this process may not write to files of others, and nobody else is let in meanwhile."""
    root = area / stick.name
    mounting.mount(stick, area, os.geteuid(), os.getegid(), dev, read_only)
    try:
        yield root
    finally:
        mounting.unmount(root, gone=False)
