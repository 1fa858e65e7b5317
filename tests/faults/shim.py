"""The other side of shim.c: compiles it, and turns faults on and off in processes that run."""

from __future__ import annotations

import mmap
import struct
import subprocess
from pathlib import Path

from peers import need

_FORM = struct.Struct("di244s")


class Shim:
    """What one test's processes meet; ``environment`` is theirs."""

    def __init__(self, folder: Path) -> None:
        library, self._path = folder / "shim.so", folder / "faults"
        source = Path(__file__).with_name("shim.c")
        subprocess.run(
            [need("gcc"), "-Wall", "-Werror", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True
        )
        self._path.write_bytes(bytes(mmap.PAGESIZE))
        with self._path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _FORM.size)
        self._ahead, self._synchronized, self._failing = 0.0, False, ""
        self.environment = {"LD_PRELOAD": str(library), "FAULTS_CONTROL": str(self._path)}

    def clock(self, ahead: float, synchronized: bool | None = None) -> None:
        """The wall clock is so many seconds ahead from now on; ``synchronized`` is what the kernel says of it."""
        self._ahead = ahead
        self._synchronized = self._synchronized if synchronized is None else synchronized
        self._tell()

    def fail(self, part: str) -> None:
        """fsync of a file answers EIO if ``part`` is in its path; "" ends that."""
        self._failing = part
        self._tell()

    def synced(self) -> list[tuple[int, str, str]]:
        """(process, "ok" or "EIO", path) of every fsync so far."""
        lines = self._path.with_name(self._path.name + ".log").read_text().splitlines()
        return [(int(pid), answer, path) for pid, _, answer, path in (line.split(" ", 3) for line in lines)]

    def _tell(self) -> None:
        self._memory[:] = _FORM.pack(self._ahead, self._synchronized, self._failing.encode())
