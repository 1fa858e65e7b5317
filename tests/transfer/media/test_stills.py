"""A still as a browser shows it, held against what DCMTK makes of the same file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from browser import read_png
from numpy.typing import NDArray
from pydicom.encaps import encapsulate
from transfer.media.samples import SECONDARY_CAPTURE, data_set, write

from gateway.transfer.media.pdi import pictures, stills
from gateway.transfer.media.pdi.stills import still

Judge = Callable[..., str]
RNG = np.random.default_rng(7)


def shown(path: str | Path) -> tuple[str, bytes] | None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return still(descriptor)
    finally:
        os.close(descriptor)


def pixels(path: str | Path) -> NDArray[np.uint8]:
    found = shown(path)
    assert found is not None and found[0] == ".PNG"
    return read_png(found[1])


def reference(judge: Judge, path: str, tmp_path: Path, *options: str) -> NDArray[np.uint8]:
    """What dcmj2pnm draws: shape (rows, columns, samples)."""
    out = tmp_path / "reference.pnm"
    judge("dcmj2pnm", "--write-raw-pnm", *options, path, str(out))
    kind, size, _top, data = out.read_bytes().split(b"\n", 3)
    columns, rows = (int(v) for v in size.split())
    return np.frombuffer(data, np.uint8).reshape(rows, columns, 3 if kind == b"P6" else 1)


def image(photometric: str, data: bytes, rows: int = 32, columns: int = 48, **values: object) -> pydicom.Dataset:
    more: dict[str, object] = {"SamplesPerPixel": 1}
    if photometric in ("RGB", "YBR_FULL", "YBR_FULL_422"):
        more = {"SamplesPerPixel": 3, "PlanarConfiguration": 0}
    whole = {"Rows": rows, "Columns": columns, "PhotometricInterpretation": photometric, "PixelData": data}
    return data_set(SECONDARY_CAPTURE, **whole | more | values)


def smooth(channels: int, rows: int = 32, columns: int = 48) -> NDArray[np.uint8]:
    y, x = np.mgrid[0:rows, 0:columns]
    planes = [127 + 100 * np.sin(x / (9.0 + n) + n) * np.cos(y / (7.0 + n)) for n in range(channels)]
    return np.stack(planes, axis=2).astype(np.uint8)


@pytest.mark.parametrize("planar", [0, 1])
def test_rgb_comes_out_as_it_is(tmp_path: Path, planar: int) -> None:
    rgb = smooth(3)
    data = (rgb if planar == 0 else rgb.transpose(2, 0, 1)).tobytes()
    ref = write(tmp_path, image("RGB", data, PlanarConfiguration=planar))
    assert np.array_equal(pixels(ref.path), rgb)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_grey_of_eight_bits_comes_out_as_it_is(tmp_path: Path, photometric: str) -> None:
    grey = smooth(1)
    ref = write(tmp_path, image(photometric, grey.tobytes()))
    assert np.array_equal(pixels(ref.path), grey if photometric == "MONOCHROME2" else 255 - grey)


@pytest.mark.parametrize("signed", [0, 1])
def test_twelve_bits_are_shown_in_the_window_of_the_file_as_dcmtk_does(
    tmp_path: Path, judge: Judge, signed: int
) -> None:
    values = RNG.integers(-900, 1500, (32, 48)) if signed else RNG.integers(0, 4095, (32, 48))
    window = {"WindowCenter": "300", "WindowWidth": "1200", "RescaleSlope": "2", "RescaleIntercept": "-100"}
    depth = {"BitsAllocated": 16, "BitsStored": 12, "HighBit": 11, "PixelRepresentation": signed}
    ct = image("MONOCHROME2", (values & 0xFFF).astype("<u2").tobytes(), **depth, **window)
    ref = write(tmp_path, ct)
    wanted = reference(judge, ref.path, tmp_path, "+Ww", "300", "1200")
    assert np.abs(pixels(ref.path).astype(int) - wanted).max() <= 2


def test_a_palette_gives_its_colours(tmp_path: Path, judge: Judge) -> None:
    ds = image("PALETTE COLOR", RNG.integers(10, 74, (32, 48)).astype("u1").tobytes())
    ds.Modality = "US"
    for n, colour in enumerate(("Red", "Green", "Blue")):
        setattr(ds, f"{colour}PaletteColorLookupTableDescriptor", [64, 10, 16])
        table = (RNG.integers(0, 256, 64) * 257).astype("<u2").tobytes()
        setattr(ds, f"{colour}PaletteColorLookupTableData", table)
        assert n < 3
    ref = write(tmp_path, ds)
    assert np.abs(pixels(ref.path).astype(int) - reference(judge, ref.path, tmp_path)).max() <= 1


@pytest.mark.parametrize("photometric", ["YBR_FULL", "YBR_FULL_422"])
def test_luminance_and_chrominance_become_rgb_as_dcmtk_makes_it(tmp_path: Path, judge: Judge, photometric: str) -> None:
    full = smooth(3)
    if photometric == "YBR_FULL":
        data = full.tobytes()
    else:
        data = np.concatenate((full[:, 0::2, :1], full[:, 1::2, :1], full[:, 0::2, 1:]), axis=2).tobytes()
    ref = write(tmp_path, image(photometric, data))
    assert np.abs(pixels(ref.path).astype(int) - reference(judge, ref.path, tmp_path)).max() <= 2


@pytest.mark.parametrize(("rows", "columns"), [(3000, 2000), (1025, 7), (16, 4097)])
def test_a_large_picture_is_averaged_down(tmp_path: Path, rows: int, columns: int) -> None:
    grey = np.full((rows, columns), 90, np.uint8)
    grey[::2] = 110
    found = pixels(write(tmp_path, image("MONOCHROME2", grey.tobytes(), rows, columns)).path)
    step = -(-max(rows, columns) // stills.LARGEST)
    assert found.shape[:2] == (-(-rows // step), -(-columns // step))
    assert 90 <= found.min() <= found.max() <= 110
    assert abs(float(found[:-1].mean()) - 100) < 4, "alternate lines become one"


@pytest.mark.parametrize(("option", "syntax"), [("+eb", 50), ("+ee", 51)])
def test_a_jpeg_that_browsers_know_is_passed_on_as_it_is(
    tmp_path: Path, judge: Judge, option: str, syntax: int
) -> None:
    ref = write(tmp_path, image("RGB", smooth(3).tobytes()))
    judge("dcmcjpeg", option, ref.path, str(tmp_path / "jpeg"))
    ds = pydicom.dcmread(tmp_path / "jpeg")
    assert ds.file_meta.TransferSyntaxUID == f"1.2.840.10008.1.2.4.{syntax}"
    found = shown(tmp_path / "jpeg")
    assert found is not None
    assert found[0] == ".JPG"
    assert found[1].rstrip(b"\0") in ds.PixelData
    assert found[1].rstrip(b"\0").endswith(b"\xff\xd9")


def test_a_jpeg_that_holds_rgb_without_saying_so_gets_told_so(tmp_path: Path) -> None:
    coded = b"\xff\xd8\xff\xc0\x00\x11\x08\x00\x10\x00\x10\x03" + bytes(9) + b"\xff\xd9"
    ref = write(tmp_path, image("RGB", encapsulate([coded])), "1.2.840.10008.1.2.4.50")
    found = shown(ref.path)
    assert found is not None
    assert found[1].startswith(b"\xff\xd8\xff\xee\x00\x0eAdobe")
    assert found[1][18:].rstrip(b"\0") == coded[2:]
    assert found[1][17] == 0, "no transform: three components that are RGB"


def test_what_no_browser_shows_has_no_picture(tmp_path: Path, judge: Judge) -> None:
    ref = write(tmp_path, image("MONOCHROME2", smooth(1).tobytes()))
    judge("dcmcjpeg", "+e1", ref.path, str(tmp_path / "lossless"))
    assert pydicom.dcmread(tmp_path / "lossless").file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.70"
    assert shown(tmp_path / "lossless") is None
    twelve = image("MONOCHROME2", RNG.integers(0, 4095, (32, 48)).astype("<u2").tobytes(), BitsAllocated=16)
    twelve.BitsStored, twelve.HighBit = 12, 11
    judge("dcmcjpeg", "+ee", write(tmp_path, twelve).path, str(tmp_path / "twelve"))
    assert shown(tmp_path / "twelve") is None
    assert shown(write(tmp_path, image("MONOCHROME2", smooth(1).tobytes(), BitsAllocated=32)).path) is None


def test_no_damage_makes_more_than_a_missing_picture(tmp_path: Path) -> None:
    path = Path(write(tmp_path, image("RGB", smooth(3).tobytes())).path)
    sound = path.read_bytes()
    rng = np.random.default_rng(11)
    for _ in range(300):
        data = bytearray(sound[: int(rng.integers(200, len(sound)))] if rng.random() < 0.3 else sound)
        for at in rng.integers(132, min(len(data), 1100), 4):
            data[at] = int(rng.integers(0, 256))
        path.write_bytes(data)
        found = pictures.picture(tmp_path, path.name, "IMAGE")
        assert found is None or found[0] in (".PNG", ".JPG")
