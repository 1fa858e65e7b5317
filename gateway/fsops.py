"""The only fsync, rename and unlink of the gateway.

What these functions promise is the ground on which "kept" stands:

- :func:`write_file`: afterwards the file has the new content under its name, whatever happens; before, the
  old content or none. Order: data, fsync, rename, fsync of the folder.
- :func:`sync`: all that was written to the descriptor is on the medium. A failed fsync is never tried again
  on the same file: Linux marks the lost pages clean, so a second call would lie.

``watch`` lets a test see, or stop the world, before and after each step that durability depends on: ``fsync`` (of a
file or a folder), ``rename``, ``mkdir``, ``unlink``, ``rmdir``, ``truncate``, and SQLite's ``commit``. Nothing else may
use it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from gateway.errors import Fatal

FILE_MODE = 0o600
FOLDER_MODE = 0o700

Watch = Callable[[str, str, str], None]  # "before" or "after", what, where
watch: Watch | None = None


@contextlib.contextmanager
def step(what: str, where: str | os.PathLike[str]) -> Iterator[None]:
    """One step, told to :data:`watch`; a step that fails has no "after"."""
    if watch is not None:
        watch("before", what, os.fspath(where))
    yield
    if watch is not None:
        watch("after", what, os.fspath(where))


def sync(descriptor: int, name: str | os.PathLike[str]) -> None:
    """fsync; raises Fatal if the medium did not take the data."""
    with step("fsync", name):
        try:
            os.fsync(descriptor)
        except OSError as error:
            raise Fatal(
                f"{os.fspath(name)}: the disk did not take the data ({error.strerror})",
                "check the storage medium; what was kept before is not touched",
            ) from error


def sync_folder(folder: Path) -> None:
    """fsync of a folder, so that names made or removed in it survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        sync(descriptor, folder)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> Path:
    """Make ``folder`` and what is missing above it, mode 0700, each name durable. Returns it."""
    missing = []
    place = folder
    while not place.exists():
        missing.append(place)
        place = place.parent
    for place in reversed(missing):
        with step("mkdir", place), contextlib.suppress(FileExistsError):
            place.mkdir(mode=FOLDER_MODE)
        sync_folder(place.parent)
    return folder


@contextlib.contextmanager
def new_file(path: Path, ready: Callable[[Path], None] | None = None) -> Iterator[BinaryIO]:
    """Write a file that appears under ``path`` whole or not at all; an old one is replaced.

    The stream writes to a temporary neighbour (name starts with a dot); leaving the block without an error
    syncs it, renames it and syncs the folder. ``ready`` is told the neighbour's path in between, when it is synced
    and not yet renamed; what it raises leaves everything as it was.
    """
    temporary = path.parent / f".{path.name}.{secrets.token_hex(4)}.part"
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, FILE_MODE)
    try:
        with os.fdopen(descriptor, "w+b") as stream:
            yield stream
            stream.flush()
            sync(stream.fileno(), temporary)
        if ready is not None:
            ready(temporary)
        rename(temporary, path)
    except Exception:
        with contextlib.suppress(OSError):
            temporary.unlink()  # gone already if only the folder's fsync failed
        raise


