"""Real programs as peers of the tests: is it there, its life."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from waiting import PATIENCE


def need(program: str) -> str:
    """Path of an installed program. Without it the test is skipped, or fails where CI promises to have it."""
    # pynetdicom puts programs of the same names as DCMTK's into the virtual environment: not the peers meant.
    places = [p for p in os.environ.get("PATH", "").split(os.pathsep) if Path(p) != Path(sys.prefix) / "bin"]
    path = shutil.which(program, path=os.pathsep.join([*places, "/usr/sbin", "/usr/local/sbin"]))
    if path is None:
        words = f"{program} is not installed"
        if os.environ.get("CI"):
            pytest.fail(words)
        pytest.skip(words)
    return path


def wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when somebody listens; fail with the end of the log if the process died or is too slow."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    pytest.fail(f"{process.args!r} did not start: {log.read_text(errors='replace')[-500:]}")


@contextlib.contextmanager
def running(
    command: Sequence[str], port: int, log: Path, nodelay: bool = True, at_once: bool = False
) -> Iterator[subprocess.Popen[bytes]]:
    """A server that listens on ``port``, stopped at the end whatever happens; ``at_once``: without being asked to."""
    environment = dict(os.environ) | ({"TCP_NODELAY": "1"} if nodelay else {})
    with log.open("wb") as stream:
        process = subprocess.Popen(list(command), stdout=stream, stderr=subprocess.STDOUT, env=environment)
        try:
            wait_for_port(port, process, log)
            yield process
        finally:
            (process.kill if at_once else process.terminate)()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
