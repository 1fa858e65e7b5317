"""Colours: the standard's colour bars come out as the standard's R, G, B, and noise as the formulas say."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import numpy as np
import pytest
from pictures import program
from PIL import Image, ImageCms

from gateway.dicom.frames import colours, icc
from gateway.model import Picture

# 100 % bars, narrow range: Y, Cb, Cr as ITU-R BT.601 and BT.709 have them for white, yellow, cyan, green, magenta, red,
# blue, black
BARS = ((255, 255, 255), (255, 255, 0), (0, 255, 255), (0, 255, 0), (255, 0, 255), (255, 0, 0), (0, 0, 255), (0, 0, 0))
CODED = {
    "BT.601": "235 128 128,210 16 146,170 166 16,145 54 34,106 202 222,81 90 240,41 240 110,16 128 128",
    "BT.709": "235 128 128,219 16 138,188 154 16,173 42 26,78 214 230,63 102 240,32 240 118,16 128 128",
}


def bars(matrix: str, encoding: str, rows: int = 4, wide: int = 8) -> tuple[bytes, Picture]:
    coded = np.array([[int(n) for n in bar.split()] for bar in CODED[matrix].split(",")], np.uint8)
    line = np.repeat(coded, wide, axis=0)
    full = np.broadcast_to(line, (rows, len(line), 3))
    picture = Picture(encoding, len(line), rows, matrix=matrix)
    y, cb, cr = full[..., 0], full[..., 1], full[..., 2]
    if encoding == "NV12":
        return y.tobytes() + np.stack((cb[::2, ::2], cr[::2, ::2]), -1).tobytes(), picture
    chroma = np.stack((cb[:, ::2], cr[:, ::2]), -1).reshape(rows, -1)
    order = (y, chroma) if encoding == "YUYV" else (chroma, y)
    return np.stack(order, -1).tobytes(), picture


@pytest.mark.parametrize("encoding", ["YUYV", "UYVY", "NV12"])
@pytest.mark.parametrize("matrix", CODED)
def test_colour_bars_have_the_colours_of_the_standard(matrix: str, encoding: str) -> None:
    found = colours.pixels(*bars(matrix, encoding))
    wanted = np.repeat(np.array(BARS), 8, axis=0)
    assert np.abs(found.astype(int) - wanted).max() <= 1, "the bars themselves are rounded to whole steps"


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("matrix", CODED)
def test_every_pair_of_codes_comes_out_as_the_formulas_say(matrix: str, full_range: bool) -> None:
    rng = np.random.default_rng(5)
    picture = Picture("YUYV", 512, 256, matrix=matrix, full_range=full_range)
    data = rng.integers(0, 256, 2 * 512 * 256, dtype=np.uint8)
    found = colours.pixels(data.tobytes(), picture)
    kr, kb = colours.KR_KB[matrix]
    quads = data.reshape(256, 256, 4).astype(np.float64)
    y, cb, cr = quads[..., ::2].reshape(256, 512), np.repeat(quads[..., 1], 2, 1), np.repeat(quads[..., 3], 2, 1)
    if full_range:
        y, cb, cr = y / 255, (cb - 128) / 255, (cr - 128) / 255
    else:
        y, cb, cr = (y - 16) / 219, (cb - 128) / 224, (cr - 128) / 224
    red, blue = y + 2 * (1 - kr) * cr, y + 2 * (1 - kb) * cb
    green = (y - kr * red - kb * blue) / (1 - kr - kb)
    exact = np.clip(np.stack((red, green, blue), -1) * 255, 0, 255)
    assert np.abs(found - exact).max() < 0.5 + 3 / 64, "half a step of rounding, and that of three table entries"


@pytest.mark.parametrize(("encoding", "theirs"), [("YUYV", "yuyv422"), ("NV12", "nv12"), ("BGR24", "bgr24")])
def test_ffmpeg_sees_the_same_colours(encoding: str, theirs: str, tmp_path: Path) -> None:
    data, picture = bars("BT.709", "NV12" if encoding == "NV12" else "YUYV", 16, 16)
    if encoding == "BGR24":
        data = np.random.default_rng(1).integers(0, 256, (16, 128, 3), dtype=np.uint8).tobytes()
    picture = Picture(encoding, picture.columns, picture.rows, matrix="BT.709")
    converted = ["-vf", "scale=in_color_matrix=bt709:in_range=tv:flags=neighbor+accurate_rnd+full_chroma_int"]
    size = f"{picture.columns}x{picture.rows}"
    command = [program("ffmpeg"), "-v", "error", "-f", "rawvideo", "-pix_fmt", theirs, "-s", size, "-i", "-"]
    ran = subprocess.run(
        [*command, *converted, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
        input=data,
        capture_output=True,
        check=True,
        timeout=60,
    )
    shown = np.frombuffer(ran.stdout, np.uint8).reshape(picture.rows, picture.columns, 3).astype(int)
    assert np.abs(colours.pixels(data, picture) - shown).max() <= 2


def test_a_colour_engine_reads_the_icc_profile_as_srgb() -> None:
    ours = ImageCms.ImageCmsProfile(io.BytesIO(icc.srgb()))
    theirs = ImageCms.createProfile("sRGB")
    ramp = np.stack(np.meshgrid(*[np.arange(0, 256, 17)] * 3), -1).reshape(16, -1, 3).astype(np.uint8)
    shown = ImageCms.profileToProfile(Image.fromarray(ramp), ours, theirs, renderingIntent=1)
    assert np.abs(np.asarray(shown).astype(int) - ramp).max() <= 1
    assert len(icc.srgb()) % 2 == 0
