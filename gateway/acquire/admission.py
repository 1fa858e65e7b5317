"""Whether a device may begin to record: one capture for one device, and room on the disk."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from gateway import fsops
from gateway.errors import Fatal, Held
from gateway.places import Places


@contextlib.contextmanager
def only_capture(here: Places, device: str) -> Iterator[None]:
    """Hold the device's lock. Raises Fatal if another process holds it; a killed one holds it no longer."""
    fsops.make_folder(here.runtime)
    path = here.runtime / f"capture-{device}.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, fsops.FILE_MODE)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Fatal(
                f"another process captures from device {device!r} already",
                "stop it first (systemctl stop capture@NAME), or ask it to record: gateway acquire",
            ) from None
        yield
    finally:
        os.close(descriptor)


def captured(here: Places, device: str) -> bool:
    """Whether a process holds the device's lock: the capture process, or a command that records by itself."""
    try:
        with only_capture(here, device):
            return False
    except Fatal:
        return True


def free_mebibytes(place: Path) -> int:
    """Room on the file system of ``place`` (or of what exists above it), in MiB, for an ordinary user."""
    while not place.exists():
        place = place.parent
    room = os.statvfs(place)
    return room.f_bavail * room.f_frsize >> 20


def admit(data: Path, reserve: int) -> None:
    """Raises Held if less than ``reserve`` MiB are free where recordings are kept."""
    if (free := free_mebibytes(data)) < reserve:
        raise Held(
            f"no new recording: {free} MiB are free in {data}, {reserve} MiB must be (spool.reserve)",
            "get the PACS to take what waits (gateway queue list), or use a larger disk",
        )
