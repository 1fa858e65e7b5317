"""Stills and clips become images that other people's programs read, with the pixels that were captured."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pictures import Taken, jpeg_of, noise, program, without_tables, wrapped
from PIL import Image
from pydicom.encaps import generate_frames
from pydicom.pixels import pixel_array

from gateway.dicom.check import check
from gateway.dicom.frames import colours, pixel_file
from gateway.errors import Held
from gateway.events import Gap, Marker
from gateway.model import Code, Picture
from gateway.profile import Area, Profile, Region
from gateway.sop_classes import PICTURES, WRITTEN

ROWS, COLUMNS = 48, 64
LATERALITY = "Laterality"  # dciodvfy demands it for the class as such: argued in test_dciodvfy.py
Judge = Callable[[Path], list[str]]


def raw_clip(frames: int = 4, encoding: str = "RGB24") -> Taken:
    pictures = [noise(ROWS, COLUMNS, n) for n in range(frames)]
    data = [p[..., 0] if encoding == "GREY" else p for p in pictures]
    return Taken(Picture(encoding, COLUMNS, ROWS, 25)).frames(*(d.tobytes() for d in data))


def yuyv_still() -> Taken:
    data = np.random.default_rng(2).integers(0, 256, 2 * ROWS * COLUMNS, dtype=np.uint8)
    return Taken(Picture("YUYV", COLUMNS, ROWS)).frames(data.tobytes())


def jpeg_clip(frames: int = 4, **how: object) -> Taken:
    data = [jpeg_of(noise(ROWS, COLUMNS, n), **how) for n in range(frames)]
    return Taken(Picture("MJPEG", COLUMNS, ROWS, 25)).frames(*data)


TAKEN = {
    "uncompressed still": yuyv_still,
    "uncompressed clip": raw_clip,
    "gray clip": lambda: raw_clip(encoding="GREY"),
    "JPEG still": lambda: jpeg_clip(1),
    "JPEG clip": jpeg_clip,
    "gray JPEG still": lambda: Taken(Picture("MJPEG", COLUMNS, ROWS)).frames(jpeg_of(noise(ROWS, COLUMNS)[..., 0])),
}
KNOWN = Profile(
    name="cart",
    coding="jpeg-ls",
    burned_in="masked",
    mask=(Area(0, 0, 20, 8),),
    anatomic_region=Code("71854001", "SCT", "Colon"),
    laterality="U",
    calibration=(Region("2D", "tissue", Area(0, 8, 64, 40), 0.012, "cm", 0.012, "cm"),),
)


@pytest.mark.parametrize("profile", [None, KNOWN], ids=["unknown source", "known source"])
@pytest.mark.parametrize("family", PICTURES)
@pytest.mark.parametrize("name", TAKEN)
def test_every_class_is_clean_for_us_and_for_dciodvfy(
    name: str, family: str, profile: Profile | None, tmp_path: Path, dciodvfy: Judge
) -> None:
    (made,) = wrapped(tmp_path, TAKEN[name](), profile, iod=family)
    assert made.sop_class_uid in {WRITTEN[key] for key in PICTURES[family]}
    assert check(Path(made.path)) == []
    assert [line for line in dciodvfy(Path(made.path)) if LATERALITY not in line] == []


def test_what_came_uncompressed_is_there_to_the_bit(tmp_path: Path) -> None:
    taken = raw_clip(5)
    (made,) = wrapped(tmp_path, taken, iod="endoscopic")
    shown = pixel_array(made.path)
    assert [frame.tobytes() for frame in shown] == [event.data for event in taken.events]


@pytest.mark.parametrize("taken", [raw_clip, yuyv_still, lambda: raw_clip(3, "GREY")])
def test_jpeg_ls_gives_back_every_bit_to_other_decoders(taken: Callable[[], Taken], tmp_path: Path) -> None:
    one = taken()
    (made,) = wrapped(tmp_path, one, Profile(name="p", coding="jpeg-ls"), iod="ultrasound")
    subprocess.run([program("dcmdjpls"), made.path, str(tmp_path / "plain.dcm")], check=True, timeout=60)
    wanted = np.stack([colours.pixels(event.data, one.picture) for event in one.events])
    for path in (made.path, tmp_path / "plain.dcm"):
        assert np.array_equal(pixel_array(path).reshape(wanted.shape), wanted)
    assert pydicom.dcmread(made.path).LossyImageCompression == "00"


@pytest.mark.parametrize("frames", [1, 5])
def test_jpeg_passes_through_byte_for_byte(frames: int, tmp_path: Path) -> None:
    taken = jpeg_clip(frames)
    (made,) = wrapped(tmp_path, taken, iod="photographic")
    found = pydicom.dcmread(made.path)
    assert found.file_meta.TransferSyntaxUID == pydicom.uid.JPEGBaseline8Bit
    sent = list(generate_frames(found.PixelData, number_of_frames=frames))
    for data, event in zip(sent, taken.events, strict=True):
        assert data[: len(event.data)] == event.data
        assert data[len(event.data) :] in (b"", b"\0")
    assert (found.LossyImageCompression, found.LossyImageCompressionMethod) == ("01", "ISO_10918_1")
    received = sum(len(event.data) for event in taken.events)
    assert float(found.LossyImageCompressionRatio) == pytest.approx(3 * ROWS * COLUMNS * frames / received, abs=0.01)


def test_dcmtk_decodes_the_jpeg_of_the_camera(tmp_path: Path) -> None:
    (made,) = wrapped(tmp_path, jpeg_clip(3))
    subprocess.run([program("dcmdjpeg"), made.path, str(tmp_path / "plain.dcm")], check=True, timeout=60)
    shown = pixel_array(tmp_path / "plain.dcm")
    wanted = np.stack([noise(ROWS, COLUMNS, n) for n in range(3)])
    assert np.abs(shown.astype(int) - wanted).mean() < 12


def test_missing_huffman_tables_are_put_in(tmp_path: Path) -> None:
    whole = jpeg_of(noise(ROWS, COLUMNS))
    taken = Taken(Picture("MJPEG", COLUMNS, ROWS)).frames(without_tables(whole))
    (made,) = wrapped(tmp_path, taken)
    shown = pixel_array(made.path)
    assert np.array_equal(shown, np.asarray(Image.open(io.BytesIO(whole)))), "as with the tables it had"


def test_what_stands_behind_a_jpeg_is_cut_off(tmp_path: Path) -> None:
    whole = jpeg_of(noise(ROWS, COLUMNS))
    (made,) = wrapped(tmp_path, Taken(Picture("MJPEG", COLUMNS, ROWS)).frames(whole + bytes(4096)))
    assert made.size < len(whole) + 4096


def broken(data: bytes) -> dict[str, bytes]:
    other = jpeg_of(noise(ROWS * 2, COLUMNS))
    progressive = jpeg_of(noise(ROWS, COLUMNS), progressive=True)
    return {
        "in the middle": data[: len(data) // 2],
        "does not begin": data[2:],
        "progressive": progressive,
        "another kind": other,
        "longer than the frame": data[:4] + b"\xff\xff" + data[6:100],
    }


@pytest.mark.parametrize("words", broken(b"").keys())
def test_a_broken_frame_of_a_clip_is_left_out_and_told_of(words: str, tmp_path: Path) -> None:
    good = [jpeg_of(noise(ROWS, COLUMNS, n)) for n in range(3)]
    taken = Taken(Picture("MJPEG", COLUMNS, ROWS, 25)).frames(good[0], broken(good[0])[words], *good[1:])
    (made,) = wrapped(tmp_path, taken)
    found = pydicom.dcmread(made.path)
    assert found.NumberOfFrames == 3
    assert "after frame 1: a frame is left out" in found.ImageComments
    assert words in found.ImageComments
    assert [float(n) for n in found.FrameTimeVector] == [0, 80, 40], "the hole is in the times"
    assert check(Path(made.path)) == []


def test_a_still_that_is_broken_is_held(tmp_path: Path) -> None:
    data = jpeg_of(noise(ROWS, COLUMNS))
    with pytest.raises(Held, match=r"no frame that can be used .*ends in the middle"):
        wrapped(tmp_path, Taken(Picture("MJPEG", COLUMNS, ROWS)).frames(data[:-40]))


def test_one_odd_frame_at_the_beginning_does_not_cost_all_the_good_ones(tmp_path: Path) -> None:
    """Records go when their instance is committed: what most of them hold must be in it."""
    odd, good = jpeg_of(noise(ROWS * 2, COLUMNS)), [jpeg_of(noise(ROWS, COLUMNS, n)) for n in range(3)]
    with pytest.raises(Held, match=r"3 frames cannot be used, more than the 1 that can .*another kind"):
        wrapped(tmp_path, Taken(Picture("MJPEG", COLUMNS, ROWS, 25)).frames(odd, *good))


def test_an_uncompressed_frame_of_another_length_is_left_out(tmp_path: Path) -> None:
    taken = raw_clip(3).frames(bytes(10), first=1001.0)
    (made,) = wrapped(tmp_path, taken)
    assert "has 10 bytes, and 9216 are one" in pydicom.dcmread(made.path).ImageComments


def test_regular_frames_have_a_frame_time_and_irregular_ones_a_vector(tmp_path: Path) -> None:
    (regular,) = wrapped(tmp_path, raw_clip(4))
    found = pydicom.dcmread(regular.path)
    assert (found.FrameTime, found.FrameIncrementPointer) == (40, 0x00181063)
    taken = raw_clip(2)
    taken.events.append(Gap("the disk was too slow", 1000.1, 2, 0.08))
    taken.frames(*(event.data for event in taken.events[:2]), first=1000.16)
    taken.number = 2
    (late,) = wrapped(tmp_path, taken)
    found = pydicom.dcmread(late.path)
    assert [float(n) for n in found.FrameTimeVector] == [0, 40, 120, 40]
    assert found.FrameIncrementPointer == 0x00181065
    assert found.ImageComments.startswith("2 frames are missing in it; after frame 2: 2 frames lost (the disk was too")
    assert float(found.EffectiveDuration) == pytest.approx(0.24)


def test_a_long_irregular_clip_says_how_far_off_its_frame_time_is(tmp_path: Path) -> None:
    taken = Taken(Picture("GREY", 8, 8, 25))
    for n in range(12_000):
        taken.frames(bytes(64), first=1000.0 + 0.04013 * n + (3.0 if n > 6000 else 0.0))
    (made,) = wrapped(tmp_path, taken)
    found = pydicom.dcmread(made.path)
    assert "FrameTimeVector" not in found
    assert "frames came irregularly, up to 1.5 s off" in found.ImageComments
    assert check(Path(made.path)) == []


def test_markers_an_unsure_clock_and_a_cut_are_told(tmp_path: Path) -> None:
    taken = raw_clip(2)
    taken.trusted = False
    taken.events.append(Marker("signal lost", 1000.1))
    (made,) = wrapped(tmp_path, taken)
    words = pydicom.dcmread(made.path).ImageComments
    assert "the clock was not synchronized" in words
    assert "after frame 2: signal lost" in words


@pytest.mark.parametrize(("burned_in", "said"), [("unknown", None), ("yes", "YES"), ("no", "NO"), ("masked", "NO")])
def test_burned_in_annotation_is_what_the_profile_knows(burned_in: str, said: str | None, tmp_path: Path) -> None:
    profile = Profile(name="p", burned_in=burned_in, mask=(Area(0, 0, 4, 4),))
    (made,) = wrapped(tmp_path, yuyv_still(), profile, iod="endoscopic")
    assert pydicom.dcmread(made.path).get("BurnedInAnnotation") == said


def test_where_it_must_be_said_and_nobody_knows_it_is_to_be_reckoned_with(tmp_path: Path) -> None:
    (made,) = wrapped(tmp_path, raw_clip(2), iod="capture")
    assert pydicom.dcmread(made.path).BurnedInAnnotation == "YES"


def test_crop_and_mask_are_exact_to_the_pixel(tmp_path: Path) -> None:
    profile = Profile(name="p", crop=Area(3, 5, 50, 31), mask=(Area(0, 0, 20, 9), Area(40, 30, 30 - 6, 18)))
    taken = raw_clip(2)
    (made,) = wrapped(tmp_path, taken, profile, iod="endoscopic")
    shown = pixel_array(made.path)
    for frame, event in zip(shown, taken.events, strict=True):
        wanted = np.frombuffer(event.data, np.uint8).reshape(ROWS, COLUMNS, 3).copy()
        wanted[0:9, 0:20] = 0
        wanted[30:48, 40:64] = 0
        assert np.array_equal(frame, wanted[5:36, 3:53])


def test_masked_jpeg_is_decoded_and_keeps_its_loss(tmp_path: Path) -> None:
    taken = jpeg_clip(2)
    (made,) = wrapped(tmp_path, taken, Profile(name="p", mask=(Area(0, 0, 16, 8),)), iod="endoscopic")
    found = pydicom.dcmread(made.path)
    assert found.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRLittleEndian
    assert (found.LossyImageCompression, found.LossyImageCompressionMethod) == ("01", "ISO_10918_1")
    shown = pixel_array(made.path)
    whole = np.asarray(Image.open(io.BytesIO(taken.events[0].data)))
    assert not shown[0][:8, :16].any()
    assert np.array_equal(shown[0][8:], whole[8:])


def test_an_area_beyond_the_picture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Held, match="64 x 48 pixels, and profile p names 60,0,10,10"):
        wrapped(tmp_path, yuyv_still(), Profile(name="p", mask=(Area(60, 0, 10, 10),)))


def test_calibrated_regions_move_with_the_crop(tmp_path: Path) -> None:
    regions = (
        Region("2D", "tissue", Area(10, 10, 30, 20), 0.05, "cm", 0.05, "cm"),
        Region("M-mode", "tissue", Area(0, 40, 60, 8), 0.004, "s", 0.05, "cm"),
    )
    profile = Profile(name="p", crop=Area(8, 0, 56, 40), calibration=regions)
    (made,) = wrapped(tmp_path, yuyv_still(), profile, iod="ultrasound")
    (one,) = pydicom.dcmread(made.path).SequenceOfUltrasoundRegions
    place = (one.RegionLocationMinX0, one.RegionLocationMinY0, one.RegionLocationMaxX1, one.RegionLocationMaxY1)
    assert place == (2, 10, 31, 29)
    assert (one.PhysicalUnitsXDirection, one.PhysicalDeltaX) == (3, 0.05)


@pytest.mark.parametrize(
    ("kind", "data", "unit", "flags", "data_type"),
    [
        ("2D", "tissue", "cm", 0, 0x0001),
        ("spectral", "pw-doppler", "cm/s", 0, 0x0003),
        ("spectral", "cw-doppler", "Hz", 0b100, 0x0004),
        ("waveform", "ecg", "none", 0, 0x000A),
        ("waveform", "respiration", "none", 0, 0x0012),
    ],
)
def test_a_region_says_what_is_in_it_and_whether_a_doppler_scale_is_of_frequency(
    kind: str, data: str, unit: str, flags: int, data_type: int, tmp_path: Path
) -> None:
    """PS3.3 C.8.5.5.1.7 and C.8.5.5.1.3: respiration has no number of its own; bit 2 is the Doppler Scale Type."""
    profile = Profile(name="p", calibration=(Region(kind, data, Area(0, 0, 30, 20), 0.01, "s", 0.05, unit),))
    (made,) = wrapped(tmp_path, yuyv_still(), profile, iod="ultrasound")
    (one,) = pydicom.dcmread(made.path).SequenceOfUltrasoundRegions
    assert (one.RegionFlags, one.RegionDataType) == (flags, data_type)


def test_a_clip_that_is_too_large_comes_in_parts_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = Taken(Picture("GREY", 1024, 512, 25)).frames(*(bytes([n]) * 512 * 1024 for n in range(5)))
    made = wrapped(tmp_path, taken, largest=1)
    found = [pydicom.dcmread(one.path) for one in made]
    assert [f.NumberOfFrames for f in found] == [2, 2, 1]
    assert [int(f.InstanceNumber) for f in found] == [1001, 1002, 1003]
    assert [f.PixelData[0] for f in found] == [0, 2, 4]
    assert [f.AcquisitionDateTime[8:21] for f in found] == sorted(f.AcquisitionDateTime[8:21] for f in found)
    assert len({f.AcquisitionDateTime for f in found}) == 3
    assert all("PART" in f.ImageComments for f in found)
    assert [check(Path(one.path)) for one in made] == [[], [], []]


def test_beyond_four_gibibytes_an_extended_table_finds_the_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixel_file, "LONGEST", 1000)
    taken = jpeg_clip(3)
    (made,) = wrapped(tmp_path, taken, iod="endoscopic")
    found = pydicom.dcmread(made.path)
    assert [int.from_bytes(found.ExtendedOffsetTableLengths[n * 8 : n * 8 + 8], "little") for n in range(3)] == [
        len(event.data) for event in taken.events
    ]
    extended = (found.ExtendedOffsetTable, found.ExtendedOffsetTableLengths)
    sent = list(generate_frames(found.PixelData, number_of_frames=3, extended_offsets=extended))
    assert sent == [event.data for event in taken.events]
    assert check(Path(made.path)) == []


def test_wrapping_again_makes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        wrapped(tmp_path / name, jpeg_clip(2), iod="endoscopic")
    one, two = (list((tmp_path / name / "out").iterdir()) for name in ("one", "two"))
    assert [p.name for p in one] == [p.name for p in two]
    assert one[0].read_bytes() == two[0].read_bytes()


def test_pixels_that_are_not_square_say_so(tmp_path: Path) -> None:
    taken = yuyv_still()
    taken.picture = Picture("YUYV", COLUMNS, ROWS, aspect=(11, 12))
    (made,) = wrapped(tmp_path, taken)
    assert list(pydicom.dcmread(made.path).PixelAspectRatio) == [11, 12]


def test_a_class_of_waveforms_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Held, match="iod = general is for waveforms"):
        wrapped(tmp_path, yuyv_still(), iod="general")


def test_an_unknown_encoding_is_held_in_words(tmp_path: Path) -> None:
    with pytest.raises(Held, match="coded as 'VP8 '"):
        wrapped(tmp_path, Taken(Picture("VP8 ", 8, 8)).frames(b"x"))


@pytest.mark.parametrize(("missing", "profile"), [("jpeg_ls", Profile(name="p", coding="jpeg-ls"))])
def test_an_extra_that_is_not_installed_is_named(
    missing: str, profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(Held, match=r"needs jpeg_ls.*extra \[jpegls\]"):
        wrapped(tmp_path, yuyv_still(), profile)
