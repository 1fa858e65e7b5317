"""Frames as a broken camera or cable may send them: each is used, left out with words, or held with words.

``python -m tests.fuzz.frames N [SEED]``. A mutated frame stands in a clip of good ones, which is wrapped as the product
does it and checked: what is made of it must be valid, and the good frames must be in it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
from acquisitions import an_exam, settings_of
from pictures import Taken, access_units, h264, jpeg_of, noise, without_tables

from gateway import fsops
from gateway.dicom.check import check
from gateway.dicom.frames.jpeg import Malformed
from gateway.dicom.frames.mjpeg import Mjpeg
from gateway.dicom.frames.video import Video
from gateway.dicom.wrap import wrap
from gateway.errors import Held
from gateway.events import Frame
from gateway.model import Picture
from gateway.profile import UNKNOWN

ROWS, COLUMNS = 48, 64
LONGEST = 5.0  # seconds for one frame of some kilobytes: a loop that does not end, and not a busy machine
_WHOLE_EVERY = 20  # so many mutations are wrapped, the others only looked at


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """Some bytes changed, cut out, doubled, or the end lost; more often near the beginning, where the headers are."""
    found = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        near = len(found) if rng.random() < 0.4 else min(len(found), 120)
        at, count = int(rng.integers(0, max(1, near))), int(rng.integers(1, 9))
        match int(rng.integers(0, 6)):
            case 0:
                found[at : at + count] = rng.integers(0, 256, count, dtype=np.uint8).tobytes()
            case 1:
                del found[at : at + count]
            case 2:
                found[at:at] = found[at : at + count * 40]
            case 3:
                del found[at + 2 :]
            case 4 if at < len(found):
                found[at] ^= 1 << int(rng.integers(0, 8))
            case _:
                found[at : at + count] = bytes([int(rng.choice([0, 255]))]) * count
    return bytes(found)


def fuzz(count: int, seed: int, say: Callable[[str], None] = lambda _: None) -> Counter[str]:
    """Returns how many were used, left out and held. Raises AssertionError, naming the number, for what must not be."""
    found: Counter[str] = Counter()
    jpegs = [jpeg_of(noise(ROWS, COLUMNS, n)) for n in range(3)]
    units = access_units(h264(ROWS, COLUMNS, 8))
    kinds: list[tuple[str, list[bytes]]] = [
        ("MJPEG", jpegs),
        ("MJPEG", [without_tables(one) for one in jpegs]),
        ("H264", units),
    ]
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        encoding, good = kinds[number % len(kinds)]
        at = int(rng.integers(0, len(good)))
        bad = mutated(good[at], rng)
        began = time.monotonic()
        try:
            outcome = look(encoding, good, at, bad)
            if number % _WHOLE_EVERY == 0:
                outcome = whole(encoding, good, at, bad)
        except Exception as error:
            raise AssertionError(f"frame {number} of seed {seed}: {type(error).__name__}: {error}") from error
        assert time.monotonic() - began < LONGEST, f"frame {number} of seed {seed} takes too long"
        found[f"{encoding} {outcome}"] += 1
        if number % 1000 == 999:
            say(f"{number + 1} frames: {dict(found)}")
    return found


def look(encoding: str, good: list[bytes], at: int, bad: bytes) -> str:
    picture = Picture(encoding, COLUMNS, ROWS, 25)
    coding = Mjpeg(picture) if encoding == "MJPEG" else Video(picture, UNKNOWN)
    outcome = "used"
    for data in (*good[:at], bad, *good[at + 1 :]):
        try:
            assert coding.look(Frame(data, 0.0, encoding)) >= 0
        except Malformed as error:
            assert str(error)
            outcome = "left out"
        except Held as error:
            assert error.message
            return "held"
    return outcome


def whole(encoding: str, good: list[bytes], at: int, bad: bytes) -> str:
    with tempfile.TemporaryDirectory() as folder:
        taken = Taken(Picture(encoding, COLUMNS, ROWS, 25)).frames(*good[:at], bad, *good[at + 1 :])
        out = fsops.make_folder(Path(folder) / "out")
        try:
            (made,) = wrap(taken.folder(Path(folder) / "taken"), an_exam(), settings_of(Path(folder)), out)
        except Held:
            assert not list(out.iterdir()), "nothing is left of what was held"
            return "held"
        assert [str(one) for one in check(Path(made.path))] == []
        frames = int(pydicom.dcmread(made.path, stop_before_pixels=True).get("NumberOfFrames") or 1)
        return "used" if frames == len(good) else "left out"


if __name__ == "__main__":
    wanted, first = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    print(f"{wanted} frames, 0 crashed: {dict(fuzz(wanted, first, print))}")
