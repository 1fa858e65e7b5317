"""From a Cyton on a real pseudo-terminal to the record file: nothing lost, nothing invented."""

from __future__ import annotations

import logging
import threading

import numpy as np
import pytest

from gateway import capture, configuration, records
from gateway.acquire import replay
from gateway.acquire.admission import only_capture, room
from gateway.errors import Fatal, Held, Retry
from gateway.trial.device import CytonPlayer, Faults, synthetic, wfdb_counts

COUNTS = synthetic(12)


def nothing(_seconds: float) -> None:
    pass


def test_record_100_arrives_bit_for_bit(settings, port, open_exam, acquisition, record_100):
    counts = wfdb_counts(record_100, samples=250 * 60)
    exam = open_exam().exam
    with CytonPlayer(port, counts, speed=60):
        kept = acquisition(capture.record(settings, "cyton", exam, 59.0, nothing))
    assert len(kept.samples) >= 59 * 250
    assert np.array_equal(kept.samples, counts[: len(kept.samples)])
    assert kept.end.gaps == 0
    assert kept.facts.exam == exam


def test_the_reader_of_record_100_knows_its_published_range(record_100):
    millivolts = wfdb_counts(record_100)[:, :2] * 4.5 / 24 / (2**23 - 1) * 1000
    assert len(millivolts) == 650_000
    assert millivolts.min(axis=0) == pytest.approx([-2.715, -2.465], abs=1e-4)
    assert millivolts.max(axis=0) == pytest.approx([1.435, 1.225], abs=1e-4)


def test_facts_say_what_is_needed_to_wrap_without_the_adapter(settings, port, open_exam, acquisition):
    exam = open_exam().exam
    with CytonPlayer(port, COUNTS, speed=20):
        first = acquisition(capture.record(settings, "cyton", exam, 1.0, nothing))
        second = acquisition(capture.record(settings, "cyton", exam, 1.0, nothing))
    assert first.facts.adapter == "openbci_cyton"
    assert first.facts.equipment.software == "v3.1.2"
    assert first.facts.groups[0].rate == 250.0
    assert (first.facts.number, second.facts.number) == (1, 2)
    assert not first.facts.test
    assert (first.folder / "facts.json").stat().st_mode & 0o777 == 0o600
    assert first.folder.stat().st_mode & 0o777 == 0o700
    assert first.end.reason == "the planned length was reached"


def test_dropped_packets_become_gaps_and_repeated_ones_are_ignored(settings, port, acquisition):
    faults = Faults(drop=frozenset({100, 101, 102, 500}), repeat=frozenset({300, 301}))
    with CytonPlayer(port, COUNTS, speed=20, faults=faults):
        kept = acquisition(capture.record(settings, "cyton", None, 4.0, nothing))
    assert [g.samples for g in kept.gaps] == [3, 1]
    there = [i for i in range(len(kept.samples) + 4) if i not in faults.drop]
    assert np.array_equal(kept.samples, COUNTS[there])
    assert [m.text for m in kept.markers] == ["the device repeated 1 packet(s), which were ignored"] * 2
    assert kept.end.groups[0].missing == 4
    assert kept.facts.exam is None


def test_garbage_on_the_line_is_skipped_and_said(settings, port, acquisition, caplog):
    faults = Faults(garbage={200: b"\xa0hello\xc0" * 9, 400: bytes(64)})
    with caplog.at_level(logging.WARNING), CytonPlayer(port, COUNTS, speed=20, faults=faults):
        kept = acquisition(capture.record(settings, "cyton", None, 4.0, nothing))
    assert np.array_equal(kept.samples, COUNTS[: len(kept.samples)])
    assert "not this device's protocol" in caplog.text
    assert kept.gaps == []


def test_a_cable_pulled_and_put_back_is_a_gap_not_an_end(settings, port, acquisition, caplog, until):
    with caplog.at_level(logging.INFO), CytonPlayer(port, COUNTS, speed=2, faults=Faults(unplug=400)) as player:
        pulled = threading.Thread(target=lambda: (until(lambda: not port.is_symlink()), player.plug()))
        pulled.start()
        kept = acquisition(capture.record(settings, "cyton", None, 6.0, nothing))
        pulled.join()
    before = sum(len(e.data) for e in kept.events[: kept.events.index(kept.gaps[0])] if hasattr(e, "data"))
    assert before == 400
    assert np.array_equal(kept.samples, COUNTS[: len(kept.samples)])
    assert len(kept.samples) > 450
    assert len(kept.gaps) == 1
    assert kept.gaps[0].samples == round(kept.gaps[0].seconds * 250) > 0
    assert kept.markers[0].text.startswith("connection lost")
    assert kept.markers[0].sample == 400
    assert "the recording goes on with a gap" in caplog.text


def test_what_was_received_is_kept_from_the_handshake_on(settings, port, acquisition):
    with CytonPlayer(port, COUNTS, speed=20):
        kept = acquisition(capture.record(settings, "cyton", None, 1.0, nothing))
    received = b"".join(r.payload for r in records.read(kept.path) if r.type is records.Type.BYTES)
    assert b"OpenBCI V3" in received
    assert received.count(b"Success: Channel set") == 8


def test_a_transcript_replayed_gives_the_same_recording(settings, port, acquisition):
    faults = Faults(drop=frozenset({100, 101}), garbage={200: b"noise"})
    with CytonPlayer(port, COUNTS, speed=20, faults=faults):
        first = acquisition(capture.record(settings, "cyton", None, 2.0, nothing))
    again = acquisition(replay.keep(settings, "cyton", None, first.path))
    assert np.array_equal(again.samples, first.samples)
    assert [g.samples for g in again.gaps] == [g.samples for g in first.gaps] == [2]
    assert again.facts.root_uid != first.facts.root_uid


def test_no_port_says_what_to_do(settings):
    with pytest.raises(Retry, match=r"port .* does not exist; plug the device in"):
        capture.record(settings, "cyton", None, 1.0, nothing)


def test_a_board_that_is_switched_off_says_what_to_do(settings, port):
    with CytonPlayer(port, COUNTS, faults=Faults(mute=True)), pytest.raises(Retry, match="switch the board on"):
        capture.record(settings, "cyton", None, 1.0, nothing)
    assert not settings.places.acquisitions.exists()


def test_two_captures_of_one_device_refuse_each_other(settings):
    with only_capture(settings.places, "sim"), pytest.raises(Fatal, match="another process captures"):
        capture.record(settings, "sim", None, 1.0, nothing)


def test_a_full_disk_refuses_a_new_recording_with_words(config, tmp_path):
    config.write_text(config.read_text().replace("reserve = 0", f"reserve = {1 << 20}"))
    full = configuration.load(config)
    if room(tmp_path).mebibytes >= 1 << 20:
        pytest.skip("this disk has more than a TiB free")
    with pytest.raises(Held, match=r"no new recording: .* MiB are free .*spool\.reserve"):
        capture.record(full, "sim", None, 1.0, nothing)
