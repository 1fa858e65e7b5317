"""The Cyton decoder, against the protocol document."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_adapters.openbci_cyton import ADAPTER, Decoder, Options, microvolts_per_count
from gateway.acquire.contract import AdapterContract, merged
from gateway.errors import Retry
from gateway.events import Gap, Garbage, Marker, Reply, Samples, Started
from gateway.trial.device import BANNER, packet

ANSWERS = b"".join(b"Success: Channel set for %d$$$" % i for i in range(1, 9))
COUNTS = np.random.default_rng(5).integers(-(2**23), 2**23, (600, 8)).astype(np.int32)


def stream(numbers, counts=COUNTS):
    return b"".join(packet(n, counts[n % len(counts)]) for n in numbers)


def streaming(first=0, options=None):
    """A decoder whose board has just begun to stream, up to sample ``first``."""
    decoder = Decoder(options or Options())
    list(decoder.start(0.0))
    list(decoder.feed(BANNER, 0.1))
    list(decoder.feed(ANSWERS, 0.2))
    list(decoder.feed(stream([first, first + 1]), 0.3))
    return decoder


def samples(events):
    return np.concatenate([e.data for e in events if isinstance(e, Samples)])


class TestContract(AdapterContract):
    adapter = ADAPTER
    transcript = (BANNER, ANSWERS, stream(range(300)))
    expected: ClassVar = {0: COUNTS[:300]}


class TestContractWithLossesAndGarbage(AdapterContract):
    adapter = ADAPTER
    transcript = (
        b"\xa0\x01left over from an earlier stream\xc0",
        BANNER,
        ANSWERS,
        stream(range(40)),
        stream([39, 39]),
        b"\xa0noise",
        stream(range(44, 300)),
        stream(range(280, 283)),
        stream(range(300, 320))[7:],
    )


def test_the_handshake_stops_resets_sets_each_channel_and_begins():
    decoder = Decoder(Options(leads=("I", "II"), gain=12))
    sent = b"".join(e.data for e in decoder.start(0.0) if isinstance(e, Reply))
    assert sent == b"sv"
    sent = b"".join(e.data for e in decoder.feed(BANNER, 0.1) if isinstance(e, Reply))
    assert sent == b"x1050100Xx2050100X" + b"345678"
    sent = b"".join(e.data for e in decoder.feed(b"Success: 1$$$Success: 2$$$", 0.2) if isinstance(e, Reply))
    assert sent == b"b"


def test_started_names_leads_scale_rate_and_firmware_and_comes_with_the_first_packet():
    decoder = Decoder(Options())
    list(decoder.start(0.0))
    assert not any(isinstance(e, Started) for e in decoder.feed(BANNER + ANSWERS, 0.1))
    started = next(e for e in decoder.feed(stream(range(3)), 0.2) if isinstance(e, Started))
    group = started.groups[0]
    assert group.rate == 250.0
    assert [c.label for c in group.channels] == ["I", "II", "V1", "V2", "V3", "V4", "V5", "V6"]
    assert group.channels[0].sensitivity == pytest.approx(0.02235, abs=1e-5)
    assert started.equipment.software == "v3.1.2"


def test_a_daisy_board_is_left_out():
    decoder = Decoder(Options())
    list(decoder.start(0.0))
    banner = BANNER.replace(b"LIS3DH", b"On Daisy ADS1299 Device ID: 0x3E\nLIS3DH")
    assert next(iter(decoder.feed(banner, 0.1))).data.startswith(b"cx1")
    assert list(decoder.feed(ANSWERS, 0.2)) == []
    assert list(decoder.feed(b"daisy removed$$$", 0.3)) == [Reply(b"b")]


def test_a_silent_board_is_asked_twice_and_then_named_with_what_to_do():
    decoder = Decoder(Options())
    list(decoder.start(0.0))
    assert list(decoder.tick(2.9)) == []
    assert list(decoder.tick(3.0)) == [Reply(b"s"), Reply(b"v")]
    with pytest.raises(Retry, match=r"does not answer.*switch the board on"):
        list(decoder.tick(6.1))


def test_refused_settings_are_an_error_with_words():
    decoder = Decoder(Options())
    list(decoder.start(0.0))
    list(decoder.feed(BANNER, 0.1))
    with pytest.raises(Retry, match="refused its settings"):
        list(decoder.feed(b"Failure: too few chars$$$", 0.2))


def test_the_extremes_of_24_bits_keep_their_sign():
    counts = np.array([[2**23 - 1, -(2**23), -1, 0, 1, 2, 3, 4]] * 2, np.int32)
    decoder = streaming(254)
    assert np.array_equal(samples(list(decoder.feed(stream([0, 1], counts), 1.0))), counts)


def test_the_counter_goes_round_without_a_gap():
    decoder = streaming()
    events = list(decoder.feed(stream(range(2, 600)), 1.0))
    assert not any(isinstance(e, Gap) for e in events)
    assert np.array_equal(samples(events), COUNTS[2:600])


@pytest.mark.parametrize("lost", [1, 2, 100, 255])
def test_a_jump_of_the_counter_is_a_gap_of_that_many_samples(lost):
    decoder = streaming()
    events = list(decoder.feed(stream([2, *range(3 + lost, 300)]), 1.0))
    assert [e.samples for e in events if isinstance(e, Gap)] == [lost]


@pytest.mark.parametrize("lost", [255, 256, 300, 511, 512, 1000])
def test_losses_beyond_the_counter_are_told_by_the_time_the_line_was_dry(lost):
    decoder = streaming()
    now = 0.3
    silence = (lost + 1) / 250.0
    for turn in range(1, int(silence / 0.1) + 1):
        list(decoder.tick(now + turn * 0.1))
    events = list(decoder.feed(stream(range(2 + lost, 12 + lost)), now + silence))
    assert [e.samples for e in events if isinstance(e, Gap)] == [lost]
    assert len(samples(events)) == 10


@pytest.mark.parametrize("stalled", [130, 150, 250, 300, 500])
def test_a_line_that_was_held_up_and_lost_nothing_makes_no_gap(stalled):
    decoder = streaming()
    silence = stalled / 250.0
    for turn in range(1, int(silence / 0.1) + 1):
        list(decoder.tick(0.3 + turn * 0.1))
    events = list(decoder.feed(stream(range(2, 2 + stalled)), 0.3 + silence))
    assert not any(isinstance(e, Gap) for e in events)
    assert len(samples(events)) == stalled


def test_a_stalled_reader_that_finds_all_packets_waiting_makes_no_gap():
    decoder = streaming()
    events = list(decoder.feed(stream(range(2, 800)), 30.0))
    assert not any(isinstance(e, Gap) for e in events)


def test_repeated_packets_are_ignored_and_noted():
    decoder = streaming()
    events = list(decoder.feed(stream([2, 2, 3, 4, 3, 4, 5]), 1.0))
    assert np.array_equal(samples(events), COUNTS[2:6])
    assert [e.text for e in events if isinstance(e, Marker)] == [
        "the device repeated 1 packet(s), which were ignored",
        "the device repeated 2 packet(s), which were ignored",
    ]
    assert not any(isinstance(e, Gap) for e in events)


def test_a_lost_byte_costs_one_packet_and_garbage_is_counted():
    decoder = streaming()
    whole = stream(range(2, 40))
    events = list(decoder.feed(whole[:100] + whole[101:], 1.0))
    assert sum(e.count for e in events if isinstance(e, Garbage)) == 32
    assert [e.samples for e in events if isinstance(e, Gap)] == [1]
    assert len(samples(events)) == 37


def test_idle_it_takes_nothing_for_an_answer():
    decoder = Decoder(Options())
    assert list(decoder.feed(BANNER + ANSWERS + stream(range(9)), 1.0)) == []


@settings(max_examples=40)
@given(st.data())
def test_drops_repeats_and_garbage_give_the_same_events_for_any_cut(data):
    numbers, line = 0, BANNER + ANSWERS + stream([0])
    numbers = 1
    for _ in range(data.draw(st.integers(1, 12))):
        match data.draw(st.sampled_from(["send", "drop", "repeat", "garbage"])):
            case "send":
                more = data.draw(st.integers(1, 20))
                line += stream(range(numbers, numbers + more))
                numbers += more
            case "drop":
                numbers += data.draw(st.integers(1, 300))
            case "repeat":
                line += stream([numbers - 1])
            case "garbage":
                line += data.draw(st.binary(max_size=80))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(line)), max_size=12)))
    pieces = [line[a:b] for a, b in zip([0, *cuts], [*cuts, len(line)], strict=True)]

    def run(parts):
        decoder = Decoder(Options())
        events = list(decoder.start(0.0))
        for part in parts:
            events += decoder.feed(part, 1.0)
        return merged(events)

    assert run(pieces) == run([line])


def test_scale_is_the_documented_one():
    assert microvolts_per_count(24) == pytest.approx(4.5 / 24 / (2**23 - 1) * 1e6)
