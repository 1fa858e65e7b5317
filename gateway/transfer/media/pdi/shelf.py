"""Writing pages on a medium: each only once, synced in one go, remembered after it is there, never on another's.

``GATEWAY/PAGES.TXT`` has one line for what was written: its name, how many instances it shows, and a digest of
what it was made of. The lines are appended after the files they speak of are synced. So a cut leaves files that no line
vouches for, and those are made again; of two lines for one name the later counts; ``-`` stands for removed.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from gateway import fsops
from gateway.errors import Held
from gateway.transfer.media import regular
from gateway.transfer.media.hashes import FOLDER
from gateway.transfer.media.pdi.pages import MARK, page_name

PAGES = "IHE_PDI"
STYLE = f"{PAGES}/STYLE.CSS"
KEPT_FREE = 32 << 20  # bytes that pages leave to the DICOM files
STATE = f"{FOLDER}/PAGES.TXT"
_LINE = re.compile(rb"([A-Z0-9_./]{1,40}) (\d{1,6}) ([0-9a-f]{16}|-)\n")
_MOST = 1_000_000  # lines; a hostile list may be longer
_SYNC_EVERY = 256  # files
_HEAD = 512  # bytes in which our mark stands


class NoRoom(Exception):
    """The pages would take what the DICOM files may need."""


class Shelf:
    """What the pages folder holds already, as far as it is vouched for. ``known``: name -> (count, digest)."""

    def __init__(self, root: Path, beat: Callable[[], None], check: bool = False, anew: bool = False) -> None:
        """Raises Held if IHE_PDI is another program's."""
        self.root = root
        self.known: dict[str, tuple[int, str]] = {}
        self._beat = beat
        self._laid: list[Path] = []
        self._lines: list[str] = []
        self._count = 0
        if not self._ours_or_free(PAGES):
            raise Held(
                f"{root / PAGES} was made by another program",
                "it is left as it is and the medium gets no pages; move it away if it shall have ours",
            )
        if not anew:
            self._load()
        if check:
            lost = [n for n in self.known if n.count("/") == 2 and not (root / n / page_name(1)).is_file()]
            for name in lost:
                del self.known[name]

    def place(self, name: str) -> str:
        """Where INDEX.HTM or README.TXT may stand: in the root, or if another's is there, in IHE_PDI."""
        return name if self._ours_or_free(name) else f"{PAGES}/{name}"

    def names(self, folder: str) -> set[str]:
        """The files in a folder of ours."""
        path = self.root / folder
        if path.is_symlink() or not path.is_dir():
            return set()
        return {entry.name for entry in os.scandir(path) if entry.is_file(follow_symlinks=False)}

    def put(self, name: str, data: bytes) -> None:
        """Write one file. Raises NoRoom, OSError."""
        if shutil.disk_usage(self.root).free < KEPT_FREE + len(data):
            raise NoRoom
        path = self.root / name
        self._folder(path.parent)
        fsops.lay(path, data)
        self._laid.append(path)
        self._beat()
        if len(self._laid) >= _SYNC_EVERY:
            self.settle()

    def put_whole(self, name: str, data: bytes) -> None:
        """Write one file so that a cut leaves the old one or the new: what is opened first should open."""
        if shutil.disk_usage(self.root).free < KEPT_FREE // 2:
            raise NoRoom
        path = self.root / name
        self._folder(path.parent)
        fsops.sweep(path.parent, path.name)
        fsops.write_file(path, data)

    def remember(self, name: str, count: int, digest: str) -> None:
        """Vouch for what was put, from the next :meth:`settle` on."""
        self.known[name] = (count, digest)
        self._lines.append(f"{name} {count} {digest}\n")

    def remove(self, name: str) -> None:
        """Remove a file or a folder of ours below IHE_PDI, whatever is in it."""
        path = self.root / name
        if path.is_dir() and not path.is_symlink():
            fsops.remove_folder(path)
        else:
            fsops.unlink(path)
        if self.known.pop(name, None):
            self._lines.append(f"{name} 0 -\n")

    def settle(self) -> None:
        """Sync what was put, then vouch for it."""
        folders = {path.parent for path in self._laid}
        for path in self._laid:
            fsops.sync_file(path)
            self._beat()
        for folder in sorted({*folders, *(f.parent for f in folders)}):
            fsops.sync_folder(folder)
        self._laid = []
        if not self._lines:
            return
        self._count += len(self._lines)
        if self._count > 2 * len(self.known) + 1000:
            lines = (f"{name} {count} {digest}\n" for name, (count, digest) in sorted(self.known.items()))
            fsops.write_file(self.root / STATE, "".join(lines).encode("ascii"))
            self._count = len(self.known)
        else:
            fsops.append(self.root / STATE, "".join(["\n", *self._lines]).encode("ascii"))
        self._lines = []

    def _load(self) -> None:
        for line in self._read_lines():
            self._count += 1
            if (match := _LINE.fullmatch(line)) is None:
                continue
            name = match[1].decode("ascii")
            if match[3] == b"-":
                self.known.pop(name, None)
            else:
                self.known[name] = (int(match[2]), match[3].decode("ascii"))

    def _read_lines(self) -> Iterator[bytes]:
        descriptor = regular.open_file(self.root, STATE)
        if descriptor is None:
            return
        with os.fdopen(descriptor, "rb") as stream:
            for _ in range(_MOST):
                if not (line := stream.readline(128)):
                    return
                yield line

    def _folder(self, folder: Path) -> None:
        """Make a folder of ours; a link in its place would lead out of the medium."""
        for part in reversed([folder, *folder.parents][: len(folder.relative_to(self.root).parts)]):
            if part.is_symlink():
                raise Held(f"{part} is a link; a medium of ours has none", "nothing is written there: remove it")
            with contextlib.suppress(FileExistsError):
                part.mkdir(mode=fsops.FOLDER_MODE)

    def _ours_or_free(self, name: str) -> bool:
        path = self.root / name
        if not os.path.lexists(path):
            return True
        if name == PAGES:
            if path.is_symlink() or not path.is_dir():
                return False
            if not any(path.iterdir()):
                return True
            name = STYLE
            if regular.head(self.root, STATE, 1) is not None and not os.path.lexists(self.root / STYLE):
                return True
        found = regular.head(self.root, name, _HEAD)
        return found is not None and (MARK.encode() in found or not found.strip(b"\0"))
