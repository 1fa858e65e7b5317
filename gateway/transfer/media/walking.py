"""The files below a folder that nobody trusts: a medium may hold links, pipes, devices, loops and a million names.

Every step goes from an open folder to a name in it (openat), never through a path that somebody could bend: a link is
not followed, nothing but a regular file is opened, and no opening waits (a pipe without a writer would). Names,
levels and entries are counted; a file system whose folders contain themselves ends at the count.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from gateway.errors import Held

MOST_ENTRIES = 1_000_000  # names that are looked at on one medium
DEEPEST = 8  # components of a File ID (PS3.10 section 8.2)
OURS = tuple(re.compile(pattern) for pattern in (r"PA\d{6}", r"ST\d{6}", r"SE\d{6}", r"IN\d{6}"))
LEFTOVER = re.compile(r"\..+\.part")  # what an interrupted write leaves (gateway.fsops.new_file)
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_STRANGE = {errno.ELOOP: "is a link", errno.ENOTDIR: "leads through what is no folder", errno.ENXIO: "is no file"}


class NoFile(Exception):
    """There is no regular file of this name; the message says what is there instead, or that nothing is."""


class Missing(NoFile):
    """There is nothing of this name."""


def open_below(root: Path, relative: str) -> int:
    """Open the regular file ``relative`` ('/' between its parts) below ``root`` for reading. Raises NoFile, or OSError
    if the medium itself fails."""
    *above, name = relative.split("/")
    with contextlib.ExitStack() as opened:
        folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        opened.callback(os.close, folder)
        try:
            for part in above:
                folder = os.open(_plain(part), _FOLDER, dir_fd=folder)
                opened.callback(os.close, folder)
            _refuse_strange(os.stat(_plain(name), dir_fd=folder, follow_symlinks=False))  # opening a device may do harm
            descriptor = os.open(name, _FILE, dir_fd=folder)
        except FileNotFoundError as error:
            raise Missing("there is no such file") from error
        except OSError as error:
            if (words := _STRANGE.get(error.errno or 0)) is None:
                raise
            raise NoFile(f"it {words}") from error
    try:
        _refuse_strange(os.fstat(descriptor))
    except NoFile:
        os.close(descriptor)
        raise
    return descriptor


def _refuse_strange(found: os.stat_result) -> None:
    if stat.S_ISLNK(found.st_mode):
        raise NoFile("it is a link")
    if not stat.S_ISREG(found.st_mode):
        raise NoFile("it is no regular file")


def _plain(part: str) -> str:
    """A name within a folder: none that leads out of it. (No absolute path has a first component.)"""
    if part in ("", ".", "..") or "\0" in part:
        raise NoFile("its name leads out of the medium")
    return part


def walk(
    root: Path,
    levels: Sequence[re.Pattern[str]] | None = None,
    beat: Callable[[], None] = lambda: None,
    hidden: Callable[[str], None] = lambda _: None,
    strange: Callable[[str], None] = lambda _: None,
) -> Iterator[str]:
    """The regular files below ``root``, folder by folder, each in order of name; '/' between the parts.

    ``levels``: only what fits them, a pattern for each part of the name (:data:`OURS`); else all, at most
    :data:`DEEPEST` levels deep. ``hidden`` is told of each folder that has a name with a dot before it, ``strange`` of
    each name that is neither file nor folder. Raises Held at more than MOST_ENTRIES names, OSError if ``root`` cannot
    be read.
    """
    budget = _Budget(root, beat)
    budget.hidden, budget.strange = hidden, strange
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield from _walk(folder, "", levels, len(levels) if levels else DEEPEST, budget)
    finally:
        os.close(folder)


def names_in(folder: Path) -> Iterator[str]:
    """The names in one folder, one by one. Raises Held if they are too many."""
    budget = _Budget(folder)
    with os.scandir(folder) as entries:
        for entry in entries:
            budget.take()
            yield entry.name


class _Budget:
    """What is left to look at, and who wants to hear of it."""

    hidden: Callable[[str], None]
    strange: Callable[[str], None]

    def __init__(self, root: Path, beat: Callable[[], None] = lambda: None) -> None:
        self._root = root
        self._beat = beat
        self._left = MOST_ENTRIES

    def take(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Held(
                f"{self._root} holds more than {MOST_ENTRIES} names, or folders that contain themselves",
                "no medium of a hospital does: check it on another computer, or name a folder of it",
            )
        if self._left % 1000 == 0:
            self._beat()


def _walk(
    folder: int, above: str, levels: Sequence[re.Pattern[str]] | None, deep: int, budget: _Budget
) -> Iterator[str]:
    files, folders, dotted = [], [], False
    with os.scandir(folder) as entries:
        for entry in entries:
            budget.take()
            dotted = dotted or entry.name.startswith(".")
            if levels and not levels[-deep].fullmatch(entry.name):
                continue
            with contextlib.suppress(OSError):  # a name that the file system cannot tell the kind of
                if entry.is_file(follow_symlinks=False):
                    files.append(entry.name)
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                else:
                    budget.strange(f"{above}{entry.name}")
    if dotted:
        budget.hidden(above)
    if not levels or deep == 1:
        yield from (f"{above}{name}" for name in sorted(files))
    del files
    for name in sorted(folders) if deep > 1 else ():
        try:
            below = os.open(name, _FOLDER, dir_fd=folder)
        except OSError:  # gone, or made a link in this moment
            continue
        try:
            yield from _walk(below, f"{above}{name}/", levels, deep - 1, budget)
        finally:
            os.close(below)


def shown(name: str) -> str:
    """A name on a medium as it may stand in a message: nothing in it can drive a terminal."""
    return name[:200] if name.isprintable() else "".join(c if c.isprintable() else "?" for c in name)[:200]
