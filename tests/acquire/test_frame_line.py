"""A source is read without a pause; what the disk cannot follow is dropped, counted, and nothing grows."""

from __future__ import annotations

import threading
import time

import pytest

from gateway.acquire.frame_line import FrameLine
from gateway.errors import Retry
from gateway.events import Frame, Gap, Ready, Started
from gateway.model import Equipment, Picture

STARTED = Started(Equipment("Acme", "Cam"), (), Picture("MJPEG", 640, 480, 10.0))


class Source:
    """Gives what the test puts there, one at a time."""

    def __init__(self) -> None:
        self.there: list[Frame | Gap] = []
        self.read_all = threading.Event()
        self.lost: Retry | None = None
        self.closed = False

    def open(self):
        return STARTED

    def read(self, timeout):
        if self.there:
            return [self.there.pop(0)]
        self.read_all.set()
        if self.lost is not None:
            raise self.lost
        time.sleep(timeout / 10)
        return []

    def close(self):
        self.closed = True

    def give(self, *events):
        self.read_all.clear()
        self.there += events
        assert self.read_all.wait(20)


def frame(number, size=100):
    return Frame(bytes(size), float(number), "MJPEG")


@pytest.fixture
def source():
    return Source()


@pytest.fixture
def line(source):
    made = FrameLine(source, time.monotonic, most=350)
    made.open()
    yield made
    made.close()
    assert source.closed


def events(line, count):
    """At least so many events; fails if they do not come."""
    found = []
    until = time.monotonic() + 20
    while len(found) < count and time.monotonic() < until:
        found += [event for event, _ in line.take(0.05)[0]]
    assert len(found) >= count
    return found


def test_the_first_word_is_what_the_source_shows(line):
    assert events(line, 1) == [Ready(STARTED)]


def test_frames_come_in_order_with_their_own_times(line, source):
    source.give(*(frame(n) for n in range(3)))
    assert [event.time for event in events(line, 4)[1:]] == [0.0, 1.0, 2.0]


def test_the_newest_are_dropped_when_too_much_waits_and_the_gap_stands_behind_what_was_kept(line, source):
    source.give(*(frame(n) for n in range(6)))
    found = events(line, 5)
    assert [event.time for event in found[1:4]] == [0.0, 1.0, 2.0]
    assert (found[4].samples, "could not follow" in found[4].reason) == (3, True)


def test_what_is_being_written_counts_until_it_is_done_with(line, source):
    source.give(*(frame(n) for n in range(3)))
    taken = line.take(5)[0]
    assert len(taken) == 4
    source.give(frame(3))  # its place is still taken
    later = [event for event, _ in line.take(0)[0]]
    assert [(type(event), event.samples) for event in later] == [(Gap, 1)]
    source.give(frame(4))
    assert [event.time for event in events(line, 1)] == [4.0]


def test_a_frame_larger_than_all_that_may_wait_is_let_in_when_nothing_does(line, source):
    source.give(frame(0, size=1000))
    assert len(events(line, 2)[1].data) == 1000


def test_a_lost_source_gives_what_it_had_first(line, source):
    source.lost = Retry("it was unplugged", "plug it in")
    source.give(frame(0))
    assert events(line, 2) == [Ready(STARTED), frame(0)]
    with pytest.raises(Retry, match="it was unplugged"):
        line.take(5)


def test_it_can_be_opened_again(line, source):
    source.lost = Retry("it was unplugged", "plug it in")
    source.give()
    line.close()
    source.lost = None
    line.open()
    source.give(frame(7))
    assert events(line, 2)[1].time == 7.0
