"""File systems of a test's own, in a mount namespace that ends with it: small ones, and one that turns read-only.

The gateway's processes enter the namespace (nsenter); the test looks in from outside, through /proc/PID/root.
"""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from peers import need

MIB = 1 << 20


class Disk:
    """Mounted at ``path`` for those inside; ``outside`` is the same folder for the test."""

    def __init__(self, path: Path, holder: int, user: bool) -> None:
        self.path = path
        self.outside = Path(f"/proc/{holder}/root{path}")
        entered = ["--user", "--preserve-credentials"] if user else []
        self.inside = ("nsenter", "--target", str(holder), "--mount", *entered, "--")

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*self.inside, *command], capture_output=True, text=True, timeout=90, check=False)

    def fill(self, leave: int = 0) -> None:
        """Somebody else fills it until about ``leave`` bytes are free."""
        found = os.statvfs(self.outside)
        size = max(0, found.f_bavail * found.f_frsize - leave)
        with (self.outside / "somebody-elses").open("ab") as file:
            at = file.seek(0, os.SEEK_END)
            with contextlib.suppress(OSError):
                os.posix_fallocate(file.fileno(), at, size)
            while not leave:
                try:
                    os.write(file.fileno(), bytes(4096))
                except OSError as error:
                    assert error.errno == errno.ENOSPC
                    return

    def free(self) -> None:
        (self.outside / "somebody-elses").unlink()


@contextlib.contextmanager
def disk(path: Path, options: str = "") -> Iterator[Disk]:
    """A tmpfs with these options ("size=48m"), without any an ext4 of 64 MiB in a file; skips where that may not be."""
    path.mkdir()
    root = os.geteuid() == 0
    namespace = ["unshare", "--mount"] if root else ["unshare", "--mount", "--user", "--map-root-user"]
    if options:
        mount = f"mount -t tmpfs -o mode=0777,{options} none '{path}'"
    else:
        image = path.with_suffix(".ext4")
        image.touch()
        os.truncate(image, 64 * MIB)
        subprocess.run([need("mke2fs"), "-q", "-F", "-t", "ext4", image], check=True)
        mount = f"mount -o loop '{image}' '{path}'"
    command = [*namespace, "sh", "-c", f"{mount} && echo mounted && exec cat"]
    held = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert held.stdout is not None
        if held.stdout.readline() != b"mounted\n":
            _, said = held.communicate()
            words = f"no file system of its own can be mounted here: {said.decode().strip()}"
            if os.environ.get("CI") and (options or root):
                pytest.fail(words)
            pytest.skip(words)
        yield Disk(path, held.pid, not root)
    finally:
        held.kill()
        held.communicate()
