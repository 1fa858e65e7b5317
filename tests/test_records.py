"""The record file: what was synced is read back, a torn tail is cut at the last good record, nothing else is."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from cutting import after
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import fsops, interrupted, records
from gateway.errors import Fatal, Held
from gateway.events import Frame, Gap, Marker, Samples
from gateway.model import Code
from gateway.records import Type, Writer


def block(*rows, time=1.0, group=0):
    return Samples(np.array(rows, np.int32), time, group)


def written(path, *events):
    writer = Writer(path, 2)
    for event in events:
        writer.append(event)
    return writer


EVENTS = (
    block([1, -2], [3, 4], time=1.0),
    Gap("lost", 2.0, samples=5, seconds=0.5),
    Marker("button", 2.5, sample=7),
    Marker("pacer", 2.5, sample=8, concept=Code("2:15872", "MDC", "Pacer spike"), samples=3),
    Frame(b"\x00\x01jpeg", 2.6, "jpeg"),
    block([-(2**31), 2**31 - 1], time=3.0, group=1),
)


def test_events_come_back_as_they_were_appended(tmp_path):
    path = tmp_path / "records"
    written(path, *EVENTS).close("done")
    back = list(records.events(path))
    assert [type(e) for e in back] == [type(e) for e in EVENTS]
    assert np.array_equal(back[0].data, EVENTS[0].data)
    assert np.array_equal(back[-1].data, EVENTS[-1].data)
    assert back[1:-1] == list(EVENTS[1:-1])


def test_end_holds_counts_gaps_and_each_channels_range(tmp_path):
    path = tmp_path / "records"
    written(path, *EVENTS).close("done")
    end = records.ending(path)
    first = end.groups[0]
    assert (first.samples, first.missing) == (7, 5)
    assert (first.minimum, first.maximum) == ([1, -2], [3, 4])
    assert (end.gaps, end.markers, end.frames, end.reason, end.last_time) == (1, 2, 1, "done", 3.0)
    assert not end.interrupted


def test_bytes_as_received_are_no_events_but_are_there(tmp_path):
    path = tmp_path / "records"
    writer = written(path)
    writer.append_bytes(b"raw", 1.0)
    writer.close("done")
    assert list(records.events(path)) == []
    assert [r.payload for r in records.read(path) if r.type is Type.BYTES] == [b"raw"]


def test_a_tail_torn_at_any_byte_leaves_all_records_before_it(tmp_path):
    path = tmp_path / "records"
    written(path, *EVENTS[:3]).close("x")
    ends = [r.end for r in records.read(path)]
    whole = path.read_bytes()
    before_last = ends[-2]
    for size in range(before_last, len(whole)):
        path.write_bytes(whole[:size])
        assert [r.end for r in records.read(path)] == ends[:-1]
        assert records.ending(path) is None
        end = interrupted.finish(path, 2)
        assert end.interrupted
        assert end.groups[0].samples == 7
        assert records.ending(path) == end
        assert path.read_bytes()[:before_last] == whole[:before_last]


def test_a_damaged_byte_in_the_last_record_is_noticed(tmp_path):
    path = tmp_path / "records"
    writer = written(path, *EVENTS[:2])
    writer.sync()
    writer.abandon()
    whole = path.read_bytes()
    first = next(records.read(path)).end
    for at in range(first, len(whole)):
        path.write_bytes(whole[:at] + bytes((whole[at] ^ 0xFF,)) + whole[at + 1 :])
        assert [r.end for r in records.read(path)] == [first]


@pytest.mark.parametrize("size", range(len(records.HEADER)))
def test_a_file_cut_off_in_its_header_becomes_an_empty_recording(tmp_path, size):
    path = tmp_path / "records"
    path.write_bytes(records.HEADER[:size])
    assert list(records.read(path)) == []
    end = interrupted.finish(path, 1)
    assert end.interrupted
    assert end.groups[0].samples == 0
    assert records.ending(path) == end


def test_finishing_twice_changes_nothing(tmp_path):
    path = tmp_path / "records"
    written(path, *EVENTS[:1]).abandon()
    interrupted.finish(path, 2)
    whole = path.read_bytes()
    interrupted.finish(path, 2)
    assert path.read_bytes() == whole


def test_a_newer_format_is_refused_and_left_untouched(tmp_path):
    path = tmp_path / "records"
    newer = records.MAGIC + struct.pack("<H", records.VERSION + 1) + b"what nobody knows yet"
    path.write_bytes(newer)
    for refusing in (lambda: list(records.read(path)), lambda: interrupted.finish(path, 1)):
        with pytest.raises(Held, match="newer than"):
            refusing()
    assert path.read_bytes() == newer


def test_another_kind_of_file_is_refused(tmp_path):
    path = tmp_path / "records"
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(Held, match="not a record file"):
        list(records.read(path))


def test_a_group_that_was_never_announced_is_refused(tmp_path):
    writer = written(tmp_path / "records")
    with pytest.raises(Fatal, match="never announced"):
        writer.append(block([1], group=2))


def test_a_file_is_being_written_as_long_as_its_writer_lives(tmp_path):
    path = tmp_path / "records"
    writer = written(path, *EVENTS[:1])
    assert records.being_written(path)
    writer.abandon()
    assert not records.being_written(path)


def test_what_was_synced_is_in_the_file_before_it_is_closed(tmp_path):
    path = tmp_path / "records"
    writer = written(path, *EVENTS[:3])
    assert list(records.events(path)) == []
    writer.sync()
    assert len(list(records.events(path))) == 3
    writer.abandon()


def torn(path):
    return path.with_name("records.torn")


def test_damage_in_the_middle_is_held_and_nothing_behind_it_is_cut(tmp_path):
    path = tmp_path / "records"
    writer = written(path, *(block([n, n], time=100.0 + n) for n in range(50)))
    writer.sync()
    writer.append(block([50, 50], time=150.0))
    writer.sync()
    writer.abandon()
    ends = [r.end for r in records.read(path)]
    for at in (ends[4], ends[4] + 6, ends[4] + 12, ends[4] + 16, ends[4] + 20, ends[5] - 1):  # each part of record 5
        whole = path.read_bytes()
        damaged = whole[:at] + bytes((whole[at] ^ 0xFF,)) + whole[at + 1 :]
        path.write_bytes(damaged)
        with pytest.raises(Held, match=rf"damaged in the middle: bytes {ends[4]} to {ends[5]} "):
            interrupted.finish(path, 2)
        assert path.read_bytes() == damaged
        path.write_bytes(whole)
    assert not torn(path).exists()


def test_what_a_power_cut_tears_between_two_syncs_is_cut_also_with_good_records_behind_it(tmp_path):
    path = tmp_path / "records"
    writer = written(path, *(block([n, n], time=100.0 + n) for n in range(5)))
    writer.sync()
    for n in range(5, 10):
        writer.append(block([n, n], time=100.0 + n))
    writer.sync()  # this one never returned
    writer.abandon()
    ends = [r.end for r in records.read(path)]
    whole = path.read_bytes()
    path.write_bytes(whole[: ends[6]] + bytes(ends[7] - ends[6]) + whole[ends[7] :])
    end = interrupted.finish(path, 2)
    assert end.interrupted
    assert end.groups[0].samples == 6
    assert torn(path).stat().st_size == len(whole) - ends[6]


def test_in_a_file_of_the_first_version_nobody_knows_what_was_synced_and_a_person_decides(tmp_path):
    path = tmp_path / "records"
    written(path, *EVENTS[:4]).close("done")
    whole = bytearray(path.read_bytes()[:-1])
    whole[6] = 1
    at = next(r.end for r in records.read(path))
    whole[at + 20] ^= 0xFF
    path.write_bytes(whole)
    with pytest.raises(Held, match="damaged in the middle"):
        interrupted.finish(path, 2)


def test_a_header_that_a_power_cut_left_empty_is_written_again(tmp_path):
    path = tmp_path / "records"
    path.write_bytes(bytes(len(records.HEADER)))
    assert interrupted.finish(path, 1).groups[0].samples == 0
    assert path.read_bytes().startswith(records.HEADER)


def test_end_is_written_when_all_before_it_is_on_the_medium(tmp_path):
    path = tmp_path / "records"
    writer = written(path, *EVENTS[:3])
    sizes = []
    fsops.watch = after(lambda what, _: sizes.append(path.stat().st_size))
    try:
        writer.close("done")
    finally:
        fsops.watch = None
    last, end = [r.end for r in records.read(path)][-2:]
    assert sizes == [last, end]


def test_damage_longer_than_a_buffer_is_looked_through(tmp_path):
    path = tmp_path / "records"
    writer = written(path, block([1, 1]))
    writer.append_bytes(bytes(range(256)) * 3000, 2.0)
    writer.sync()
    writer.append(block([2, 2], time=3.0))
    writer.sync()
    writer.abandon()
    first, _bytes, _synced, last = (r.end for r in records.read(path))
    whole = path.read_bytes()
    path.write_bytes(whole[:first] + b"\xff" * 600_000 + whole[first + 600_000 :])
    with pytest.raises(Held, match="damaged in the middle"):
        interrupted.finish(path, 2)
    assert path.stat().st_size == last


def test_what_is_cut_from_a_torn_tail_is_kept_beside_it(tmp_path):
    path = tmp_path / "records"
    writer = written(path, *EVENTS[:3])
    writer.sync()
    writer.abandon()
    ends = [r.end for r in records.read(path)]
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    interrupted.finish(path, 2)
    assert torn(path).read_bytes() == whole[ends[1] : -3]


def test_a_cut_in_the_middle_of_mending_does_not_lose_the_torn_tail(tmp_path):
    path = tmp_path / "records"
    writer = written(path, *EVENTS[:3])
    writer.sync()
    writer.abandon()
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    interrupted.finish(path, 2)
    kept = torn(path).read_bytes()
    path.write_bytes(path.read_bytes()[:-5])  # the power went while END was written
    assert interrupted.finish(path, 2).interrupted
    assert torn(path).read_bytes() == kept


def test_what_hangs_behind_a_whole_recording_does_not_make_it_an_interrupted_one(tmp_path):
    path = tmp_path / "records"
    end = written(path, *EVENTS[:2]).close("done")
    whole = path.read_bytes()
    path.write_bytes(whole + bytes(100))
    assert interrupted.finish(path, 2) == end
    assert path.read_bytes() == whole


@settings(max_examples=40)
@given(
    st.lists(
        st.one_of(
            st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=9).map(lambda v: block(*[[x] for x in v])),
            st.integers(1, 1000).map(lambda n: Gap("lost", 1.0, samples=n)),
            st.text(max_size=20).map(lambda t: Marker(t, 1.0)),
        ),
        max_size=12,
    ),
    st.data(),
)
def test_any_recording_cut_anywhere_keeps_a_whole_beginning(tmp_path_factory, events, data):
    path = tmp_path_factory.mktemp("cut") / "records"
    writer = written(path, *events)
    writer.sync()
    writer.abandon()
    whole = [r.payload for r in records.read(path)]
    assert len(whole) == len(events)
    size = data.draw(st.integers(0, path.stat().st_size))
    path.write_bytes(path.read_bytes()[:size])
    left = [r.payload for r in records.read(path)]
    assert left == whole[: len(left)]
    end = interrupted.finish(path, 2)
    assert [r.payload for r in records.read(path, skip=(Type.END,))] == left
    expected = sum(len(e.data) if isinstance(e, Samples) else getattr(e, "samples", 0) for e in events[: len(left)])
    assert end.groups[0].samples == expected


def test_frames_and_dropped_ones_are_counted_as_the_group_behind_the_multiplex_groups(tmp_path):
    path = tmp_path / "records"
    writer = Writer(path, 1)
    for event in (Frame(b"one", 1.0, "MJPEG"), Gap("dropped", 1.1, samples=2), Frame(b"three", 1.2, "MJPEG")):
        writer.append(event)
    writer.close("done")
    end = records.ending(path)
    assert (end.frames, end.frame_bytes, end.gaps) == (2, 8, 1)
    assert (end.groups[0].samples, end.groups[0].missing) == (4, 2)
