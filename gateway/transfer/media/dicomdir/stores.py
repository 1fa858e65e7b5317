"""Where the bytes of a DICOMDIR are: the live file, written step by step, or a draft that replaces it at once."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from gateway import fsops
from gateway.transfer.media.dicomdir.directory import Directory
from gateway.transfer.media.dicomdir.elements import Malformed, Window
from gateway.transfer.media.dicomdir.layout import FILE_TAIL
from gateway.transfer.media.walking import Missing, NoFile, open_below

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

    def rewrite(self, upto: int, changes: dict[int, bytes], data: bytes, reserve: int) -> None:
        with fsops.new_file(self._path) as new:
            if upto:
                copy(self._path, new, upto)
            for at, value in changes.items():
                new.seek(at)
                new.write(value)
            new.seek(upto)
            for block in _behind(data, reserve):
                new.write(block)


class Draft:
    """A DICOMDIR that nobody sees yet; whoever opened ``stream`` makes it durable and gives it its name."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._descriptor = stream.fileno()

    def get(self, at: int, count: int) -> bytes:
        return os.pread(self._descriptor, count, at)

    def put(self, at: int, data: bytes) -> None:
        fsops.write_all(self._descriptor, data, at)

    def rewrite(self, upto: int, changes: dict[int, bytes], data: bytes, reserve: int) -> None:
        for at, value in changes.items():
            self.put(at, value)
        for block in _behind(data, reserve):
            self.put(upto, block)
            upto += len(block)
        self._stream.truncate(upto)


def _behind(data: bytes, reserve: int) -> Iterator[bytes]:
    """New records and what ends the file; the reserve of a large one is not held in memory."""
    yield data
    for at in range(0, reserve, _BLOCK):
        yield bytes(min(_BLOCK, reserve - at))
    yield FILE_TAIL


def copy(path: Path, target: BinaryIO, size: int) -> None:
    """The first ``size`` bytes of a file, in blocks."""
    with path.open("rb") as source:
        for at in range(0, size, _BLOCK):
            target.write(source.read(min(_BLOCK, size - at)))


def load(path: Path, theirs: int = 0) -> Directory | None:
    """Read a DICOMDIR of ours for adding to it; None if there is none. Raises NotOurs, Broken or Malformed."""
    with opened(path) as source:
        return None if source is None else Directory.load(Live(path), source, theirs)


def adopt(path: Path) -> Directory | None:
    """Read any sound one for adding to it; None if there is none. Raises Malformed."""
    with opened(path) as source:
        return None if source is None else Directory.adopt(Live(path), source)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Window | None]:
    """A DICOMDIR for reading, as :func:`open_directory` opens it."""
    descriptor = open_directory(path)
    try:
        yield None if descriptor is None else Window(descriptor)
    finally:
        if descriptor is not None:
            os.close(descriptor)


def open_directory(path: Path) -> int | None:
    """Open a DICOMDIR for reading; None if there is none. A link or a pipe in its place is Malformed, not opened."""
    try:
        return open_below(path.parent, path.name)
    except Missing:
        return None
    except NoFile as error:
        raise Malformed(str(error)) from error
