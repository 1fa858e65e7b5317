"""What the gateway remembers on the medium itself: the SHA-256 of every file it put there.

``GATEWAY/SHA256.TXT`` has one line per file, as ``sha256sum`` writes them, so that anybody can check a medium with
``sha256sum -c GATEWAY/SHA256.TXT``. Appended and synced before the directory names the file; of two lines for one file
the later counts; a line cut off by a power cut counts as none. The DICOMDIR names nothing in this folder.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from gateway import fsops

FOLDER = "GATEWAY"
NAME = "SHA256.TXT"
_LINE = re.compile(rb"([0-9a-f]{64})  (PA\d{6}/ST\d{6}/SE\d{6}/IN\d{6})\n")
_BLOCK = 1 << 20
_SYNC_EVERY = 32 << 20  # bytes
_MOST = 1_000_000  # as many as there are File IDs; a hostile list may be longer


def place(root: Path) -> Path:
    return root / FOLDER / NAME


def remember(root: Path, file_id: str, digest: str) -> None:
    """Append one file's hash, durably."""
    note(place(root), file_id, digest)


def note(path: Path, file_id: str, digest: str) -> None:
    """The same in a list that lies elsewhere."""
    fresh = b"" if _ends_a_line(path) else b"\n"
    fsops.append(path, fresh + f"{digest}  {file_id}\n".encode("ascii"))


def remembered(root: Path) -> dict[str, str]:
    """File ID -> SHA-256 in hexadecimal; empty if there is no such file."""
    return read(place(root))


def read(path: Path) -> dict[str, str]:
    """The same of a list that lies elsewhere (the box keeps one for each file-set)."""
    found: dict[str, str] = {}
    if not path.is_file():
        return found
    with path.open("rb") as lines:
        while (line := lines.readline(256)) and len(found) < _MOST:
            if match := _LINE.fullmatch(line):
                found[match[2].decode("ascii")] = match[1].decode("ascii")
    return found


def rewrite(root: Path, known: dict[str, str]) -> None:
    """Replace the whole list."""
    with fsops.new_file(place(root)) as stream:
        for file_id in sorted(known):
            stream.write(f"{known[file_id]}  {file_id}\n".encode("ascii"))


def of_file(path: Path, beat: Callable[[], None] = lambda: None) -> str:
    """SHA-256 of a file as the medium gives it back: pages still in memory are dropped first."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while block := stream.read(_BLOCK):
            digest.update(block)
            beat()
    return digest.hexdigest()


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
