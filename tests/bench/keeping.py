"""Keeping frames: the capture half of a clip (line, session, records, a sync each second) beside ffmpeg copying them.

Uncompressed YUYV as a grabber gives it, as fast as it goes; the figures are per frame, of the whole path from a frame
in memory to the file. ffmpeg copies the same frames from one file to another and syncs nothing.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.bench.measuring import NOT_INSTALLED, Row, alternate, figure, program, run

SIZES = ((640, 480, 400), (1280, 720, 150), (1920, 1080, 60))  # columns, rows, frames
ROUNDS = 3


def rows(work: Path) -> Iterator[Row]:
    for columns, lines, frames in SIZES:
        yield from _of_size(work, columns, lines, frames)


def _of_size(work: Path, columns: int, lines: int, frames: int) -> Iterator[Row]:
    frame = work / f"{lines}.raw"
    frame.write_bytes(bytes(range(256)) * (columns * lines * 2 // 256))
    ours = [sys.executable, "-m", "tests.bench.one_keeping", str(frame), str(columns), str(lines)]
    works = {
        "ours": lambda: run([*ours, str(frames), str(work / "kept")]),
        "nothing": lambda: run([*ours, "0", str(work / "kept")]),
    }
    size = f"{columns}x{lines}"
    if ffmpeg := program("ffmpeg"):
        copy = [ffmpeg, "-v", "error", "-y", "-stream_loop", str(frames - 1), "-f", "rawvideo", "-pix_fmt", "yuyv422"]
        copy += ["-s", size, "-i", str(frame), "-c", "copy", "-f", "rawvideo", str(work / "copied.raw")]
        works["ffmpeg"] = lambda: run(copy)
    found = alternate(works, ROUNDS)
    seconds = {name: statistics.median([one.seconds for one in runs]) for name, runs in found.items()}
    each = max(1e-6, (seconds["ours"] - seconds["nothing"]) / frames)
    peer = seconds.get("ffmpeg", 0.0) / frames
    yield Row(
        f"keep a frame of {size} YUYV",
        f"{figure(each, 's')} ({1 / each:.0f} frames/s)",
        f"ffmpeg copy: {figure(peer, 's')}" if peer else f"ffmpeg: {NOT_INSTALLED}",
        f"{each / peer:.2f}" if peer else "-",
    )
    peak = statistics.median([one.peak for one in found["ours"]])
    yield Row(f"keep frames of {size}, peak memory", figure(peak, "MiB"))
