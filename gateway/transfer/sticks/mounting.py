"""A stick's file system, mounted and unmounted as root. Errors come back in words; nothing here decides.

Options, and why not others:

- ``nodev,nosuid,noexec``: nothing on a stick is a program or a device.
- ``uid=,gid=,umask=0077``: FAT knows no owners; all of it is the spool's owner's alone.
- ``utf8``: long names of other programs come as UTF-8. Ours are upper-case 8.3 names, the same in every code page.
- ``flush``: what is written goes out soon, so that little is left to lose between our own syncs.
- not ``sync``: every cluster would rewrite its FAT sector; each step that must be durable is synced by
  :mod:`gateway.transfer.media.fileset` itself, and more syncs cannot make a stick safer than those.

``fsck.fat -a`` runs before, if and only if the volume is marked as not cleanly unmounted. Linux mounts it all the
same, but a name that reached the stick before its FAT entry (vfat syncs a file in that order) points to clusters that
count as free: the next file gets them, and deleting the first one frees the second one's data. fsck cuts such names
off. A clean stick is not touched, so that the rule costs nothing on most days. Without the program the stick is used
unchecked.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from gateway import fsops
from gateway.errors import Retry
from gateway.transfer.sticks.stick import Stick

DEV = Path("/dev")
_MOUNT_POINT_MODE = 0o755  # root's: when nothing is mounted there, nobody else can write to it
_CHECKED = (0, 1)  # exit codes of fsck.fat: nothing to do, errors were corrected
_STATE_AT = {"FAT16": 0x25, "FAT32": 0x41}  # offset of the state byte in the boot sector
_DIRTY = 0x01
_MOST_PASSES = 3  # of fsck.fat, after the first
_MOST_LAYERS = 8  # a mount over a mount: of processes that were killed
_LONG_CHECK, _LONG_MOUNT = 600.0, 120.0  # seconds


def options(uid: int, gid: int) -> str:
    return f"nodev,nosuid,noexec,uid={uid},gid={gid},umask=0077,utf8,flush"


def make_area(area: Path, group: int) -> None:
    """The folder of the mount points, root's, for ``group`` to look into."""
    fsops.make_folder(area)
    if os.geteuid() == 0:
        os.chown(area, -1, group)
    area.chmod(0o750)


def mount(stick: Stick, area: Path, uid: int, gid: int, dev: Path = DEV) -> str:
    """Mount at AREA/NAME; returns the device number there ("8:17"). Raises Retry in the words of mount(8)."""
    root = fsops.make_folder(area / stick.name)
    root.chmod(_MOUNT_POINT_MODE)
    said = _run(["mount", "-t", "vfat", "-o", options(uid, gid), str(dev / stick.name), str(root)], _LONG_MOUNT)
    if said:
        raise Retry(f"it cannot be mounted ({said})", "format it anew, or use another one")
    found = root.stat().st_dev
    return f"{os.major(found)}:{os.minor(found)}"


def unmount(root: Path, gone: bool) -> str:
    """Returns "" when nothing is mounted at ``root`` any more, else why. ``gone``: nobody is waited for."""
    said = ""
    for _ in range(_MOST_LAYERS):
        if not is_mount_point(root):
            break
        said = _run(["umount", *(["--lazy"] if gone else []), str(root)], _LONG_MOUNT)
        if said:
            return said
    fsops.remove_empty(root)
    return said


def is_mount_point(root: Path) -> bool:
    """By the kernel's own list: a look at the folder may fail when its device is gone."""
    lines = Path("/proc/self/mountinfo").read_text(errors="replace").splitlines()
    return any(line.split(" ")[4] == str(root) for line in lines)


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


def check(stick: Stick, dev: Path = DEV) -> str:
    """fsck.fat on a volume that was cut; returns "" if all is in order now, else what went wrong.

    Until it finds nothing more: a folder whose cluster counts as free is cut off by one pass and removed by the next.
    Left in between it would make Linux set the whole volume read-only at the first look into it.
    """
    command = ["fsck.fat", "-a", str(dev / stick.name)]
    said = _run(command, _LONG_CHECK, _CHECKED)
    for _ in range(0 if said else _MOST_PASSES):
        if not (said := _run(command, _LONG_CHECK)):
            break
    return said


def _run(command: list[str], seconds: float, good: tuple[int, ...] = (0,)) -> str:
    """ "" if it worked, else what it said, on one line."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=seconds, check=False, env=_environment())
    except FileNotFoundError:
        return f"{command[0]} is not installed"
    except subprocess.TimeoutExpired:
        return f"{command[0]} was not done after {seconds:.0f} s"
    if done.returncode in good:
        return ""
    lines = (done.stderr or done.stdout).decode("utf-8", "replace").split("\n")
    words = "; ".join(line.strip() for line in lines if line.strip())[:300]
    return "".join(c for c in words if c.isprintable()) or f"{command[0]} ended with {done.returncode}"


def _environment() -> dict[str, str]:
    return os.environ | {"LC_ALL": "C", "PATH": os.environ.get("PATH", "") + os.pathsep + "/usr/sbin:/sbin"}