def write_file(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data``, durably and at once."""
    with new_file(path) as stream:
        stream.write(data)


def lay(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data`` at once, but not yet durably (:func:`sync_file`): for many files that can be made
    again, such as pages on a slow stick."""
    temporary = path.parent / f".{path.name}.{secrets.token_hex(4)}.part"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    try:
        try:
            write_all(descriptor, data, 0)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def sync_file(path: Path) -> None:
    """Make durable what :func:`lay` wrote; a file that is gone already is fine."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    try:
        sync(descriptor, path)
    finally:
        os.close(descriptor)


def write_json(path: Path, value: Any) -> None:
    """Replace ``path`` by ``value`` as readable UTF-8 JSON, durably and at once."""
    text = json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False)
    write_file(path, text.encode() + b"\n")


def rename(old: Path, new: Path) -> None:
    """Rename within one file system and make the new name durable (both folders are synced).

    On FAT a file's entry in the folder is all there is of it, and Linux's rename makes a new one that says "0 bytes, no
    clusters" (of a file that is replaced: the old one's) until the file itself is synced again; syncing the folder does
    not do that. So there, in this order: the folder loses the old name; the new entry gets the data; and only then are
    the clusters of a replaced file free, which is kept open until then. A cut between two of them costs a file that
    nobody was told of yet, and leaves a replaced one as it was.
    """
    with contextlib.ExitStack() as replaced:
        is_fat = _is_fat(new.parent)
        if is_fat and new.exists():
            replaced.callback(os.close, os.open(new, os.O_RDONLY))
        with step("rename", new):
            os.replace(old, new)
        sync_folder(new.parent)
        if old.parent != new.parent:
            sync_folder(old.parent)
        if is_fat:
            _sync_entry(new)


def set_aside(old: Path, new: Path) -> None:
    """Rename within somebody else's folder, never over another file. Nothing is synced: on a share that may fail, and
    a name that comes back after a power cut is known. Raises OSError."""
    if os.path.lexists(new):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fspath(new))
    with step("rename", new):
        old.rename(new)


def drop(path: Path) -> None:
    """Remove a file from somebody else's folder; as :func:`set_aside`, without a sync. Raises OSError."""
    with step("unlink", path):
        path.unlink()


def _is_fat(folder: Path) -> bool:
    """FAT and its kin, in which a file is nothing but its entry in a folder: such a file system counts no inodes."""
    return os.statvfs(folder).f_files == 0


def _sync_entry(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        sync(descriptor, path)
    finally:
        os.close(descriptor)


def truncate(path: Path, size: int) -> None:
    """Cut a file at ``size`` bytes, durably."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        with step("truncate", path):
            os.ftruncate(descriptor, size)
        sync(descriptor, path)
    finally:
        os.close(descriptor)


def unlink(path: Path) -> None:
    """Remove a file durably; one that is gone already is fine."""
    with step("unlink", path), contextlib.suppress(FileNotFoundError):
        path.unlink()
    sync_folder(path.parent)


def remove_folder(folder: Path) -> None:
    """Remove a flat or nested folder durably, files first; one that is gone already is fine."""
    if not folder.exists():
        return
    for child in sorted(folder.iterdir()):
        if child.is_dir() and not child.is_symlink():
            remove_folder(child)
        else:
            with step("unlink", child):
                child.unlink()
    with step("rmdir", folder):
        folder.rmdir()
    sync_folder(folder.parent)


def remove_empty(folder: Path) -> bool:
    """Remove a folder durably if nothing is in it; whether it is gone.

    What is in use stays: of a mount point :func:`remove_folder` would empty the medium.
    """
    try:
        with step("rmdir", folder):
            folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    sync_folder(folder.parent)
    return True


def sweep(folder: Path, name: str = "*") -> None:
    """Remove what an interrupted :func:`new_file` left behind (never part of anything kept), of one file or of all."""
    for leftover in folder.glob(f".{name}.*.part"):
        unlink(leftover)


def write_at(path: Path, offset: int, data: bytes) -> None:
    """Overwrite a part of an existing file, durably. Not atomic beyond one sector: the caller's order must bear it."""
    descriptor = os.open(path, os.O_WRONLY)
    try:
        write_all(descriptor, data, offset)
        sync(descriptor, path)
    finally:
        os.close(descriptor)


def append(path: Path, data: bytes) -> None:
    """Append to a file, made if it is missing, durably. A cut may leave a part of ``data``, a full disk does not."""
    new = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, FILE_MODE)
    try:
        extend(descriptor, data, os.fstat(descriptor).st_size)
        sync(descriptor, path)
    finally:
        os.close(descriptor)
    if new:
        sync_folder(path.parent)


def extend(descriptor: int, data: bytes | bytearray, size: int, more: bytes = b"") -> int:
    """Write ``data`` behind the ``size`` bytes of a file, all of it or nothing: what a full disk took is cut off again.

    ``more`` follows it: what is too large to be copied behind it first. Not yet durable. Returns the new size.
    """
    try:
        write_all(descriptor, data, size)
        write_all(descriptor, more, size + len(data))
    except OSError:
        with contextlib.suppress(OSError):  # of a medium that takes nothing at all, which the caller hears anyway
            os.ftruncate(descriptor, size)
        raise
    return size + len(data) + len(more)


def allot(path: Path, size: int) -> None:
    """Make ``path`` a file of ``size`` bytes for which the file system has set the blocks aside, durably."""
    with new_file(path) as stream:
        os.posix_fallocate(stream.fileno(), 0, size)


def write_all(descriptor: int, data: bytes | bytearray, offset: int) -> None:
    """Write all of ``data`` at ``offset``; not yet durable."""
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written
