"""Whether a device may begin to record: one capture for one device, and room on the disk."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway import fsops
from gateway.acquire.footprint import Footprint
from gateway.errors import Fatal, Held
from gateway.places import RECORDS, Places

MIB = 1 << 20
LAST_ROOM = 16 * MIB  # bytes that must be free for END, the exam, the ledger and what comes until the next look
FILES = 64  # inodes that must be free: a recording and its instance take about ten, exam and ledger a few more
MAKE_ROOM = "get the destinations to take what waits (gateway queue list), or use a larger disk"


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


@dataclass(frozen=True, slots=True)
class Room:
    """What a file system still takes from an ordinary user."""

    free: int  # bytes
    files: int | None = None  # inodes; None where they are not counted

    @property
    def mebibytes(self) -> int:
        return self.free // MIB


def room(place: Path) -> Room:
    """Room on the file system of ``place`` (or of what exists above it)."""
    while not place.exists():
        place = place.parent
    found = os.statvfs(place)
    return Room(found.f_bavail * found.f_frsize, found.f_favail if found.f_files else None)


def unwrapped(here: Places, but: str = "") -> int:
    """Bytes of the recordings of which no instance was made yet, which will take about as much; without ``but``."""
    waiting = _names(here.acquisitions) - _names(here.instances) - {but}
    total = 0
    for name in waiting:
        with contextlib.suppress(OSError):
            total += (here.acquisition(name) / RECORDS).stat().st_size
    return total


def _names(folder: Path) -> set[str]:
    try:
        return set(os.listdir(folder))  # noqa: PTH208 - names only, of a folder that may hold very many
    except FileNotFoundError:
        return set()


def refusal(found: Room, data: Path, reserve: int, footprint: Footprint | None = None, waiting: int = 0) -> Held | None:
    """Why no recording may begin, in words; None if it may.

    ``reserve`` MiB stay free in any case, or what a running recording must leave (LAST_ROOM) if that is more;
    ``footprint`` is what the recording is expected to take, ``waiting`` (bytes)
    what instances of earlier recordings will take.
    """
    if found.files is not None and found.files < FILES:
        words = f"{found.files} more files can be made in {data}, {FILES} must be (the file system has no inodes left)"
        return Held(f"no new recording: {words}", "delete files that are not the gateway's, or " + MAKE_ROOM)
    needs = [
        (max(reserve * MIB, LAST_ROOM), "stay free (spool.reserve)"),
        (waiting, "for earlier recordings not wrapped yet"),
    ]
    if footprint is not None:
        needs += [
            (footprint.records, f"for {_length(footprint.seconds)}"),
            (footprint.instance, "for the instance made of it"),
        ]
    if found.free >= sum(size for size, _ in needs):
        return None
    parts = ", ".join(f"{-(-size // MIB)} {words}" for size, words in needs if size)
    must = -(-sum(size for size, _ in needs) // MIB)
    return Held(f"no new recording: {found.mebibytes} MiB are free in {data}, {must} must be: {parts}", MAKE_ROOM)


def _length(seconds: float | None) -> str:
    if seconds is None:
        return "the recordings in the file"
    return f"{seconds / 60:.3g} min of recording" if seconds >= 60 else f"{seconds:.3g} s of recording"


def admit(here: Places, reserve: int, footprint: Footprint | None = None, waiting: int = 0) -> None:
    """Raises Held if there is no room for a new recording where recordings are kept; see :func:`refusal`."""
    if (refused := refusal(room(here.data), here.data, reserve, footprint, waiting)) is not None:
        raise refused
