"""Who is compared when C-STORE is measured, and how each is started.

``gateway send``, ``dcmsend``, ``storescu`` and pynetdicom's sender are whole processes, from start to exit. "In a
running service" is our sender in a process that has loaded what forward loads and goes on living (tests.bench.warm):
the time from the order to the last answer. "bare socket" is the least that one association can take: the same bytes,
made beforehand, one sendall for each instance, one answer awaited.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.measuring import Row, Run, compared, program, run

SERVICE, COMMAND, BARE, PYNETDICOM = "in a running service", "gateway send", "bare socket", "pynetdicom"
NO_NAGLE = {"TCP_NODELAY": "1"}  # what DCMTK's programs look at; as shipped, they leave Nagle's algorithm on

Work = Callable[[], Run]


@dataclass(frozen=True, slots=True)
class Called:
    """Who is called; ``inside`` is put before each command, to run it in a network namespace."""

    port: int
    ae_title: str = "ANY-SCP"
    host: str = "127.0.0.1"
    inside: tuple[str, ...] = ()


def process(name: str, to: Called, folder: Path, nodelay: bool = True) -> Work | None:
    """The whole process ``name`` that sends ``folder``; None if it is not installed."""
    address = [to.host, str(to.port), str(folder)]
    module = [sys.executable, "-m"]
    commands = {
        COMMAND: [*module, "gateway", "--config", str(folder / "none"), "send", "--to", _peer(to), str(folder)],
        PYNETDICOM: [*module, "tests.bench.pynetdicom_sender", to.ae_title, *address],
        "dcmsend": ["dcmsend", "--call", to.ae_title, "--scan-directories", *address],
        "storescu": ["storescu", "--call", to.ae_title, "--required", "--scan-directories", *address],
    }
    command = commands[name]
    if program(command[0]) is None:
        return None
    return lambda: run([*to.inside, *command], **(NO_NAGLE if nodelay else {}))


def _peer(to: Called) -> str:
    return f"{to.ae_title}@{to.host}:{to.port}"


class Warm:
    """A process that lives on and sends when it is told."""

    def __init__(self, inside: Sequence[str] = ()) -> None:
        self._process = subprocess.Popen(
            [*inside, sys.executable, "-m", "tests.bench.warm"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def work(self, how: str, to: Called, folder: Path, associations: int = 1, operations: int = 1) -> Work:
        """``how``: SERVICE or BARE."""
        order = {"how": how, "port": to.port, "ae_title": to.ae_title, "host": to.host, "folder": str(folder)}
        line = json.dumps(order | {"associations": associations, "operations": operations})
        return lambda: Run(self._told(line), 0.0)

    def _told(self, line: str) -> float:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the warm sender ended; what it said stands above")
        return float(answer)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)


@contextlib.contextmanager
def warm(inside: Sequence[str] = ()) -> Iterator[Warm]:
    kept = Warm(inside)
    try:
        yield kept
    finally:
        kept.close()


def seconds(what: str, runs: dict[str, list[Run]], ours: str, peers: Sequence[str]) -> Iterator[Row]:
    """Rows of wall time: ``ours`` against each of ``peers``."""
    for name in peers:
        theirs = [r.seconds for r in runs[name]] if name in runs else None
        yield compared(f"{what}, {ours}", [r.seconds for r in runs[ours]], theirs, "s", name)


def peaks(what: str, runs: dict[str, list[Run]], ours: str, peer: str) -> Row:
    """A row of peak memory."""
    theirs = [r.peak for r in runs[peer]] if peer in runs else None
    return compared(f"{what}, {ours}: peak memory", [r.peak for r in runs[ours]], theirs, "MiB", peer)
