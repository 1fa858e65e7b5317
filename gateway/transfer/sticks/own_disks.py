"""Whether a block device belongs to the box itself: any part of its disk is mounted, or carries swap.

A board that starts from an SD card or a USB disk meets its own boot partition, a FAT, when udev walks over all devices.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from gateway.transfer.sticks.stick import SYS

_OCTAL = re.compile(r"\\([0-7]{3})")  # how the kernel writes a space in a path


def used_as(name: str, area: Path, sys: Path = SYS, proc: Path = Path("/proc")) -> str:
    """Where the box has something of the disk of ``name`` in use; "" if nowhere. ``area``: where sticks are mounted."""
    mine = _disks((sys / "class/block" / name).resolve())
    for number, where in (*_mounted(proc, area), *_swaps(proc)):
        if mine & _disks((sys / "dev/block" / number).resolve()):
            return where
    return ""


def _disks(device: Path) -> set[str]:
    """The names of the whole disks under a block device: of a partition its disk, of a mapping those it is made of."""
    if not device.exists():
        return set()
    if (device / "partition").exists():
        return _disks(device.parent)
    below = sorted((device / "slaves").iterdir()) if (device / "slaves").is_dir() else []
    return {device.name}.union(*(_disks(slave.resolve()) for slave in below))


def _mounted(proc: Path, area: Path) -> Iterator[tuple[str, str]]:
    """("8:17", mount point) of all that is mounted, but for sticks of ours."""
    for line in (proc / "self/mountinfo").read_text(errors="replace").splitlines():
        fields = line.split(" ")
        where = _OCTAL.sub(lambda m: chr(int(m[1], 8)), fields[4])
        if Path(where).is_relative_to(area):
            continue
        yield fields[2], where
        source = fields[fields.index("-") + 2]
        if fields[2].startswith("0:") and (number := _number(source)):  # btrfs has no device of its own
            yield number, where


def _swaps(proc: Path) -> Iterator[tuple[str, str]]:
    try:
        lines = (proc / "swaps").read_text(errors="replace").splitlines()[1:]
    except OSError:
        return
    for line in lines:
        if number := _number(line.split()[0]):
            yield number, "swap"


def _number(path: str) -> str:
    """ "8:17" of a block device's node; "" for anything else."""
    try:
        found = Path(path).stat() if path.startswith("/") else None
    except OSError:
        return ""
    if found is None or not stat.S_ISBLK(found.st_mode):
        return ""
    return f"{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}"
