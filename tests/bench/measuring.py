"""How things are measured here: whole processes, alternating with their peers, and medians side by side."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
ROUNDS = 5
NOT_INSTALLED = "peer not installed"
_LAUNCH = Path(__file__).with_name("launch.py")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    what: str
    ours: str
    peer: str = "-"
    ratio: str = "-"


@dataclass(frozen=True, slots=True)
class Run:
    """One process from start to end. ``peak`` is its resident set in MiB, not below launch.py's own 9."""

    seconds: float
    peak: float


def program(name: str) -> str | None:
    return shutil.which(name)


def run(command: Sequence[str], **environment: str) -> Run:
    """Run a command that must succeed; its standard output is thrown away."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(_LAUNCH), *command],
        env=dict(os.environ) | environment,
        check=True,
        capture_output=True,
        text=True,
    )
    code, seconds, peak = done.stdout.split()
    if code != "0":
        raise RuntimeError(f"{' '.join(command)} ended with {code}: {done.stderr[-800:]}")
    return Run(float(seconds), float(peak))


def alternate(works: Mapping[str, Callable[[], T]], rounds: int = ROUNDS, warm: bool = True) -> dict[str, list[T]]:
    """Run each in turn, ``rounds`` times, so that what else the machine does hits all alike.

    ``warm``: a first round fills caches and counts for nothing.
    """
    found: dict[str, list[T]] = {name: [] for name in works}
    for number in range(rounds + warm):
        for name, work in works.items():
            result = work()
            if number >= warm:
                found[name].append(result)
    return found


def compared(what: str, ours: Sequence[float], peer: Sequence[float] | None, unit: str, name: str) -> Row:
    """Medians of both, and how many times the peer's cost ours is; ``peer`` None if it is not installed."""
    mine = statistics.median(ours)
    if peer is None:
        return Row(what, figure(mine, unit), f"{name}: {NOT_INSTALLED}")
    other = statistics.median(peer)
    return Row(what, figure(mine, unit), f"{name}: {figure(other, unit)}", f"{mine / other:.2f}" if other else "-")


def times_and_peaks(what: str, runs: Mapping[str, Sequence[Run]], peers: Sequence[str], peaks: bool) -> list[Row]:
    """Rows of "ours" against each of ``peers``: wall time, and peak memory if wanted."""
    rows = []
    for name in peers:
        theirs = runs.get(name)
        mine = runs["ours"]
        seconds = [r.seconds for r in theirs] if theirs else None
        rows.append(compared(what, [r.seconds for r in mine], seconds, "s", name))
        if peaks:
            most = [r.peak for r in theirs] if theirs else None
            rows.append(compared(f"{what}, peak memory", [r.peak for r in mine], most, "MiB", name))
    return rows


def figure(value: float, unit: str) -> str:
    """Three significant digits; seconds below one as milliseconds."""
    if unit == "s" and value < 1:
        value, unit = value * 1000, "ms"
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:.{digits}f} {unit}"
