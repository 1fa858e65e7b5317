"""The rules between a device's events and the disk, with no device and no disk."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gateway.acquire.session import PRELUDE, Begin, End, Record, RecordBytes, Send, Session
from gateway.events import Finished, Gap, Garbage, Marker, Reply, Samples, Started
from gateway.model import Channel, Equipment, MultiplexGroup

STARTED = Started(Equipment("Acme", "One"), (MultiplexGroup("ECG", 100.0, (Channel("I", "uV", 1.0),)),))
OTHER = Started(Equipment("Acme", "One"), (MultiplexGroup("ECG", 200.0, (Channel("I", "uV", 1.0),)),))


class Scripted:
    """A decoder that says what the test wants."""

    def __init__(self, **said):
        self.said = said

    def start(self, now):
        yield from self.said.get("start", ())

    def stop(self, now):
        yield from self.said.get("stop", ())

    def feed(self, data, now):
        yield from self.said.get("feed", ())

    def tick(self, now):
        yield from self.said.get("tick", ())


def block(count, time):
    return Samples(np.zeros((count, 1), np.int32), time)


def heard(session, *events, now=1.0):
    session.decoder.said["feed"] = events
    return list(session.feed(b"", now))


def recording(**options):
    session = Session(Scripted(), **options)
    list(session.connect(0.0))
    list(session.start(0.0))
    heard(session, STARTED, block(10, 1.0), now=1.0)
    return session


def test_an_acquisition_begins_with_started_and_not_before():
    session = Session(Scripted())
    list(session.connect(0.0))
    list(session.start(0.0))
    assert not any(isinstance(a, (Begin, Record)) for a in heard(session, Reply(b"x"), block(5, 0.5)))
    assert any(isinstance(a, Begin) for a in heard(session, STARTED))


def test_a_device_that_begins_by_itself_is_recorded_too():
    session = Session(Scripted(feed=[STARTED]))
    list(session.connect(0.0))
    assert any(isinstance(a, Begin) for a in session.feed(b"go", 1.0))


def test_the_handshake_is_part_of_the_transcript():
    session = Session(Scripted())
    list(session.connect(0.0))
    list(session.start(0.0))
    list(session.feed(b"hello", 0.1))
    session.decoder.said["feed"] = [STARTED]
    pieces = [a for a in session.feed(b"packet", 0.2) if isinstance(a, RecordBytes)]
    assert [p.data for p in pieces] == [b"", b"hello", b"packet"]


def test_what_is_kept_of_the_handshake_is_bounded():
    session = Session(Scripted())
    list(session.connect(0.0))
    list(session.start(0.0))
    for i in range(100):
        list(session.feed(bytes(4096), i))
    pieces = [a for a in heard(session, STARTED) if isinstance(a, RecordBytes)]
    assert sum(len(p.data) for p in pieces) <= PRELUDE
    assert pieces[0].data == b""


def test_bytes_are_not_kept_when_switched_off():
    session = Session(Scripted(feed=[STARTED]), keep_bytes=False)
    list(session.connect(0.0))
    assert not any(isinstance(a, RecordBytes) for a in session.feed(b"go", 1.0))


def test_a_lost_line_is_a_gap_whose_length_is_known_when_samples_come_again():
    session = recording()
    acts = list(session.disconnect("pulled", 2.0))
    assert [a.event.text for a in acts] == ["connection lost: pulled"]
    assert list(session.disconnect("still gone", 3.0)) == []
    list(session.connect(4.0))
    acts = [a for a in heard(session, STARTED, block(11, 5.1), now=5.1) if isinstance(a, Record)]
    gap, samples = (a.event for a in acts)
    # last sample at 1.0, first again at 5.1 - 10/100 = 5.0: 399 sampling instants lie between
    assert isinstance(gap, Gap)
    assert gap.samples == 399
    assert len(samples.data) == 11
    assert session.seconds == (10 + 399 + 11) / 100


def test_a_recording_whose_line_is_lost_for_too_long_is_over():
    session = recording()
    list(session.disconnect("pulled", 2.0))
    assert list(session.end_if_lost(300.0, 301.0)) == []
    assert list(session.end_if_lost(300.0, 301.1)) == [End("the device was lost")]
    assert not session.recording
    assert not session.wanted
    assert not any(isinstance(a, Record) for a in [*session.connect(9999.0), *heard(session, block(5, 9999.0))])


def test_a_device_that_stays_silent_on_an_open_line_is_lost_too_however_often_it_is_asked():
    session = recording()
    for now in (100.0, 200.0, 300.0):
        list(session.disconnect("silent", now))
        list(session.connect(now))
        heard(session, STARTED, now=now)
        assert list(session.end_if_lost(300.0, now)) == []
    assert list(session.end_if_lost(300.0, 302.0))[-1] == End("the device was lost")


def test_a_device_that_comes_back_with_other_channels_begins_another_acquisition():
    session = recording()
    list(session.disconnect("pulled", 2.0))
    list(session.connect(4.0))
    kinds = [type(a) for a in heard(session, OTHER, now=5.0)]
    assert kinds.index(End) < kinds.index(Begin)


def test_a_gap_in_seconds_gets_its_samples_from_the_rate():
    acts = heard(recording(), Gap("silence", 3.0, seconds=2.0), now=3.0)
    assert acts[-1].event.samples == 200


def test_a_marker_gets_its_position():
    assert heard(recording(), Marker("button", 3.0), now=3.0)[-1].event.sample == 10


def test_garbage_is_counted_not_recorded():
    session = recording()
    assert not any(isinstance(a, Record) for a in heard(session, Garbage(7, 1.0)))
    assert session.garbage == 7


def test_stop_tells_the_device_and_then_ends():
    session = recording()
    session.decoder.said["stop"] = [block(1, 2.0), Reply(b"s")]
    kinds = [type(a) for a in session.stop("enough", 2.0)]
    assert kinds == [Record, Send, End]
    assert list(session.stop("again", 3.0)) == []


def test_a_device_that_finishes_ends_the_acquisition():
    assert heard(recording(), Finished("button"))[-1] == End("button")


def test_a_refused_recording_leaves_nothing_behind():
    session = Session(Scripted())
    list(session.connect(0.0))
    list(session.start(0.0))
    session.decoder.said["feed"] = [STARTED, block(5, 1.0)]
    acts = []
    for act in session.feed(b"x", 1.0):
        acts.append(act)
        if isinstance(act, Begin):
            session.refuse()
    assert not any(isinstance(a, (Record, End)) for a in acts)


@given(st.lists(st.tuples(st.sampled_from(["samples", "gap", "lose", "back"]), st.integers(1, 50))))
def test_positions_are_the_sum_of_what_was_recorded(steps):
    session, now = recording(), 1.0
    positions = 10
    for what, n in steps:
        now += n / 100
        match what:
            case "samples":
                acts = heard(session, block(n, now), now=now)
            case "gap":
                acts = heard(session, Gap("lost", now, samples=n), now=now)
            case "lose":
                acts = list(session.disconnect("pulled", now))
            case _:
                acts = list(session.connect(now)) + heard(session, STARTED, now=now)
        for event in (a.event for a in acts if isinstance(a, Record)):
            positions += len(event.data) if isinstance(event, Samples) else getattr(event, "samples", 0)
    assert session.seconds == positions / 100


def test_what_is_missing_before_the_first_sample_is_no_part_of_the_acquisition():
    session = Session(Scripted(), wanted=True)
    list(session.connect(0.0))
    events = [
        a.event for a in heard(session, STARTED, Gap("late", 5.0, samples=900), block(10, 5.0)) if isinstance(a, Record)
    ]
    assert [type(event) for event in events] == [Samples]


def test_a_marker_stands_at_the_sample_that_was_taken_at_its_time():
    session = recording()  # ten samples at 100 Hz, the last one at 1.0 s
    times = (1.0, 0.99, 0.95, 0.5, 7.0)
    marked = [a.event.sample for a in heard(session, *(Marker("m", t) for t in times)) if isinstance(a, Record)]
    assert marked == [10, 8, 4, 0, 10]
