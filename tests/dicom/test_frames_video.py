"""H.264 passes through to the bit, in a container that ffmpeg reads, under the name that its parameter set allows."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pictures import Taken, access_units, h264, program, wrapped
from pydicom.encaps import generate_fragments

from gateway.dicom.check import check
from gateway.dicom.frames import h264 as stream
from gateway.dicom.frames import pixel_file
from gateway.errors import Held
from gateway.model import Picture
from gateway.profile import Area, Profile
from gateway.sop_classes import PICTURES, WRITTEN

ROWS, COLUMNS, FRAMES = 96, 128, 25
Judge = Callable[[Path], list[str]]


def clip(coded: bytes, rate: float = 25.0, **frames: float) -> Taken:
    return Taken(Picture("H264", COLUMNS, ROWS, rate)).frames(*access_units(coded), **frames)


def video_of(path: str, target: Path) -> Path:
    """The MP4 file within an instance."""
    found = pydicom.dcmread(path)
    target.write_bytes(b"".join(list(generate_fragments(found.PixelData))[1:]))
    return target


def decoded(path: Path) -> list[str]:
    """A hash of each decoded picture in the order of display."""
    command = [program("ffmpeg"), "-v", "error", "-i", str(path), "-f", "framemd5", "-fps_mode", "passthrough", "-"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return [line.split(",")[-1].strip() for line in ran.stdout.splitlines() if not line.startswith("#")]


def probed(path: Path, *what: str) -> list[str]:
    command = [program("ffprobe"), "-v", "error", *what, "-of", "csv=p=0", str(path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return ran.stdout.split()


@pytest.mark.parametrize("family", PICTURES)
def test_a_clip_of_every_class_is_clean(family: str, tmp_path: Path, dciodvfy: Judge) -> None:
    (made,) = wrapped(tmp_path, clip(h264()), iod=family)
    assert made.sop_class_uid == WRITTEN[PICTURES[family][1]]
    assert check(Path(made.path)) == []
    assert [line for line in dciodvfy(Path(made.path)) if "Laterality" not in line] == []


def test_every_picture_decodes_to_the_bit(tmp_path: Path) -> None:
    (made,) = wrapped(tmp_path, clip(h264()))
    (tmp_path / "raw.h264").write_bytes(h264())
    ours = decoded(video_of(made.path, tmp_path / "clip.mp4"))
    assert ours == decoded(tmp_path / "raw.h264")
    assert len(ours) == FRAMES == pydicom.dcmread(made.path).NumberOfFrames


def test_pictures_that_are_decoded_in_another_order_are_shown_in_theirs(tmp_path: Path) -> None:
    coded = h264(ROWS, COLUMNS, FRAMES, "-bf", "3", "-b_strategy", "0")
    (made,) = wrapped(tmp_path, clip(coded))
    video = video_of(made.path, tmp_path / "clip.mp4")
    (tmp_path / "raw.h264").write_bytes(coded)
    assert decoded(video) == decoded(tmp_path / "raw.h264")
    times = [float(n.strip(",")) for n in probed(video, "-show_entries", "frame=pts_time")]
    assert times == pytest.approx([n / 25 for n in range(FRAMES)], abs=1e-3)


def test_the_container_has_the_times_at_which_the_frames_came(tmp_path: Path) -> None:
    units = access_units(h264())
    taken = Taken(Picture("H264", COLUMNS, ROWS, 25)).frames(*units[:10]).frames(*units[10:], first=1002.0)
    (made,) = wrapped(tmp_path, taken)
    found = pydicom.dcmread(made.path)
    assert float(found.FrameTimeVector[10]) == 1640
    times = probed(video_of(made.path, tmp_path / "clip.mp4"), "-show_entries", "frame=pts_time")
    moments = [float(n.strip(",")) for n in times]
    assert moments[9:12] == pytest.approx([0.36, 2.0, 2.04], abs=1e-3)
    flags = probed(tmp_path / "clip.mp4", "-show_entries", "packet=flags")
    assert [n for n, flag in enumerate(flags) if flag.startswith("K")] == [0, 12, 24]


def test_the_image_says_what_the_stream_says(tmp_path: Path) -> None:
    coded = h264(90, 120, 4, "-vf", "setsar=12/11")
    (made,) = wrapped(tmp_path, clip(coded))
    found = pydicom.dcmread(made.path)
    assert (found.Rows, found.Columns) == (90, 120), "the stream knows better than who announced it"
    assert list(found.PixelAspectRatio) == [11, 12]
    assert found.PhotometricInterpretation == "YBR_PARTIAL_420"
    assert (found.LossyImageCompression, found.LossyImageCompressionMethod) == ("01", "ISO_14496_10")
    assert probed(video_of(made.path, tmp_path / "v.mp4"), "-show_entries", "stream=sample_aspect_ratio") == ["12:11"]


@pytest.mark.parametrize(
    ("arguments", "syntax"),
    [(("-level", "4.1"), "102"), (("-level", "3.0"), "102"), (("-level", "4.2"), "104")],
)
def test_the_transfer_syntax_follows_from_the_level(arguments: tuple[str, ...], syntax: str, tmp_path: Path) -> None:
    (made,) = wrapped(tmp_path, clip(h264(ROWS, COLUMNS, 4, *arguments)))
    assert made.transfer_syntax_uid == f"1.2.840.10008.1.2.4.{syntax}"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-profile:v", "main", "-x264-params", "aud=1:cabac=1"), "H.264 Main, level"),
        (("-profile:v", "baseline", "-x264-params", "aud=1"), "H.264 Constrained Baseline, level"),
        (("-profile:v", "high10", "-pix_fmt", "yuv420p10le"), "H.264 High 10, level"),
        (("-profile:v", "high422", "-pix_fmt", "yuv422p"), "H.264 High 4:2:2, level"),
        (("-level", "5.1"), "the highest level in DICOM is 4.2"),
    ],
)
def test_what_no_transfer_syntax_names_is_held_and_not_called_something_else(
    arguments: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    with pytest.raises(Held, match=words) as held:
        wrapped(tmp_path, clip(h264(ROWS, COLUMNS, 4, *arguments)))
    assert "ffmpeg" in held.value.fix


def test_a_stream_longer_than_a_fragment_is_fragmentable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixel_file, "LONGEST", 4096)
    monkeypatch.setattr("gateway.dicom.frames.video.LONGEST", 4096)
    (made,) = wrapped(tmp_path, clip(h264()))
    assert made.transfer_syntax_uid == "1.2.840.10008.1.2.4.102.1"
    fragments = list(generate_fragments(pydicom.dcmread(made.path).PixelData))[1:]
    assert len(fragments) > 2
    assert {len(one) for one in fragments[:-1]} == {4096}
    assert len(decoded(video_of(made.path, tmp_path / "clip.mp4"))) == FRAMES
    assert check(Path(made.path)) == []


def test_parts_begin_where_decoding_can_begin(tmp_path: Path) -> None:
    units = access_units(h264(240, 320, 25, "-qp", "2", "-vf", "noise=alls=90:allf=t"))
    taken = Taken(Picture("H264", 320, 240, 25)).frames(*units)
    half = sum(map(len, units[:13]))
    made = wrapped(tmp_path, taken, largest=(half >> 20) + 1)
    counts = [int(pydicom.dcmread(one.path).NumberOfFrames) for one in made]
    assert (counts[0], sum(counts)) == (12, 25), "the key frames are 12 apart"
    shown = [h for n, one in enumerate(made) for h in decoded(video_of(one.path, tmp_path / f"{n}.mp4"))]
    (tmp_path / "raw.h264").write_bytes(b"".join(units))
    assert shown == decoded(tmp_path / "raw.h264")


def test_what_comes_before_the_first_whole_picture_is_left_out(tmp_path: Path) -> None:
    units = access_units(h264())
    taken = Taken(Picture("H264", COLUMNS, ROWS, 25)).frames(*units[5:])
    (made,) = wrapped(tmp_path, taken)
    found = pydicom.dcmread(made.path)
    assert found.NumberOfFrames == FRAMES - 12, "the key frames are 12 apart"
    assert "comes before the parameters of the stream" in found.ImageComments


def test_parameters_in_a_record_of_their_own_are_no_frame(tmp_path: Path) -> None:
    units = access_units(h264())
    parameters = [b"\0\0\0\1" + u for u in stream.units(units[0]) if stream.kind(u) in (stream.SPS, stream.PPS)]
    rest = [b"\0\0\0\1" + u for u in stream.units(units[0]) if stream.kind(u) not in (stream.SPS, stream.PPS)]
    taken = Taken(Picture("H264", COLUMNS, ROWS, 25)).frames(b"".join(parameters), first=999.9)
    taken.frames(b"".join(rest), *units[1:])
    (made,) = wrapped(tmp_path, taken)
    found = pydicom.dcmread(made.path)
    assert found.NumberOfFrames == FRAMES
    assert "ImageComments" not in found


def test_a_stream_that_becomes_another_one_is_held(tmp_path: Path) -> None:
    taken = clip(h264())
    taken.frames(*access_units(h264(ROWS, COLUMNS * 2)), first=1002.0)
    with pytest.raises(Held, match="changes in the middle of the clip"):
        wrapped(tmp_path, taken)


def test_a_clip_in_fields_is_held(tmp_path: Path) -> None:
    coded = h264(ROWS, COLUMNS, 6, "-flags", "+ilme+ildct", "-x264-params", "aud=1:8x8dct=1:tff=1")
    told = next(stream.sequence(u) for u in stream.units(coded) if stream.kind(u) == stream.SPS)
    assert not told.frames_only, "x264 codes such clips in frames with macroblock pairs: those are fine"
    (made,) = wrapped(tmp_path, clip(coded))
    assert len(decoded(video_of(made.path, tmp_path / "clip.mp4"))) == 6


def test_it_cannot_be_masked_and_is_not_sent_unmasked(tmp_path: Path) -> None:
    with pytest.raises(Held, match="cannot be cropped or masked"):
        wrapped(tmp_path, clip(h264()), Profile(name="p", mask=(Area(0, 0, 8, 8),)))


def test_the_parameter_set_tells_matrix_range_and_rate() -> None:
    told = ["-color_range", "pc", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"]
    coded = h264(ROWS, COLUMNS, 2, *told)
    found = next(stream.sequence(u) for u in stream.units(coded) if stream.kind(u) == stream.SPS)
    assert (found.matrix, found.full_range, found.rate, found.profile) == ("BT.709", True, 25.0, 100)


def test_emulation_prevention_is_undone_and_numbers_are_read() -> None:
    bits = stream.Bits(bytes([0b10100110, 0, 0, 3, 0b01000000]))
    assert [bits.ue(), bits.ue(), bits.se()] == [0, 1, -1]
    assert [bits.u(1), bits.u(16), bits.u(8)] == [0, 0, 0b01000000]
