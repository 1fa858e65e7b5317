"""Where the bytes of a DICOMDIR are: the live file, written step by step, or a draft that replaces it at once."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from gateway import fsops
from gateway.transfer.media.dicomdir.directory import Directory
from gateway.transfer.media.dicomdir.elements import Malformed, Window
from gateway.transfer.media.dicomdir.layout import FILE_TAIL

_BLOCK = 1 << 20


class Live:
    """The DICOMDIR in its place: each write is durable before the next one starts."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, at: int, count: int) -> bytes:
        with self._path.open("rb", buffering=0) as stream:
            stream.seek(at)
            return stream.read(count)

    def put(self, at: int, data: bytes) -> None:
        fsops.write_at(self._path, at, data)

    def create(self, data: bytes, reserve: int) -> None:
        fsops.write_file(self._path, data + bytes(reserve) + FILE_TAIL)

    def enlarge(self, length_at: int, reserve: int) -> None:
        with fsops.new_file(self._path) as new, self._path.open("rb") as old:
            for at in range(0, length_at, _BLOCK):
                new.write(old.read(min(_BLOCK, length_at - at)))
            new.write(reserve.to_bytes(4, "little") + bytes(reserve) + FILE_TAIL)


class Draft:
    """A DICOMDIR that nobody sees yet; whoever opened ``stream`` makes it durable and gives it its name."""

    def __init__(self, stream: BinaryIO) -> None:
        self._descriptor = stream.fileno()

    def get(self, at: int, count: int) -> bytes:
        return os.pread(self._descriptor, count, at)

    def put(self, at: int, data: bytes) -> None:
        fsops.write_all(self._descriptor, data, at)

    def create(self, data: bytes, reserve: int) -> None:
        self.put(0, data)
        self._close(len(data), reserve)

    def enlarge(self, length_at: int, reserve: int) -> None:
        self.put(length_at, reserve.to_bytes(4, "little"))
        self._close(length_at + 4, reserve)

    def _close(self, reserve_at: int, reserve: int) -> None:
        self.put(reserve_at, bytes(reserve))
        self.put(reserve_at + reserve, FILE_TAIL)


def load(path: Path) -> Directory | None:
    """Read a DICOMDIR for adding to it; None if there is none. Raises NotOurs, Broken or Malformed."""
    descriptor = open_directory(path)
    if descriptor is None:
        return None
    try:
        return Directory.load(Live(path), Window(descriptor))
    finally:
        os.close(descriptor)


def open_directory(path: Path) -> int | None:
    """Open a DICOMDIR for reading; None if there is none. A link or a pipe in its place is Malformed, not followed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise Malformed("the DICOMDIR is a link") from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Malformed("the DICOMDIR is no regular file")
    return descriptor
