"""What was taken is sent to Orthanc, which shows it as it was."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from orthanc import Orthanc, orthanc
from peers import need
from pictures import Taken, access_units, h264, jpeg_of, noise, wrapped
from PIL import Image

from gateway.cli import main
from gateway.model import Picture
from gateway.profile import Area, Profile

ROWS, COLUMNS = 120, 160
JPEG_LS = Profile(name="lossless", coding="jpeg-ls")
MASKED = Profile(name="masked", mask=(Area(0, 0, 80, 16),), burned_in="masked")


def yuyv(pixels: np.ndarray) -> bytes:
    """BT.601, narrow range, as a camera makes it."""
    red, green, blue = (pixels[..., n].astype(float) for n in range(3))
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    cb, cr = (blue - luma) / 1.772, (red - luma) / 1.402
    y = 16 + luma * 219 / 255
    pairs = [128 + c.reshape(ROWS, COLUMNS // 2, 2).mean(-1) * 224 / 255 for c in (cb, cr)]
    chroma = np.stack(pairs, -1).reshape(ROWS, COLUMNS)
    return np.rint(np.stack((y, chroma), -1)).clip(0, 255).astype(np.uint8).tobytes()


def taken(encoding: str, frames: int = 1) -> Taken:
    make = {"RGB24": lambda p: p.tobytes(), "YUYV": yuyv, "MJPEG": jpeg_of}[encoding]
    picture = Picture(encoding, COLUMNS, ROWS, 25 if frames > 1 else 0)
    return Taken(picture).frames(*(make(noise(ROWS, COLUMNS, n)) for n in range(frames)))


CASES: dict[str, tuple[Taken, Profile | None, str]] = {
    "RGB": (taken("RGB24"), None, "endoscopic"),
    "YUYV": (taken("YUYV"), None, "endoscopic"),
    "JPEG": (taken("MJPEG"), None, "photographic"),
    "JPEG-LS": (taken("RGB24"), JPEG_LS, "ultrasound"),
    "masked JPEG": (taken("MJPEG"), MASKED, "capture"),
    "clip of JPEG": (taken("MJPEG", 3), None, "endoscopic"),
    "clip of RGB": (taken("RGB24", 3), None, "capture"),
    "clip of JPEG-LS": (taken("YUYV", 3), JPEG_LS, "photographic"),
}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    need("Orthanc")
    with orthanc(tmp_path_factory.mktemp("orthanc")) as peer:
        yield peer


@pytest.mark.parametrize("name", CASES)
def test_orthanc_shows_what_was_taken(name: str, archive: Orthanc, tmp_path: Path) -> None:
    one, profile, family = CASES[name]
    one.number = 1 + list(CASES).index(name)
    (made,) = wrapped(tmp_path, one, profile, iod=family)
    assert main(["send", "--to", f"ORTHANC@127.0.0.1:{archive.port}", made.path]) == 0
    shown = archive.bytes(f"/instances/{archive.instances()[made.sop_instance_uid]}/preview")
    (tmp_path / "preview.png").write_bytes(shown)
    pixels = np.asarray(Image.open(io.BytesIO(shown)).convert("RGB")).astype(int)
    wanted = noise(ROWS, COLUMNS).astype(int)
    if profile is MASKED:
        assert not pixels[:16, :80].any()
        pixels, wanted = pixels[16:], wanted[16:]
    assert np.abs(pixels - wanted).mean() < (1 if "RGB" in name or name == "JPEG-LS" else 6)


def test_orthanc_takes_an_h264_clip_and_gives_it_back(archive: Orthanc, tmp_path: Path) -> None:
    clip = Taken(Picture("H264", 128, 96, 25), number=99).frames(*access_units(h264()))
    (made,) = wrapped(tmp_path, clip, iod="endoscopic")
    assert main(["send", "--to", f"ORTHANC@127.0.0.1:{archive.port}", made.path]) == 0
    identifier = archive.instances()[made.sop_instance_uid]
    back = tmp_path / "back.dcm"
    back.write_bytes(archive.bytes(f"/instances/{identifier}/file"))
    same = subprocess.run(["dcmdump", "-q", str(back)], capture_output=True, text=True, check=True).stdout
    assert "MPEG4HighProfile/Level4.1" in same
    data = Path(made.path).read_bytes()
    assert data[data.index(b"ftypisom") :] in back.read_bytes()
