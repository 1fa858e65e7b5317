"""A stick's file system, mounted and unmounted as root. Errors come back in words; nothing here decides.

Options, and why not others:

- ``nodev,nosuid,noexec``: nothing on a stick is a program or a device.
- ``uid=,gid=,umask=0077``: FAT knows no owners; all of it is the spool's owner's alone.
- ``utf8``: long names of other programs come as UTF-8. Ours are upper-case 8.3 names, the same in every code page.
- ``flush``: what is written goes out soon, so that little is left to lose between our own syncs.
- not ``sync``: every cluster would rewrite its FAT sector; each step that must be durable is synced by
  :mod:`gateway.transfer.media.fileset` itself, and more syncs cannot make a stick safer than those.
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
_MOST_LAYERS = 8  # a mount over a mount: of processes that were killed
_LONG_MOUNT = 120.0  # seconds


def options(uid: int, gid: int) -> str:
    return f"nodev,nosuid,noexec,uid={uid},gid={gid},umask=0077,utf8,flush"


def make_area(area: Path, group: int) -> None:
    """The folder of the mount points, root's, for ``group`` to look into."""
    fsops.make_folder(area)
    if os.geteuid() == 0:
        os.chown(area, -1, group)
    area.chmod(0o750)


def mount(stick: Stick, area: Path, uid: int, gid: int, dev: Path = DEV, read_only: bool = False) -> str:
    """Mount at AREA/NAME; returns the device number there ("8:17"). Raises Retry in the words of mount(8)."""
    root = fsops.make_folder(area / stick.name)
    root.chmod(_MOUNT_POINT_MODE)
    how = options(uid, gid) + (",ro" if read_only else "")
    said = run(["mount", "-t", "vfat", "-o", how, str(dev / stick.name), str(root)], _LONG_MOUNT)
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
        said = run(["umount", *(["--lazy"] if gone else []), str(root)], _LONG_MOUNT)
        if said:
            return said
    fsops.remove_empty(root)
    return said


def is_mount_point(root: Path) -> bool:
    """By the kernel's own list: a look at the folder may fail when its device is gone."""
    lines = Path("/proc/self/mountinfo").read_text(errors="replace").splitlines()
    return any(line.split(" ")[4] == str(root) for line in lines)


def run(command: list[str], seconds: float, good: tuple[int, ...] = (0,)) -> str:
    """A program with English words: "" if it worked, else what it said, on one line."""
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
