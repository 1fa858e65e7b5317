"""A disk that stands still costs frames, never memory or the device's pace; each lost one is counted where it was."""

from __future__ import annotations

import threading
import time

import pytest

from gateway import configuration, fsops, records
from gateway.acquire import frame_line, lines
from gateway.acquire.attend import attend
from gateway.acquire.reporting import report
from gateway.errors import Retry
from gateway.events import Frame, Gap, Marker, Started
from gateway.model import Equipment, Picture
from gateway.verbs.overview import DeviceState, Overview
from gateway.web import metrics

CAMERA = """
[[device]]
name = "cam"
adapter = "v4l2"
port = "/dev/video-of-the-test"
sync_interval = 0.05
silence = 3600.0
takes = "clip"
"""
SIZE = 1 << 20
STARTED = Started(Equipment("vivid", "vivid"), (), Picture("MJPEG", 640, 480, 100.0))


class Device:
    """A video device that never waits: each read is the next frame, numbered in its first bytes."""

    unplugged = threading.Event()

    def __init__(self, path, options, monotonic):
        self.given, self.monotonic = 0, monotonic
        Device.last = self

    def open(self):
        if Device.unplugged.is_set():
            raise Retry("the video source is not there", "plug it in")
        return STARTED

    def read(self, timeout):
        if Device.unplugged.is_set():
            raise Retry("the video source was lost", "plug it in")
        time.sleep(0.01)
        self.given += 1
        return [Frame(self.given.to_bytes(8, "little") + bytes(SIZE - 8), self.monotonic(), "MJPEG")]

    def close(self):
        """Nothing to close."""


@pytest.fixture
def settings(config):
    config.write_text(config.read_text() + CAMERA)
    return configuration.load(config)


@pytest.fixture
def attendant(settings, monkeypatch):
    monkeypatch.setattr(lines, "VideoDevice", Device)
    Device.unplugged.clear()
    made = attend(settings, "cam", lambda: None)
    yield made
    made.close("the test is over")


def turns(attendant, until, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline, "it never happened"
        attendant.turn()


def frames(attendant):
    return attendant.recorder.end.frames if attendant.recorder.end is not None else 0


def taken(settings, attendant):
    path = settings.places.acquisition(attendant.kept.facts.acquisition) / "records"
    return records.ending(path), list(records.events(path))


def number(frame):
    return int.from_bytes(frame.data[:8], "little")


def test_what_the_disk_cannot_follow_is_dropped_and_counted_and_the_rest_is_in_order(settings, attendant, monkeypatch):
    sync, stalled, waiting = fsops.sync, [], 0

    def stands_still(descriptor, name):
        if attendant.recorder.end is not None and frames(attendant) >= 5 and not stalled:
            stalled.append(Device.last.given)
            most = frame_line.MOST // SIZE
            while Device.last.given < stalled[0] + most + 20:  # so long that frames must be lost
                time.sleep(0.01)
        sync(descriptor, name)

    monkeypatch.setattr("gateway.fsops.sync", stands_still)
    attendant.start(None)
    turns(attendant, lambda: stalled and frames(attendant) > 5 + frame_line.MOST // SIZE)
    waiting, told = attendant._line._waiting, report(attendant)
    attendant.stop("the test has seen enough")
    end, events = taken(settings, attendant)
    kept = [number(event) for event in events if isinstance(event, Frame)]
    lost = sum(event.samples for event in events if isinstance(event, Gap))
    assert lost >= 15
    assert waiting <= frame_line.MOST
    assert told["dropped_frames"] == told["missing"] >= 15
    seen = Overview((), (DeviceState("cam", "v4l2", told),), (), None, 0.0)
    assert 'gateway_recording_dropped_frames{device="cam"} ' in metrics.text(seen)
    assert (end.frames, end.groups[0].missing, end.groups[0].samples) == (len(kept), lost, len(kept) + lost)
    position, expected = kept[0], []
    for event in events:  # each gap stands between the two frames that it parts
        if isinstance(event, Gap):
            position += event.samples
        elif isinstance(event, Frame):
            expected.append(position)
            position += 1
    assert expected == kept


def test_a_source_that_is_unplugged_in_mid_clip_is_a_gap_when_it_comes_back(settings, attendant):
    attendant.start(None)
    turns(attendant, lambda: frames(attendant) >= 5)
    Device.unplugged.set()
    turns(attendant, lambda: isinstance(attendant.problem, Retry))
    assert attendant.session.recording
    Device.unplugged.clear()
    before = frames(attendant)
    turns(attendant, lambda: frames(attendant) >= before + 5)
    assert attendant.problem is None
    attendant.stop("the test has seen enough")
    end, events = taken(settings, attendant)
    assert end.gaps == 1
    assert [event.text for event in events if isinstance(event, Marker)] == [
        "connection lost: the video source was lost"
    ]
    (gap,) = [event for event in events if isinstance(event, Gap)]
    assert gap.seconds > 0
    assert gap.samples == round(gap.seconds * 100)


def test_a_clip_whose_source_never_comes_back_is_kept_with_what_there_was(settings, attendant):
    attendant.start(None)
    turns(attendant, lambda: frames(attendant) >= 5)
    Device.unplugged.set()
    turns(attendant, lambda: isinstance(attendant.problem, Retry))
    attendant.stop("stopped by a person")
    end, events = taken(settings, attendant)
    assert end.frames == sum(isinstance(event, Frame) for event in events) >= 5
    assert end.reason == "stopped by a person"
