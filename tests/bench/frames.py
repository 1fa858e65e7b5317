"""Stills and clips: wrapping beside ffmpeg doing the same copy or encode, and beside DCMTK's img2dcm for a still.

Both write to the same disk; ours syncs what it writes, the others do not.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pictures import Taken, access_units, h264, jpeg_of, noise

from gateway.events import Frame
from gateway.model import Picture
from tests.bench.measuring import NOT_INSTALLED, Row, alternate, program

ROWS, COLUMNS = 1080, 1920
_ROUNDS = 3
TESTS = Path(__file__).resolve().parents[1]
Took = tuple[float, float]  # seconds, and seconds of CPU


def rows(work: Path) -> Iterator[Row]:
    pictures = [noise(ROWS, COLUMNS, n) for n in range(2)]
    jpegs = [jpeg_of(one) for one in pictures]
    yuyv = [one[..., :2].tobytes() for one in pictures]
    units = access_units(h264(ROWS, COLUMNS, 50))
    raw = ["-f", "rawvideo", "-pix_fmt", "yuyv422", "-s", f"{COLUMNS}x{ROWS}", "-r", "25"]
    for what, encoding, data, frames, source, coding, target in (
        ("JPEG passed through", "MJPEG", jpegs, 120, ["-f", "mjpeg"], "", ["-c", "copy", "copy.mov"]),
        ("H.264 passed through", "H264", units, 1500, ["-f", "h264"], "", ["-c", "copy", "copy.mp4"]),
        ("YUYV to RGB", "YUYV", yuyv, 30, raw, "", ["-f", "rawvideo", "-pix_fmt", "rgb24", "plain.rgb"]),
        ("YUYV to JPEG-LS", "YUYV", yuyv, 10, raw, "jpeg-ls", ["-c:v", "jpegls", "-pix_fmt", "rgb24", "lossless.mov"]),
    ):
        folder = work / what.replace(" ", "-")
        folder.mkdir()
        picture = Picture(encoding, COLUMNS, ROWS, 25)
        small, clip = (_clip(folder / str(count), picture, data, count) for count in (len(data), frames))
        stream = folder / "stream"
        stream.write_bytes(b"".join(data[n % len(data)] for n in range(frames)))
        ways = {"ours": _ours(small, clip, coding)}
        if (found := program("ffmpeg")) is not None:
            command = [found, "-y", "-v", "error", "-threads", "1", *source, "-i", str(stream), *target[:-1]]
            ways["ffmpeg"] = _other([*command, str(folder / target[-1])])
        yield _row(f"{what}, 1080p, {frames} frames", frames, alternate(ways, _ROUNDS, warm=False), "ffmpeg")
    yield _still(work, jpegs[0])


def _still(work: Path, jpeg: bytes) -> Row:
    picture = Picture("MJPEG", COLUMNS, ROWS)
    small, still = (_clip(work / name, picture, [jpeg], 1) for name in ("still-small", "still"))
    (work / "still.jpg").write_bytes(jpeg)
    ways = {"ours": _ours(small, still, "")}
    if (found := program("img2dcm")) is not None:
        ways["img2dcm"] = _other([found, "--vl-photo", str(work / "still.jpg"), str(work / "still.dcm")])
    return _row("wrap a JPEG still, 1080p (img2dcm with its start)", 1, alternate(ways, _ROUNDS, warm=False), "img2dcm")


def _clip(path: Path, picture: Picture, data: Sequence[bytes], frames: int) -> Path:
    taken = Taken(picture)
    taken.events += [Frame(data[n % len(data)], 1000.0 + n / 25, picture.encoding) for n in range(frames)]
    return taken.folder(path)


def _ours(small: Path, clip: Path, coding: str) -> Callable[[], Took]:
    def work() -> Took:
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.one_clip", str(small), str(clip), *([coding] if coding else [])],
            env=dict(os.environ) | {"PYTHONPATH": str(TESTS)},
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        seconds, busy = (float(word) for word in done.stdout.split())
        return seconds, busy

    return work


def _other(command: Sequence[str]) -> Callable[[], Took]:
    def work() -> Took:
        began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return time.perf_counter() - began, busy

    return work


def _row(what: str, frames: int, found: dict[str, list[Took]], peer: str) -> Row:
    medians = {way: [statistics.median(column) for column in zip(*took, strict=True)] for way, took in found.items()}
    told = {
        way: f"{frames / seconds:.0f} fps, {1000 * busy / frames:.2f} ms CPU"
        if frames > 1
        else f"{1000 * seconds:.1f} ms, {1000 * busy:.1f} ms CPU"
        for way, (seconds, busy) in medians.items()
    }
    if peer not in medians:
        return Row(what, told["ours"], NOT_INSTALLED)
    return Row(what, told["ours"], f"{told[peer]} ({peer})", f"{medians['ours'][0] / medians[peer][0]:.2f}")
