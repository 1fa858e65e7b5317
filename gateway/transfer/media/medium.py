"""The medium under a file-set: is it there, is it ours, nobody else at work on it, and its failures in words.

Ours is a medium with a lock or hashes of ours on it. One with another program's file-set becomes ours by the first add,
if the configuration allows it and its DICOMDIR is sound; before that is known, not a byte is written to it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from gateway import fsops
from gateway.errors import FULL, Fatal, Held, Retry
from gateway.transfer.media import hashes
from gateway.transfer.media.dicomdir.elements import Malformed
from gateway.transfer.media.dicomdir.stores import adopt
from gateway.transfer.media.walking import MOST_ENTRIES, OURS, names_in

DICOMDIR = "DICOMDIR"
_LOCK = "LOCK"
_OURS = (hashes.NAME, _LOCK)  # in our folder; one of them makes a medium ours
_FILES = tuple(f"{hashes.FOLDER}/{name}" for name in (hashes.NAME, _LOCK, "REMOVED.TXT", "DICOMDIR.ORG"))
_COMPONENT = re.compile(r"[A-Z0-9_]{1,8}")
_MOST_COMPONENTS = 8

# What the system says when a medium fails -> what that means, and what a person can do.
_FULL = ("is full", "put in another medium; what is on it stays readable")
_SAYS = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: ("is write-protected", "move its write-protect switch, or mount it writable"),
    errno.EACCES: ("may not be written by this user", "mount it for the gateway's user"),
    errno.EPERM: ("may not be written by this user", "mount it for the gateway's user"),
}
_GONE = ("does not take or give data", "plug it in again; what is still missing is written then")


class MediumFull(Retry):
    """There is no room for this instance here: a smaller one may fit, and another medium may take it."""


class MediumRefused(Held):
    """This medium as a whole does not serve. The instance is not at fault: another medium may take it."""


doubtful: set[Path] = set()  # a sync failed there: its old DICOMDIR may lie about what the medium holds


@contextlib.contextmanager
def claimed(root: Path, extend: bool = False) -> Iterator[None]:
    """Work on a file-set alone (flock on GATEWAY/LOCK); an OSError inside becomes Retry in words.

    Raises MediumRefused, before anything is written, if the medium belongs to another program; with ``extend`` only if
    its DICOMDIR is not sound.
    """
    try:
        refuse_foreign(root, extend)
        fsops.make_folder(root / hashes.FOLDER)
        descriptor = os.open(root / hashes.FOLDER / _LOCK, os.O_RDWR | os.O_CREAT, fsops.FILE_MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            hashes.recover(root)
            yield
        finally:
            os.close(descriptor)
    except OSError as error:
        raise in_words(root, error) from error
    except Fatal as error:
        if isinstance(error.__cause__, OSError):  # a failed sync: fatal for a spool, not for a stick that was pulled
            doubtful.add(root)
            raise in_words(root, error.__cause__) from error
        raise


def in_words(root: Path, error: OSError) -> Retry:
    what, fix = _SAYS.get(error.errno or 0, _GONE)
    kind = MediumFull if error.errno in FULL else Retry
    return kind(f"the medium at {root} {what} ({error.strerror})", fix)


def refuse_foreign(root: Path, extend: bool = False) -> None:
    """Retry if there is no folder; MediumRefused if what is there is another program's and may not be extended."""
    refuse_missing(root)
    _refuse_strange(root)
    if claimed_before(root):
        return
    other = root / DICOMDIR
    if not other.exists():
        there = [name for name in names_in(root) if plain(name) == DICOMDIR or OURS[0].fullmatch(name)]
        differently = next((name for name in there if plain(name) == DICOMDIR), "")
        if there:
            raise MediumRefused(
                f"the medium at {root} holds DICOM data of another program, but no DICOMDIR under this name",
                f"rename {differently} to DICOMDIR" if differently else "it is left as it is: use another medium",
            )
    elif not extend:
        raise MediumRefused(
            f"the medium at {root} holds DICOM data of another program",
            'it is left as it is: use an empty medium, another folder of this one, or foreign = "extend" in [media]',
        )
    else:
        refuse_unsound(root)


def claimed_before(root: Path) -> bool:
    """Whether a gateway has worked on this medium, as far as it shows."""
    return any((root / hashes.FOLDER / name).exists() for name in _OURS)


def _refuse_strange(root: Path) -> None:
    """MediumRefused if something else stands where a file or the folder of ours should: a pipe could hang us."""
    for name, kind in ((DICOMDIR, _no_folder), (hashes.FOLDER, stat.S_ISDIR), *((f, stat.S_ISREG) for f in _FILES)):
        refuse_links(root, name)
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            if not kind((root / name).lstat().st_mode):
                what = "folder" if kind is stat.S_ISDIR else "file"
                raise MediumRefused(f"{root / name} is no {what}; a medium of ours has one there", "use another medium")


def _no_folder(mode: int) -> bool:
    """What a rename can replace: repair makes a new one of it."""
    return not stat.S_ISDIR(mode)


def refuse_unsound(root: Path) -> None:
    """MediumRefused, with what is wrong, if another program's DICOMDIR cannot be extended without harm."""
    try:
        adopt(root / DICOMDIR)
    except Malformed as error:
        raise MediumRefused(
            f"the DICOMDIR at {root} was written by another program and cannot be extended: {error}",
            "it is left as it is: use another medium, or have that program write it again",
        ) from error


def refuse_missing(root: Path) -> None:
    """Retry if there is no folder ``root``."""
    if not root.is_dir():
        raise Retry(f"there is no medium at {root}", "plug it in, or correct 'folder' in [media]")


def refuse_links(root: Path, relative: str) -> None:
    """MediumRefused if any part of ``relative`` is a link: it could lead out of the medium."""
    path = root
    for part in relative.split("/"):
        path /= part
        if path.is_symlink():
            raise MediumRefused(
                f"{path} is a link; a medium of ours has none", "nothing is written: use another medium"
            )


def allowed(file_id: str) -> bool:
    """Whether a File ID, with '/' between its components, is one (PS3.10 section 8.2 and 8.5)."""
    parts = file_id.split("/")
    return len(parts) <= _MOST_COMPONENTS and all(_COMPONENT.fullmatch(part) for part in parts)


def found(root: Path, file_id: str) -> Path | None:
    """The file that a File ID names, if it is there; a link on the way to it is not followed."""
    return Finder(root)(file_id)


class Finder:
    """:func:`found` for many.

    Some systems show the names of a medium in lower case, or with the ";1" and "." of ISO 9660. They are looked for
    until so many names were seen as a medium has; after that a file is there under its own name, or not at all.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._left = MOST_ENTRIES

    def __call__(self, file_id: str) -> Path | None:
        if not allowed(file_id):
            return None
        path = self._root
        for part in file_id.split("/"):
            path = path / part if (path / part).exists() else self._otherwise(path, part)
            if path.is_symlink():
                return None
        return path if path.is_file() else None

    def _otherwise(self, folder: Path, part: str) -> Path:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as names:
            for entry in names:
                self._left -= 1
                if self._left < 0:
                    break
                if plain(entry.name) == part:
                    return folder / entry.name
        return folder / part


def plain(name: str) -> str:
    """A name as a DICOMDIR would give it."""
    return name.upper().split(";")[0].rstrip(".")
