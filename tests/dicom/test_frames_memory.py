"""A clip takes the same memory however long it is: what grows with it are a few numbers for each frame."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pictures import Taken, access_units, h264, jpeg_of, noise

from gateway import fsops, places
from gateway.events import Frame
from gateway.model import Picture
from gateway.records import Writer

ROOT = Path(__file__).resolve().parents[2]
SLOW = pytest.mark.skipif(os.environ.get("GATEWAY_SLOW") != "1", reason="slow: GATEWAY_SLOW=1")


def clip(path: Path, picture: Picture, data: list[bytes], frames: int) -> Path:
    """``data`` over and over; written as capture does, one frame in memory."""
    Taken(picture).frames(*data[:1]).folder(path)
    (path / places.RECORDS).unlink()
    writer = Writer(path / places.RECORDS, 1)
    for n in range(frames):
        writer.append(Frame(data[n % len(data)], 1000.0 + n / picture.rate, picture.encoding))
    writer.close("stopped")
    return path


def wrapped(small: Path, large: Path) -> tuple[float, float]:
    """MiB by which a process grows, and megabytes of the file that it makes."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.one_wrap", "ours", str(small), str(large)],
        env=dict(os.environ) | {"PYTHONPATH": str(ROOT / "tests")},
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    _, growth, size = done.stdout.split()
    return float(growth), float(size)


def test_a_long_clip_of_jpeg_takes_no_more_memory(tmp_path: Path) -> None:
    picture, data = Picture("MJPEG", 640, 480, 30), [jpeg_of(noise(480, 640, n), quality=97) for n in range(3)]
    growth, size = wrapped(clip(tmp_path / "s", picture, data, 3), clip(tmp_path / "l", picture, data, 300))
    assert size > 45
    assert growth < 16


def test_a_long_uncompressed_clip_takes_no_more_memory(tmp_path: Path) -> None:
    picture, data = Picture("YUYV", 640, 480, 30), [noise(480, 640)[..., :2].tobytes()]
    growth, size = wrapped(clip(tmp_path / "s", picture, data, 2), clip(tmp_path / "l", picture, data, 120))
    assert size > 100
    assert growth < 16


def test_a_long_stream_takes_no_more_memory(tmp_path: Path) -> None:
    data = access_units(h264(480, 640, 24, "-qp", "20"))
    picture = Picture("H264", 640, 480, 25)
    growth, size = wrapped(clip(tmp_path / "s", picture, data, 24), clip(tmp_path / "l", picture, data, 20_000))
    assert size > 80
    assert growth < 20


@SLOW
@pytest.mark.timeout(900)
def test_an_hour_in_high_definition_is_wrapped_in_constant_memory(tmp_path: Path) -> None:
    data = access_units(h264(1080, 1920, 48, "-b:v", "4M", "-maxrate", "4M", "-bufsize", "1M"))
    picture = Picture("H264", 1920, 1080, 25)
    small = clip(tmp_path / "s", picture, data, 48)
    growth, size = wrapped(small, clip(fsops.make_folder(tmp_path / "l") / "c", picture, data, 90_000))
    print(f"an hour of 1080p: {size:.0f} MB, the resident set grows by {growth:.1f} MiB")
    assert growth < 48
