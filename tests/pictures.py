"""Synthetic acquisitions of frames: written through the product's own Writer, as capture writes them."""

from __future__ import annotations

import dataclasses
import functools
import io
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from acquisitions import an_exam, instant, settings_of
from PIL import Image

from gateway import fsops, places
from gateway.dicom.wrap import wrap
from gateway.events import Frame, Gap, Marker
from gateway.model import Equipment, Facts, InstanceRef, Kind, Picture, to_json
from gateway.profile import Profile
from gateway.records import Writer
from gateway.settings import Settings

STARTED = 1000.0  # monotonic, as instant() says


@dataclass
class Taken:
    """What was taken; ``folder`` writes it as capture does."""

    picture: Picture
    events: list[Frame | Gap | Marker] = field(default_factory=list)
    number: int = 1
    trusted: bool = True
    test: bool = False

    def frames(self, *data: bytes, first: float = STARTED, rate: float = 25.0) -> Taken:
        self.events += [Frame(one, first + n / rate, self.picture.encoding) for n, one in enumerate(data)]
        return self

    def folder(self, path: Path) -> Path:
        fsops.make_folder(path)
        facts = Facts(
            acquisition=path.name,
            root_uid=f"2.25.4712{self.number}",
            device="ecg",
            adapter="v4l2",
            adapter_version="1",
            kind=Kind.DOCUMENT if self.picture.encoding == "PDF" else Kind.PICTURES,
            equipment=Equipment("ACME", "Tower", "SN7", "fw 1"),
            groups=(),
            exam="260922000000AB12",
            number=self.number,
            started=instant(self.trusted),
            test=self.test,
            picture=self.picture,
        )
        fsops.write_json(path / places.FACTS, to_json(facts))
        writer = Writer(path / places.RECORDS, facts.streams)
        for event in self.events:
            writer.append(event)
        writer.close("stopped")
        return path


def settings_for(tmp_path: Path, profile: Profile | None = None, **device: object) -> Settings:
    if profile is None:
        return settings_of(tmp_path, **device)
    found = settings_of(tmp_path, profile=profile.name, **device)
    return dataclasses.replace(found, profiles=(profile,))


def wrapped(tmp_path: Path, taken: Taken, profile: Profile | None = None, **device: object) -> list[InstanceRef]:
    out = fsops.make_folder(tmp_path / "out")
    folder = taken.folder(tmp_path / f"acquisition{taken.number}")
    return list(wrap(folder, an_exam(), settings_for(tmp_path, profile, **device), out))


def noise(rows: int, columns: int, number: int = 0) -> np.ndarray:
    """A picture that looks like one: slopes, an edge, and some noise; (rows, columns, 3)."""
    rng = np.random.default_rng(number)
    y, x = np.mgrid[0:rows, 0:columns]
    planes = [(x * 255 // columns), (y * 255 // rows), ((x + y + 7 * number) % 256)]
    picture = np.stack(planes, axis=-1).astype(np.int16) + rng.integers(-6, 7, (rows, columns, 3))
    picture[rows // 4 : rows // 2, columns // 4 : columns // 2] = (220, 30, 40)
    return np.clip(picture, 0, 255).astype(np.uint8)


def jpeg_of(pixels: np.ndarray, **how: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", **{"quality": 90, "subsampling": 1} | how)
    return stream.getvalue()


def without_tables(data: bytes) -> bytes:
    """A frame as AVI1 has it: its Huffman tables, the usual ones, left out."""
    found, at = data[:2], 2
    while data[at + 1] != 0xDA:
        behind = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        found += b"" if data[at + 1] == 0xC4 else data[at:behind]
        at = behind
    return found + data[at:]


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@functools.cache
def h264(rows: int = 96, columns: int = 128, frames: int = 25, *more: str) -> bytes:
    """A real stream of x264, as a byte stream with access unit delimiters. ``more``: arguments of ffmpeg."""
    source = f"testsrc2=size={columns}x{rows}:rate=25"
    coded = ["-c:v", "libx264", "-preset", "ultrafast", "-profile:v", "high", "-g", "12", "-pix_fmt", "yuv420p"]
    coded += ["-x264-params", "aud=1:cabac=1:8x8dct=1:scenecut=0", *more]
    command = [program("ffmpeg"), "-v", "error", "-f", "lavfi", "-i", source]
    ran = subprocess.run(
        [*command, "-frames:v", str(frames), *coded, "-f", "h264", "-"],
        capture_output=True,
        check=True,
        timeout=100,
    )
    return ran.stdout


def access_units(stream: bytes) -> list[bytes]:
    """Cut at the delimiters, as a camera hands them out."""
    starts, at = [], stream.find(b"\0\0\0\1\x09")
    while at >= 0:
        starts.append(at)
        at = stream.find(b"\0\0\0\1\x09", at + 5)
    return [stream[a:b] for a, b in zip(starts, [*starts[1:], len(stream)], strict=True)]
