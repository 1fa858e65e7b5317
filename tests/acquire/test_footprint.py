"""What a recording takes, and when it must end: reckoned before it begins, from what the device says of itself."""

from __future__ import annotations

import pytest

from gateway.acquire.admission import FILES, LAST_ROOM, MIB, Room, refusal
from gateway.acquire.footprint import expected, expected_frames, of_file, of_instance
from gateway.acquire.limit import over
from gateway.device import Device
from gateway.model import Channel, Kind, MultiplexGroup, Picture
from gateway.profile import UNKNOWN, Area, Profile

GROUP = MultiplexGroup("g", 500.0, tuple(Channel(name, "uV", 1.0) for name in ("I", "II", "V1", "V2")))
DEVICE = Device(name="ecg1", adapter="simulated", derive_leads=False)
PLENTY = Room(1 << 40, 1 << 20)


def test_the_estimate_covers_samples_bytes_as_received_and_instance(tmp_path) -> None:
    without = expected(Kind.ECG, [GROUP], 600.0, DEVICE, line=False)
    samples = 600 * 500
    assert without.records >= samples * 4 * 4
    assert expected(Kind.ECG, [GROUP], 600.0, DEVICE, line=True).records >= 2 * samples * 4 * 4
    assert without.instance == of_instance(Kind.ECG, [GROUP], [samples], DEVICE) >= samples * 4 * 2


def test_added_leads_and_32_bit_samples_make_a_larger_instance() -> None:
    wide = Device(name="ecg1", adapter="simulated", iod="general-32")
    assert of_instance(Kind.ECG, [GROUP], [1000], wide) - of_instance(Kind.ECG, [GROUP], [0], wide) == 1000 * 8 * 4
    assert of_instance(Kind.ECG, [GROUP], [1000], DEVICE) - of_instance(Kind.ECG, [GROUP], [0], DEVICE) == 1000 * 4 * 2


def test_what_is_masked_or_cropped_is_sent_as_pixels_however_small_it_came() -> None:
    picture = Picture("MJPEG", 1920, 1080, 30.0)
    masked = Profile(name="p", mask=(Area(0, 0, 100, 20),))
    pixels = 10 * 30 * 1920 * 1080 * 3
    assert expected_frames(picture, 10.0, UNKNOWN).instance < pixels
    assert expected_frames(picture, 10.0, masked).instance >= pixels
    assert of_file(picture, 400_000, UNKNOWN).instance < 1920 * 1080 * 3
    assert of_file(picture, 400_000, masked).instance >= 1920 * 1080 * 3


def test_words_say_how_much_is_free_how_much_must_be_and_for_what(tmp_path) -> None:
    takes = expected(Kind.ECG, [GROUP], 3600.0, DEVICE, line=True)
    refused = refusal(Room(100 * MIB, None), tmp_path, 64, takes, waiting=20 * MIB)
    assert refused is not None
    assert f"100 MiB are free in {tmp_path}" in refused.message
    for words in (
        "64 stay free",
        "20 for earlier recordings",
        "for 60 min of recording",
        "for the instance made of it",
    ):
        assert words in refused.message
    assert "gateway queue list" in refused.fix
    assert refusal(PLENTY, tmp_path, 64, takes) is None


def test_a_file_system_without_inodes_is_full_and_one_that_counts_none_is_not(tmp_path) -> None:
    refused = refusal(Room(1 << 40, FILES - 1), tmp_path, 0)
    assert refused is not None
    assert "no inodes left" in refused.message
    assert refusal(Room(1 << 40, None), tmp_path, 0) is None


@pytest.mark.parametrize("reserve", [0, 1, 16])
def test_what_would_be_closed_at_once_is_not_begun(tmp_path, reserve: int) -> None:
    assert refusal(Room(LAST_ROOM - 1), tmp_path, reserve) is not None
    assert refusal(Room(LAST_ROOM), tmp_path, reserve) is None
    assert not over(Room(LAST_ROOM), 0)
    assert over(Room(LAST_ROOM), 1)
