"""Wrapping a recording: ``gateway.dicom.wrap`` beside pydicom building the same data set in memory.

Each run is a fresh process that has wrapped something small before; see ``one_wrap``.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from acquisitions import Recording, heartbeat

from firmware_adapters.simulated import LEADS
from tests.bench.measuring import Row, alternate, compared, figure

RATE = 500
BLOCK = 25  # samples in a record: 50 ms, about what one turn of capture writes
LENGTHS = (("10 s", 10), ("10 min", 600))  # name, seconds
TESTS = Path(__file__).resolve().parents[1]
WAYS = ("ours", "pydicom")


@dataclass(frozen=True, slots=True)
class Wrapped:
    """``growth``: by how many MiB the resident set grew while wrapping. ``megabytes`` of the file made."""

    seconds: float
    growth: float
    megabytes: float


def rows(work: Path) -> Iterator[Row]:
    small = _recording(work / "small", 1)
    for name, seconds in LENGTHS:
        recording = _recording(work / f"recording-{seconds}", seconds)
        found = alternate({way: _work(way, small, recording) for way in WAYS}, warm=False)
        ours, peer = found["ours"], found["pydicom"]
        what = f"wrap {name} of 12 leads at {RATE} Hz"
        yield compared(what, [w.seconds for w in ours], [w.seconds for w in peer], "s", "pydicom")
        speeds = [statistics.median([w.megabytes / w.seconds for w in made]) for made in (ours, peer)]
        size = f" (file of {ours[0].megabytes:.2f} and {peer[0].megabytes:.2f} MB)"
        yield Row(f"{what}, speed{size}", *(figure(s, "MB/s") for s in speeds), f"{speeds[0] / speeds[1]:.2f}")
        yield compared(f"{what}, memory grows by", [w.growth for w in ours], [w.growth for w in peer], "MiB", "pydicom")


def _recording(path: Path, seconds: int) -> Path:
    counts = heartbeat(seconds * RATE, len(LEADS))
    made = Recording(labels=LEADS, rate=float(RATE))
    return made.with_samples(*(counts[at : at + BLOCK] for at in range(0, len(counts), BLOCK))).folder(path)


def _work(way: str, small: Path, recording: Path) -> Callable[[], Wrapped]:
    def work() -> Wrapped:
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.one_wrap", way, str(small), str(recording)],
            env=dict(os.environ) | {"PYTHONPATH": str(TESTS)},
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        return Wrapped(*(float(word) for word in done.stdout.split()))

    return work
