"""A device that does not come back: its recording ends, so that the next patient's is another one."""

from __future__ import annotations

from functools import partial

import pytest

from firmware_adapters.simulated import ADAPTER
from gateway import exam
from gateway.acquire.attendant import LOST_FOR_GOOD, Attendant
from gateway.acquire.limit import Limit
from gateway.acquire.recorder import Recorder
from gateway.acquire.session import Session
from gateway.clock import Clock
from gateway.errors import Retry
from gateway.profile import UNKNOWN


class Cable:
    """A line that can be pulled."""

    again = 5.0

    def __init__(self, now):
        self.there = True
        self.now = now

    def open(self):
        self.take(0)

    def take(self, _timeout):
        if not self.there:
            raise Retry("the cable is out", "put it in")
        return [], self.now[0]

    def write(self, data):
        self.take(0)

    def close(self):
        pass


@pytest.fixture
def device(settings, open_exam, monkeypatch):
    """An attendant that records in an exam, its cable, and what moves its clock."""
    monkeypatch.setattr("gateway.acquire.attendant.time.sleep", lambda _seconds: None)
    now = [1000.0]
    clock = Clock("always", monotonic=lambda: now[0])
    chosen, cable = settings.device("sim"), Cable(now)
    session = Session(ADAPTER.decoder(settings.options["sim"]))
    named = open_exam("sim").exam
    recorder = Recorder(settings.places, clock, chosen, ADAPTER)
    limit = partial(Limit, settings.places, chosen, profile=UNKNOWN)
    attendant = Attendant(chosen, session, cable, recorder, clock, lambda: named, lambda *_: None, limit)

    def turn(seconds):
        now[0] += seconds
        attendant.turn()

    turn(0)
    attendant.start()
    turn(1)
    assert session.recording
    yield attendant, cable, turn
    attendant.close("the test is over")
    assert exam.load(settings.places, named).closed is None


def test_a_device_lost_over_night_does_not_go_on_in_the_recording_of_the_day_before(device, acquisition):
    attendant, cable, turn = device
    cable.there = False
    turn(1)
    turn(LOST_FOR_GOOD - 5)
    assert attendant.session.recording
    cable.there = True  # the next morning, before anybody looked
    turn(12 * 3600)
    assert not attendant.session.recording
    kept = acquisition(attendant.kept.facts.acquisition)
    assert kept.end.reason == "the device was lost"
    assert kept.end.groups[0].missing == 0
    assert not attendant.session.wanted


def test_a_cable_that_is_put_back_in_time_is_a_gap(device, acquisition):
    attendant, cable, turn = device
    cable.there = False
    turn(1)
    turn(100)
    cable.there = True
    turn(6)
    turn(1)
    turn(1)
    assert attendant.session.recording
    attendant.stop("over")
    assert acquisition(attendant.kept.facts.acquisition).end.gaps == 1
