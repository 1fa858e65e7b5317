"""What the gateway remembers on the medium itself: the SHA-256 of every file it put there.

``GATEWAY/SHA256.TXT`` has one line per file, as ``sha256sum`` writes them, so that anybody can check a medium with
``sha256sum -c GATEWAY/SHA256.TXT``. Appended and synced before the file gets its name; of two lines for one file
the later counts; a line cut off by a power cut counts as none, as does one without its file. The DICOMDIR names
nothing in this folder.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Container, Iterator
from pathlib import Path
from typing import BinaryIO

from gateway import fsops
from gateway.errors import Held
from gateway.transfer.media.known import Known
from gateway.transfer.media.walking import Missing, NoFile, open_below

FOLDER = "GATEWAY"
NAME = "SHA256.TXT"
_LINE = re.compile(rb"([0-9a-f]{64})  (PA\d{6}/ST\d{6}/SE\d{6}/IN\d{6})\n")
_BLOCK = 1 << 20
_SYNC_EVERY = 32 << 20  # bytes
_MOST = 400_000  # lines that are read: more instances than a DICOMDIR of ours can name; a hostile list may be longer
_LONGEST_LINE = 256  # bytes


def place(root: Path) -> Path:
    return root / FOLDER / NAME


def remember(root: Path, file_id: str, digest: str) -> None:
    """Append one file's hash, durably."""
    note(place(root), file_id, digest)


def append_line(path: Path, text: bytes) -> None:
    """Append a line, durably; what a cut left of the one before stays a line of its own."""
    fsops.append(path, (b"" if _ends_a_line(path) else b"\n") + text)


def remembered(root: Path) -> Known:
    """File ID -> SHA-256 in hexadecimal; empty if there is no such file. Raises Held for what cannot be such a list."""
    return Known(entries(root))


def note(path: Path, file_id: str, digest: str) -> None:
    """The same as :func:`remember` in a list that lies elsewhere."""
    append_line(path, line(file_id, digest))


def read(path: Path) -> Known:
    """The same as :func:`remembered` of a list that lies elsewhere (the box keeps one for each file-set)."""
    return Known(_entries(path.parent, path.name) if path.parent.is_dir() else ())


def entries(root: Path) -> Iterator[tuple[str, str]]:
    """File ID and SHA-256 of each line; a name that was used twice comes twice."""
    return _entries(root, f"{FOLDER}/{NAME}")


def ours(root: Path, path: Path, beat: Callable[[], None] = lambda: None) -> bool:
    """Whether a gateway put the content of this file on the medium, under whatever name it is now."""
    digest = of_file(path, beat)
    return any(digest == said for _file_id, said in entries(root))


def _entries(folder: Path, name: str) -> Iterator[tuple[str, str]]:
    for text in lines(folder, name):
        if match := _LINE.fullmatch(text):
            yield match[2].decode("ascii"), match[1].decode("ascii")


def lines(folder: Path, name: str) -> Iterator[bytes]:
    """The lines of a small file on a medium, of one that may not be what it should. None if it is not there."""
    try:
        descriptor = open_below(folder, name)
    except Missing:
        return
    except NoFile as error:
        raise Held(f"{folder / name} cannot be used: {error}", "use another medium") from error
    with os.fdopen(descriptor, "rb") as found:
        for _ in range(_MOST):
            if not (text := found.readline(_LONGEST_LINE)):
                return
            yield text
    raise Held(f"{folder / name} is longer than any list of a gateway", "use another medium")


def drop(root: Path, gone: Container[str]) -> None:
    """Replace the list by one without the lines of some files."""
    with fsops.new_file(place(root)) as stream:
        for file_id, digest in entries(root):
            if file_id not in gone:
                stream.write(line(file_id, digest))


def recover(root: Path) -> None:
    """On FAT a cut may leave the list under its temporary name only; of whatever part, each line stands for itself."""
    path = place(root)
    if not path.exists() and (left := list(path.parent.glob(f".{NAME}.*.part"))):
        fsops.rename(max(left, key=lambda one: one.stat().st_size), path)


def line(file_id: str, digest: str) -> bytes:
    """What the list says of one file."""
    return f"{digest}  {file_id}\n".encode("ascii")


def of_file(path: Path, beat: Callable[[], None] = lambda: None) -> str:
    """SHA-256 of a file as the medium gives it back."""
    descriptor = fresh(path)
    try:
        return of_open(descriptor, beat)[0]
    finally:
        os.close(descriptor)


def fresh(path: Path) -> int:
    """Open a file to be read from the medium: its pages in memory are dropped, its first block is on its way."""
    descriptor = os.open(path, os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.posix_fadvise(descriptor, 0, _BLOCK, os.POSIX_FADV_WILLNEED)
    return descriptor


def of_open(descriptor: int, beat: Callable[[], None] = lambda: None) -> tuple[str, bytes]:
    """SHA-256 of a file that is open at its start, and its first block, for whoever looks into it, too."""
    digest = hashlib.sha256()
    start = block = os.read(descriptor, _BLOCK)
    while block:
        digest.update(block)
        beat()
        block = os.read(descriptor, _BLOCK)
    return digest.hexdigest(), start


def copy(source: BinaryIO, target: BinaryIO, name: Path, beat: Callable[[], None]) -> str:
    """Copy block by block; returns the SHA-256 of what was copied. ``name`` is the target's, for messages."""
    digest, unsynced = hashlib.sha256(), 0
    while block := source.read(_BLOCK):
        digest.update(block)
        target.write(block)
        if (unsynced := unsynced + len(block)) >= _SYNC_EVERY:  # no single fsync is long, even on a slow stick
            target.flush()
            fsops.sync(target.fileno(), name)
            unsynced = 0
        beat()
    return digest.hexdigest()


def _ends_a_line(path: Path) -> bool:
    if not path.exists() or path.stat().st_size == 0:
        return True
    with path.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) == b"\n"
