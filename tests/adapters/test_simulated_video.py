"""The simulated camera: the standards' colour bars to the bit, frames that tell their number."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_adapters.simulated_video import ADAPTER, BARS, Decoder, Options, encoded, number_in, rgb, ycbcr
from gateway.acquire.contract import AdapterContract
from gateway.events import Frame, Gap, Ready


class TestContract(AdapterContract):
    adapter = ADAPTER
    options = Options(columns=192, rows=32)


class TestContractOfAnotherEncoding(AdapterContract):
    adapter = ADAPTER
    options = Options(encoding="NV12", columns=192, rows=32, rate=7.5)


# ITU-R BT.801, and its counterpart by the coefficients of BT.709: Y, Cb, Cr of 75 % bars in 8 bits.
STANDARD = {
    "BT.601": [(180, 128, 128), (162, 44, 142), (131, 156, 44), (112, 72, 58), (84, 184, 198), (65, 100, 212)],
    "BT.709": [(180, 128, 128), (168, 44, 136), (145, 147, 44), (133, 63, 52), (63, 193, 204), (51, 109, 212)],
}


@pytest.mark.parametrize("matrix", STANDARD)
def test_the_bars_are_the_standards(matrix):
    found = ycbcr(np.array(BARS, np.uint8), matrix)[:6]
    assert np.abs(found.astype(int) - np.array(STANDARD[matrix])).max() <= 1
    assert ycbcr(np.array(BARS, np.uint8), matrix)[7].tolist() == [16, 128, 128]


@given(st.integers(0, 2**24 - 1))
def test_a_frame_tells_its_number(number):
    assert number_in(rgb(Options(columns=192, rows=32), number)) == number


@pytest.mark.parametrize(("encoding", "bits"), [("YUYV", 16), ("NV12", 12), ("RGB24", 24)])
def test_frames_are_as_long_as_their_encoding_says(encoding, bits):
    options = Options(encoding=encoding, columns=320, rows=240)
    assert len(encoded(options, 5)) == 320 * 240 * bits // 8


def test_the_luminance_of_an_encoded_frame_tells_its_number_too():
    options = Options(encoding="YUYV", columns=320, rows=240)
    pairs = np.frombuffer(encoded(options, 1234), np.uint8).reshape(240, 320, 2)
    assert number_in(pairs[..., :1]) == 1234
    planes = np.frombuffer(encoded(Options(encoding="NV12", columns=320, rows=240), 1234), np.uint8)
    assert number_in(planes[: 240 * 320].reshape(240, 320, 1)) == 1234


def test_it_shows_as_many_frames_as_time_has_passed_before_anybody_asks():
    decoder = Decoder(Options(rate=10.0, columns=192, rows=32, encoding="RGB24"))
    events = [event for turn in range(21) for event in decoder.tick(turn / 10)]
    assert isinstance(events[0], Ready)
    numbers = [number_in(np.frombuffer(e.data, np.uint8).reshape(32, 192, 3)) for e in events if isinstance(e, Frame)]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) == 21


def test_what_it_had_no_time_for_is_a_gap_and_not_made_up_for():
    decoder = Decoder(Options(rate=10.0, columns=192, rows=32))
    list(decoder.tick(0.0))
    events = list(decoder.tick(60.0))
    assert [event.samples for event in events if isinstance(event, Gap)] == [589]
    assert sum(isinstance(event, Frame) for event in events) == 11
