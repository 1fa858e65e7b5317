"""The medium under a file-set: is it there, is it ours, nobody else at work on it, and its failures in words."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from gateway import fsops
from gateway.errors import FULL, Fatal, Held, Retry
from gateway.transfer.media import hashes

DICOMDIR = "DICOMDIR"
_LOCK = "LOCK"

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
def claimed(root: Path) -> Iterator[None]:
    """Work on a file-set alone (flock on GATEWAY/LOCK); an OSError inside becomes Retry in words.

    Raises MediumRefused, before anything is written, if the medium belongs to another program.
    """
    try:
        refuse_foreign(root)
        fsops.make_folder(root / hashes.FOLDER)
        descriptor = os.open(root / hashes.FOLDER / _LOCK, os.O_RDWR | os.O_CREAT, fsops.FILE_MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
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


def refuse_foreign(root: Path) -> None:
    """Retry if there is no folder; MediumRefused if what lies there is DICOM data that no gateway wrote."""
    refuse_missing(root)
    for name in (DICOMDIR, f"{hashes.FOLDER}/{hashes.NAME}", f"{hashes.FOLDER}/{_LOCK}"):
        refuse_links(root, name)
    if (root / hashes.FOLDER).is_dir():
        return
    if (root / DICOMDIR).exists() or any(root.glob("PA[0-9][0-9][0-9][0-9][0-9][0-9]")):
        raise MediumRefused(
            f"the medium at {root} holds DICOM data of another program",
            "it is left as it is: use an empty medium, or another folder of this one",
        )


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
