"""Stills, clips and the seconds before the trigger: the rules, with no source and no disk."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.acquire.acts import Begin, End, Record
from gateway.acquire.pre_roll import PreRoll
from gateway.acquire.session import TAKEN, Session
from gateway.events import Frame, Gap, Marker, Ready, Started
from gateway.model import Equipment, Picture

STARTED = Started(Equipment("Acme", "Cam"), (), Picture("MJPEG", 640, 480, 10.0))
CODED = Started(Equipment("Acme", "Cam"), (), Picture("H264", 640, 480, 10.0))
KEY, LEANS = b"\x00\x00\x00\x01\x67sps\x00\x00\x01\x65i", b"\x00\x00\x00\x01\x41p"


class Nothing:
    """A decoder that has nothing to decode."""

    def start(self, now):
        return iter(())

    stop = tick = start

    def feed(self, data, now):
        return iter(())


def frame(time, data=None, encoding="MJPEG"):
    return Frame(data or f"{time:g}".encode(), time, encoding)


def shown(session, *events):
    return [act for event in events for act in session.feed(event, getattr(event, "time", 0.0))]


def showing(seconds=0.0, started=STARTED, **options):
    session = Session(Nothing(), keep_bytes=False, pre_roll=PreRoll(seconds, **options))
    list(session.connect(0.0))
    assert shown(session, Ready(started)) == []
    return session


def recorded(acts, kind=Frame):
    return [act.event for act in acts if isinstance(act, Record) and isinstance(act.event, kind)]


def begun(session, now, since=0.0, still=False):
    """What a start does; ``since`` is what the attendant answers to Begin."""
    acts = []
    for act in session.start(now, still):
        acts.append(act)
        if isinstance(act, Begin):
            session.since = since
    return acts


def test_a_still_is_the_first_frame_taken_after_it_was_asked_for():
    session = showing()
    assert begun(session, 5.0, still=True) == []
    acts = shown(session, frame(4.9), frame(5.1), frame(5.2))
    assert [type(act) for act in acts] == [Begin, Record, End]
    assert acts[0].started.picture.rate == 0.0
    assert (acts[1].event.time, acts[2].reason) == (5.1, TAKEN)
    assert not session.wanted
    assert not session.recording


def test_a_still_without_a_picture_leaves_no_recording():
    session = showing()
    begun(session, 5.0, still=True)
    assert list(session.stop("it never began", 13.0)) == []


def test_a_still_has_no_gaps_of_what_came_before_it():
    session = showing()
    begun(session, 5.0, still=True)
    assert recorded(shown(session, Gap("dropped", 5.05, samples=3), frame(5.1)), Gap) == []


def test_a_clip_holds_the_frames_between_start_and_stop():
    session = showing()
    acts = begun(session, 5.0) + shown(session, frame(4.95), frame(5.0), frame(5.1)) + list(session.stop("done", 5.2))
    assert [event.time for event in recorded(acts)] == [5.0, 5.1]
    assert acts[-1] == End("done")
    assert acts[0].started.picture.rate == 10.0


def test_a_clip_begins_with_the_seconds_before_the_trigger_and_a_mark_where_it_was():
    session = showing(2.0)
    shown(session, *(frame(t / 10) for t in range(10, 50)))
    acts = begun(session, 5.0) + shown(session, frame(5.1))
    assert [event.time for event in recorded(acts)] == [*(t / 10 for t in range(30, 50)), 5.1]
    (mark,) = recorded(acts, Marker)
    assert (mark.time, mark.sample) == (5.0, 20)


def test_nothing_from_before_the_patient_came_is_in_his_clip():
    session = showing(2.0)
    shown(session, *(frame(t / 10) for t in range(10, 50)))
    acts = begun(session, 5.0, since=4.75) + shown(session, frame(4.74), frame(5.1))
    assert [event.time for event in recorded(acts)] == [4.8, 4.9, 5.1]


def test_a_clip_that_is_refused_records_nothing():
    session = showing(2.0)
    shown(session, frame(4.8))
    acts = []
    for act in session.start(5.0):
        acts.append(act)
        session.refuse()
    assert recorded(acts + shown(session, frame(5.1))) == []


def test_a_gap_in_the_pre_roll_stays_where_it_was():
    session = showing(2.0)
    shown(session, frame(4.5), Gap("dropped", 4.6, samples=2), frame(4.7))
    acts = begun(session, 5.0)
    assert [type(act.event) for act in acts[1:]] == [Frame, Gap, Frame, Marker]


def test_a_lost_source_is_a_gap_of_as_many_frames_as_are_missing():
    session = showing()
    acts = begun(session, 1.0) + shown(session, frame(1.0), frame(1.1))
    acts += list(session.disconnect("unplugged", 1.2)) + list(session.connect(2.0))
    acts += shown(session, Ready(STARTED), frame(2.1))
    (gap,) = recorded(acts, Gap)
    assert (gap.samples, round(gap.seconds, 6), gap.time) == (9, 0.9, 2.1)
    assert sum(isinstance(act, Begin) for act in acts) == 1
    (mark,) = recorded(acts, Marker)
    assert "unplugged" in mark.text


def test_a_source_that_comes_back_with_another_picture_begins_another_recording():
    session = showing()
    acts = begun(session, 1.0) + shown(session, frame(1.0)) + list(session.disconnect("unplugged", 1.2))
    other = Started(STARTED.equipment, (), Picture("MJPEG", 1920, 1080, 10.0))
    acts += list(session.connect(2.0)) + shown(session, Ready(other), frame(2.1))
    assert [act.started.picture.columns for act in acts if isinstance(act, Begin)] == [640, 1920]


def test_what_was_shown_before_a_source_was_lost_is_no_pre_roll():
    session = showing(2.0)
    shown(session, frame(4.5))
    list(session.disconnect("unplugged", 4.6))
    list(session.connect(4.7))
    acts = shown(session, Ready(STARTED), frame(4.8)) + begun(session, 5.0)
    assert [event.time for event in recorded(acts)] == [4.8]


def test_coded_video_begins_and_goes_on_with_a_frame_that_can_be_decoded():
    session = showing(started=CODED)

    def coded(time, data):
        return frame(time, data, "H264")

    acts = begun(session, 1.0)
    acts += shown(session, coded(1.0, LEANS), coded(1.1, KEY), coded(1.2, LEANS))
    acts += shown(session, Gap("dropped", 1.3, samples=1), coded(1.4, LEANS), coded(1.5, LEANS), coded(1.6, KEY))
    assert [event.time for event in recorded(acts)] == [1.1, 1.2, 1.6]
    assert [gap.samples for gap in recorded(acts, Gap)] == [1, 2]


def test_a_clip_lasts_as_long_as_its_frames_and_not_as_their_announced_rate():
    session = showing()
    begun(session, 1.0)
    shown(session, frame(1.0), frame(1.5), frame(2.0))
    assert session.seconds == pytest.approx(1.0)


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(0, 300)), max_size=60), st.floats(0, 5))
def test_the_pre_roll_is_bounded_in_bytes_and_seconds(steps, seconds):
    ring, now = PreRoll(seconds, most=1000), 0.0
    for step, size in steps:
        now += step
        ring.keep(Frame(bytes(size), now, "MJPEG"))
    kept = list(ring.take(0.0))
    assert sum(len(f.data) for f in kept) <= 1000
    assert all(now - f.time <= seconds for f in kept)
    assert list(ring.take(0.0)) == []
