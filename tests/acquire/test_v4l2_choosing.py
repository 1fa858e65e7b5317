"""Which picture is taken of what a source offers, and what its bytes and colours are said to be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.acquire.v4l2 import colour
from gateway.acquire.v4l2.choosing import Offer, choose, rate, within
from gateway.acquire.v4l2.formats import FORMATS, code, name_of, tidy
from gateway.acquire.v4l2.options import Options
from gateway.acquire.v4l2.structs import Cropcap, PixFormat
from gateway.errors import Retry

# A USB 2 camera: full HD comes in time only if it is compressed.
CAMERA = (
    Offer("YUYV", 640, 480, (15.0, 30.0)),
    Offer("YUYV", 1920, 1080, (5.0,)),
    Offer("MJPG", 640, 480, (30.0,)),
    Offer("MJPG", 1920, 1080, (15.0, 29.97)),
)


def test_the_largest_picture_that_comes_in_time_is_taken():
    assert choose(CAMERA, Options(), "cam") == Offer("MJPG", 1920, 1080, (15.0, 29.97))


def test_an_encoding_without_loss_is_taken_at_the_size_at_which_it_comes_in_time():
    assert choose(CAMERA, Options(encoding="YUYV"), "cam").columns == 640
    assert choose(CAMERA, Options(encoding="YUYV", rate=5.0), "cam").columns == 1920


def test_where_nothing_comes_in_time_the_fastest_is_taken():
    assert choose(CAMERA, Options(rate=60.0), "cam") == Offer("MJPG", 640, 480, (30.0,))


def test_what_the_camera_compresses_goes_before_what_it_does_not_at_the_same_size():
    assert choose(CAMERA, Options(columns=640, rows=480), "cam").encoding == "MJPEG"


def test_what_is_not_offered_is_refused_with_what_is():
    with pytest.raises(Retry, match="asked for \\(YUYV 800 x 600\\); it offers: YUYV 640 x 480 at 30/s, YUYV 1920"):
        choose(CAMERA, Options(encoding="YUYV", columns=800, rows=600), "cam")
    with pytest.raises(Retry, match="it has no format that can be kept"):
        choose((), Options(), "cam")


def test_the_rate_is_the_fastest_that_is_not_above_the_wanted_one():
    offer = Offer("YUYV", 640, 480, (5.0, 15.0, 29.97, 60.0))
    assert [rate(offer, wanted) for wanted in (1.0, 14.9, 15.0, 30.0, 59.0, 240.0)] == [
        5.0,
        15.0,
        15.0,
        29.97,
        60.0,
        60.0,
    ]
    assert rate(Offer("YUYV", 640, 480), 30.0) == 0.0


@given(st.integers(1, 64), st.integers(0, 500), st.integers(0, 64), st.integers(0, 2000))
def test_a_size_in_steps_is_one_of_the_range(low, span, step, asked):
    found = within(low, low + span, step, asked)
    assert low <= found <= low + span
    assert (found - low) % max(1, step) == 0


def test_codes_are_the_kernels():
    assert name_of(code("YUYV")) == "YUYV"
    assert code("NV12") == 0x3231564E


def padded(rows, stride):
    return b"".join(row.tobytes().ljust(stride, b"\xee") for row in rows)


@pytest.mark.parametrize("fourcc", ["YUYV", "UYVY", "NV12", "RGB3", "BGR3"])
@pytest.mark.parametrize("padding", [0, 3, 64])
@pytest.mark.parametrize("last_row_cut", [False, True])
def test_padding_is_left_out_and_the_order_is_that_of_the_encoding(fourcc, padding, last_row_cut):
    columns, lines = 8, 4
    width, rows = {"NV12": (8, 6), "RGB3": (24, 4), "BGR3": (24, 4)}.get(fourcc, (16, 4))
    content = np.random.default_rng(3).integers(0, 256, (rows, width), np.uint8)
    data = padded(content, width + padding)
    if last_row_cut:
        data = data[: len(data) - padding]
    there = tidy(data, fourcc, columns, lines, width + padding)
    turned = {"UYVY": (2, slice(None, None, -1)), "BGR3": (3, slice(None, None, -1))}.get(fourcc)
    wanted = content if turned is None else content.reshape(rows, -1, turned[0])[:, :, turned[1]]
    assert there == wanted.tobytes()
    assert len(there) == columns * lines * FORMATS[fourcc].bits // 8


def test_a_frame_that_is_too_short_is_none():
    assert tidy(bytes(8 * 4 * 2 - 1), "YUYV", 8, 4, 16) is None
    assert tidy(b"", "MJPG", 8, 4, 0) is None


def test_what_the_camera_compressed_passes_as_it_is():
    assert tidy(memoryview(b"\xff\xd8 any \xff\xd9"), "MJPG", 8, 4, 0) == b"\xff\xd8 any \xff\xd9"


SRGB, REC709, JPEG, SMPTE170M, BT2020 = 8, 3, 7, 1, 10


@pytest.mark.parametrize(
    ("fourcc", "space", "encoding", "quantization", "matrix", "full"),
    [
        ("YUYV", SMPTE170M, 0, 0, "BT.601", False),  # analogue
        ("YUYV", SRGB, 0, 0, "BT.601", False),  # most webcams
        ("YUYV", REC709, 0, 0, "BT.709", False),  # HDMI
        ("NV12", REC709, 1, 1, "BT.601", True),  # what is said goes before what follows
        ("YUYV", SRGB, 2, 2, "BT.709", False),
        ("YUYV", JPEG, 0, 0, "BT.601", True),
        ("RGB3", SRGB, 0, 0, "BT.601", True),
        ("RGB3", REC709, 0, 2, "BT.709", False),  # limited RGB of a television
        ("MJPG", REC709, 2, 2, "BT.601", True),  # JFIF knows nothing else
        ("YUYV", BT2020, 0, 0, "BT.2020", False),  # said, so that nobody takes it for another
    ],
)
def test_matrix_and_range_are_what_the_driver_says_or_the_kernels_defaults(
    fourcc, space, encoding, quantization, matrix, full
):
    pix = PixFormat(width=720, height=576, colorspace=space, ycbcr_enc=encoding, quantization=quantization)
    found = colour.picture(pix, fourcc, 25.0, (1, 1))
    assert (found.matrix, found.full_range, found.columns, found.rows, found.rate) == (matrix, full, 720, 576, 25.0)


def crop(width, height, numerator, denominator):
    made = Cropcap()
    made.defrect.width, made.defrect.height = width, height
    made.pixelaspect.numerator, made.pixelaspect.denominator = numerator, denominator
    return made


def test_pixels_of_pal_are_wider_than_high_and_of_ntsc_the_other_way():
    assert colour.aspect(crop(720, 576, 54, 59), 720, 576) == (54, 59)
    assert colour.aspect(crop(720, 480, 11, 10), 720, 480) == (11, 10)


def test_scaling_changes_the_pixels():
    assert colour.aspect(crop(720, 576, 54, 59), 360, 576) == (27, 59)
    assert colour.aspect(crop(1280, 720, 1, 1), 640, 360) == (1, 1)


def test_a_driver_that_does_not_know_has_square_pixels():
    assert colour.aspect(None, 640, 480) == (1, 1)
    assert colour.aspect(crop(0, 0, 0, 0), 640, 480) == (1, 1)
