"""Whether a file of a watched folder is whole: nobody on this box writes it, and it has all that it announces."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.acquire.adapter import Folder
from gateway.acquire.putting_away import stamp_of
from gateway.acquire.taken import Stamp


@contextmanager
def opened(folder: int, name: str) -> Iterator[int]:
    """The file's descriptor. Never follows a link, never waits for the other end of a pipe."""
    file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        yield file
    finally:
        os.close(file)


def lacking(file: int, stamp: Stamp, transport: Folder) -> str:
    """In words, what the open file still lacks; "" if it is whole, as far as anybody can tell. Raises OSError."""
    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode) or stamp_of(found) != stamp:
        return "it is still changing"
    if _being_written(file):
        return "a program on this box still has it open for writing"
    return transport.lacks(lambda offset, length: os.pread(file, length, offset), found.st_size)


def _being_written(file: int) -> bool:
    """Asks the kernel for a lease, which it gives only if nobody has the file open for writing, and gives it back.

    False where that cannot be asked: on a share, or of somebody else's file.
    """
    # Who opens it in this very moment makes the kernel send a signal: one that is ignored, not SIGIO, which kills.
    fcntl.fcntl(file, fcntl.F_SETSIG, signal.SIGURG)
    try:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False
