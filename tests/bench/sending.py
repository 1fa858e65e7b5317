"""C-STORE to DCMTK's ``storescp --ignore``: ``gateway send`` beside ``dcmsend`` and ``storescu``, whole processes.

As shipped, DCMTK leaves Nagle's algorithm on; with delayed acknowledgements at the other end each object waits 40 ms,
unless the sender is made for that peer. TCP_NODELAY=1 turns it off in all of DCMTK's programs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from dcmtk import storescp
from ecg_files import write_ecg

from tests.bench.measuring import NOT_INSTALLED, ROUNDS, Row, Run, alternate, program, run, times_and_peaks

MANY, SAMPLES = 200, 5000  # 10 s at 500 Hz: 123 kB each
LARGE = 200_000_000 // 24  # samples of 12 channels, 2 bytes each
PEERS = ("dcmsend", "storescu")


def rows(work: Path) -> Iterator[Row]:
    if program("storescp") is None:
        yield Row("send 200 x 123 kB, and 1 x 200 MB", "-", f"storescp: {NOT_INSTALLED}")
        return
    made = [write_ecg(work / "many", SAMPLES) for _ in range(MANY)]
    write_ecg(work / "large", LARGE)
    many = f"send {MANY} x {made[0].size / 1000:.0f} kB"
    yield from _rows(work, f"{many}, TCP_NODELAY=1", "many", nodelay=True)
    yield from _rows(work, f"{many}, DCMTK as shipped", "many", nodelay=False)
    yield from _rows(work, "send 1 x 200 MB, TCP_NODELAY=1", "large", nodelay=True, peers=PEERS[:1], peaks=True)


def _rows(
    work: Path, what: str, files: str, nodelay: bool, peers: tuple[str, ...] = PEERS, peaks: bool = False
) -> list[Row]:
    with storescp(work / "received", "--ignore", nodelay=nodelay) as port:
        works = _works(port, work / files, {"TCP_NODELAY": "1"} if nodelay else {}, peers)
        runs = alternate(works, ROUNDS, warm=nodelay)  # the stalled run costs 10 s a time, and the files are warm
    return times_and_peaks(what, runs, peers, peaks)


def _works(
    port: int, folder: Path, environment: dict[str, str], peers: tuple[str, ...]
) -> dict[str, Callable[[], Run]]:
    address = ["127.0.0.1", str(port), str(folder)]
    gateway = [sys.executable, "-m", "gateway", "--config", str(folder / "none"), "send"]
    commands = {
        "ours": [*gateway, "--to", f"ANY-SCP@127.0.0.1:{port}", str(folder)],
        "dcmsend": ["dcmsend", "--scan-directories", *address],
        "storescu": ["storescu", "--required", "--scan-directories", *address],
    }
    wanted = ("ours", *(p for p in peers if program(p)))
    return {name: _work(commands[name], environment) for name in wanted}


def _work(command: list[str], environment: dict[str, str]) -> Callable[[], Run]:
    return lambda: run(command, **environment)
