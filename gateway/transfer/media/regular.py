"""Open a file of a medium for reading, if it is one: no link anywhere on the way, no pipe, no device.

A medium was in other hands. A link could lead out of it, and opening a pipe would wait for ever.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path


def open_file(root: Path, relative: str) -> int | None:
    """A descriptor of ``relative`` below ``root``; None if there is no such regular file, or a link on the way.

    ``relative`` must be made of plain names, divided by ``/``. Raises OSError if the medium fails.
    """
    parts = relative.split("/")
    if not all(parts) or {".", ".."} & set(parts):
        return None
    place = root
    for part in parts[:-1]:
        place /= part
        if place.is_symlink():
            return None
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(place / parts[-1], flags)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        if (place / parts[-1]).is_symlink():
            return None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    return descriptor


@contextlib.contextmanager
def opened(root: Path, relative: str) -> Iterator[int | None]:
    """The same for a ``with`` block, closed at its end."""
    descriptor = open_file(root, relative)
    try:
        yield descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)


def head(root: Path, relative: str, count: int) -> bytes | None:
    """The first ``count`` bytes; None as above."""
    with opened(root, relative) as descriptor:
        return None if descriptor is None else os.pread(descriptor, count, 0)
