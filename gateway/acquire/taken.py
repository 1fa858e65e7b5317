"""What was taken from a watched folder, for good: the same file is taken once, whatever it is called the second time.

One line of JSON for each file in ``DATA/taken/DEVICE.jsonl``::

    {"name": ..., "size": bytes, "mtime_ns": ..., "sha256": hex, "acquisitions": [ids], "at": wall seconds}

The line is written when the recordings made of the file are whole, and before they appear among the others: until
then the file was not taken, and from then on it was. ``acquisitions`` is empty for a file that is the same as an
earlier one.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway import fsops
from gateway.errors import Held

MOST = 100_000  # files remembered that are no longer in the folder; of those that are, every one
_LONGEST = 64 << 10  # bytes of a line


@dataclass(frozen=True, slots=True)
class Stamp:
    """By what a file is known to be unchanged without reading it."""

    size: int  # bytes
    mtime_ns: int


class Memory:
    """Not thread-safe: one owner thread. Raises Held if what is written cannot be read: then nothing is taken."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._contents: set[bytes] = set()  # SHA-256
        self._entries: set[int] = set()  # of names with their stamps
        self._lines = 0
        self.last: tuple[str, ...] = ()  # the acquisitions of the latest file
        if path.exists():
            self._cut_torn_line()
        for line in self._read():
            self._remember(line)

    def left(self, name: str, stamp: Stamp) -> bool:
        """Whether this very file, unchanged by its stamp, was taken and left in the folder."""
        return hash((name, stamp)) in self._entries

    def taken(self, digest: bytes) -> bool:
        return digest in self._contents

    def recall(self, digest: bytes) -> dict[str, Any]:
        """What was noted of the file with this content."""
        wanted = digest.hex()
        return next((line for line in self._read() if line["sha256"] == wanted and line["acquisitions"]), {})

    def note(self, name: str, stamp: Stamp, digest: bytes, acquisitions: tuple[str, ...], at: float) -> None:
        """Durable when it returns."""
        line = {"name": name, "size": stamp.size, "mtime_ns": stamp.mtime_ns, "sha256": digest.hex()}
        line |= {"acquisitions": list(acquisitions), "at": at}
        fsops.make_folder(self._path.parent)
        fsops.append(self._path, json.dumps(line).encode() + b"\n")
        self._remember(line)

    def tidy(self, present: Collection[str]) -> None:
        """Forget the oldest of the files that are not in the folder any more, when there are too many."""
        if self._lines <= 2 * MOST + len(present):
            return
        surplus = self._lines - MOST
        with fsops.new_file(self._path) as stream:
            for number, line in enumerate(self._read()):
                if number >= surplus or line["name"] in present:
                    stream.write(json.dumps(line).encode() + b"\n")
        self._contents.clear()
        self._entries.clear()
        self._lines = 0
        for line in self._read():
            self._remember(line)

    def _remember(self, line: dict[str, Any]) -> None:
        self._contents.add(bytes.fromhex(line["sha256"]))
        self._entries.add(hash((line["name"], Stamp(line["size"], line["mtime_ns"]))))
        self._lines += 1
        if line["acquisitions"]:
            self.last = tuple(line["acquisitions"])

    def _cut_torn_line(self) -> None:
        """A power cut may leave a part of the last line: its file was not taken yet."""
        with self._path.open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(0, size - _LONGEST))
            tail = stream.read()
        if tail and not tail.endswith(b"\n"):
            fsops.truncate(self._path, size - len(tail) + tail.rfind(b"\n") + 1)

    def _read(self) -> Iterator[dict[str, Any]]:
        try:
            with self._path.open("rb") as stream:
                for number, text in enumerate(stream, 1):
                    try:
                        yield _checked(json.loads(text))
                    except (ValueError, KeyError, TypeError):
                        raise Held(
                            f"{self._path} cannot be read in line {number}: nobody knows which file was taken there",
                            "check the storage medium; remove that line, or all, if files may be taken a second time",
                        ) from None
        except FileNotFoundError:
            return


def _checked(line: Any) -> dict[str, Any]:
    found = {"name": str(line["name"]), "size": int(line["size"]), "mtime_ns": int(line["mtime_ns"])}
    if len(bytes.fromhex(line["sha256"])) != 32:
        raise ValueError("no SHA-256")
    ids = [str(name) for name in line["acquisitions"]]
    return found | {"sha256": str(line["sha256"]), "acquisitions": ids, "at": float(line["at"])}
