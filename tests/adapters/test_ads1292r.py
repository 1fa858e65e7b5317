"""The ProtoCentral ADS1292R decoder, against its published sketches."""

from __future__ import annotations

import struct
from typing import ClassVar

import numpy as np
import pytest

from firmware_adapters.ads1292r import ADAPTER, Decoder, Options
from gateway.acquire.contract import AdapterContract
from gateway.events import Gap, Garbage, Samples, Started

COUNTS = np.random.default_rng(7).integers(-(2**15), 2**15, (400, 2)).astype(np.int32)


def packet(ecg: int, respiration: int, length: int = 9) -> bytes:
    payload = struct.pack("<hhHH", ecg, respiration, 15, 72) + bytes(length - 8)
    return b"\x0a\xfa" + struct.pack("<HB", length, 2) + payload + b"\x00\x0b"


def stream(counts, length=9) -> bytes:
    return b"".join(packet(int(e), int(r), length) for e, r in counts)


def started(decoder):
    list(decoder.start(0.0))
    return decoder


class TestContract(AdapterContract):
    adapter = ADAPTER
    transcript = (b"Initiliziation is done\r\n", stream(COUNTS))
    expected: ClassVar = {0: COUNTS}


class TestContractOfTheNewSketch(AdapterContract):
    adapter = ADAPTER
    transcript = (stream(COUNTS, 8),)
    expected: ClassVar = {0: COUNTS}


class TestContractWithDamage(AdapterContract):
    adapter = ADAPTER
    transcript = (stream(COUNTS[:50]), stream(COUNTS[50:60])[5:], b"\x0a\xfa\x09\x00\x02", stream(COUNTS[60:]))


def test_it_says_what_it_measures_and_in_which_unit():
    events = list(started(Decoder(Options(lead="II"))).feed(stream(COUNTS[:2]), 1.0))
    group = next(e for e in events if isinstance(e, Started)).groups[0]
    assert group.rate == 125.0
    ecg, respiration = group.channels
    assert (ecg.label, ecg.unit) == ("II", "uV")
    assert ecg.sensitivity == pytest.approx(2.42e6 / 12 / (2**23 - 1) * 1024)
    assert (respiration.label, respiration.unit) == ("Respiration", "1")


def test_a_board_that_streams_unasked_begins_no_recording():
    assert list(Decoder(Options()).feed(stream(COUNTS), 1.0)) == []


def test_silence_on_a_dry_line_is_a_gap_of_that_length():
    decoder = started(Decoder(Options()))
    list(decoder.feed(stream(COUNTS[:10]), 1.0))
    for turn in range(1, 21):
        list(decoder.tick(1.0 + turn * 0.1))
    events = list(decoder.feed(stream(COUNTS[10:12]), 3.0))
    assert [(e.samples, round(e.seconds, 3)) for e in events if isinstance(e, Gap)] == [(249, 2.0)]


def test_a_broken_packet_is_garbage_and_a_gap_of_one():
    decoder = started(Decoder(Options()))
    whole = stream(COUNTS[:20])
    events = list(decoder.feed(whole[:90] + whole[91:], 1.0))
    assert sum(e.count for e in events if isinstance(e, Garbage)) == 15
    assert [e.samples for e in events if isinstance(e, Gap)] == [1]
    assert sum(len(e.data) for e in events if isinstance(e, Samples)) == 19
