"""C-STORE over a link with 20 ms round trip: each answer is waited for, so what counts is how many are on their way.

Needs root for its network namespaces; says so otherwise. DCMTK's peer forks, as it takes one association only else.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from ecg_files import write_ecg

from tests.bench.contenders import NO_NAGLE, SERVICE, Called, Warm, process, seconds, warm
from tests.bench.link import THERE, Link, link
from tests.bench.measuring import NOT_INSTALLED, Row, alternate, program
from tests.bench.windowed import WINDOW

DELAY = 0.010  # seconds each way
MANY, SAMPLES = 100, 5000
PORT = 11112
ASSOCIATIONS = 4
TO_START = 30.0  # seconds a peer may take


def rows(work: Path) -> Iterator[Row]:
    what = f"C-STORE {MANY} x {SAMPLES * 24 / 1000:.0f} kB over {DELAY * 2000:.0f} ms round trip"
    if os.geteuid() != 0 or program("ip") is None or not Path("/dev/net/tun").exists():
        yield Row(what, "-", "needs root, iproute2 and /dev/net/tun")
        return
    if program("storescp") is None:
        yield Row(what, "-", f"storescp: {NOT_INSTALLED}")
        return
    folder = work / "small"
    for _ in range(MANY):
        write_ecg(folder, SAMPLES)
    with link(DELAY) as line, warm(line.here) as service:
        with _peer(line, ["storescp", "--ignore", "--fork", str(PORT)]) as to:
            yield from _rows(f"{what}, {ASSOCIATIONS} associations", service, to, folder, ASSOCIATIONS, 1)
        with _peer(line, [sys.executable, "-m", "tests.bench.windowed", THERE, str(PORT)]) as to:
            yield from _rows(f"{what}, a window of {WINDOW}", service, to, folder, 1, WINDOW)


def _rows(what: str, service: Warm, to: Called, folder: Path, associations: int, operations: int) -> Iterator[Row]:
    works = {SERVICE: service.work(SERVICE, to, folder, associations, operations)}
    if (theirs := process("dcmsend", to, folder)) is not None:
        works["dcmsend"] = theirs
    yield from seconds(what, alternate(works), SERVICE, ("dcmsend",))


@contextlib.contextmanager
def _peer(line: Link, command: list[str]) -> Iterator[Called]:
    """``command`` at the other end of the line."""
    peer = subprocess.Popen(
        [*line.there, *command], env=dict(os.environ) | NO_NAGLE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + TO_START
        while f":{PORT:04X} 00000000:0000 0A " not in Path(f"/proc/{peer.pid}/net/tcp").read_text():  # proc(5): listens
            if time.monotonic() > deadline or peer.poll() is not None:
                raise RuntimeError(f"{command} does not listen")
            time.sleep(0.05)
        yield Called(PORT, host=THERE, inside=line.here)
    finally:
        peer.terminate()
        peer.wait(10)
