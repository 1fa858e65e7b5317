"""A line is read without a pause, whatever the disk does meanwhile."""

from __future__ import annotations

import logging
import os
import threading
import time
import tty

import numpy as np
import pytest

from gateway import capture, fsops
from gateway.acquire.adapter import Serial
from gateway.acquire.line import ReadAhead
from gateway.acquire.shells import SerialShell
from gateway.errors import Retry
from gateway.trial.device import CytonPlayer, Faults, synthetic


class Pipe:
    """A shell that gives what the test wrote."""

    def __init__(self) -> None:
        self.there, self.given, self.closed = [b"one", b"two"], threading.Event(), False
        self.lost: Retry | None = None

    def open(self) -> None:
        """It is there."""

    def read(self, timeout: float) -> bytes:
        if self.there:
            return self.there.pop(0)
        self.given.set()
        if self.lost is not None:
            raise self.lost
        time.sleep(timeout / 10)
        return b""

    def write(self, data: bytes) -> None:
        """Nobody listens."""

    def close(self) -> None:
        self.closed = True


def test_pieces_keep_the_time_at_which_they_came_and_a_lost_line_gives_them_first():
    pipe = Pipe()
    pipe.lost = Retry("the cable is out", "put it in")
    line = ReadAhead(pipe, time.monotonic)
    line.open()
    assert pipe.given.wait(10)
    noticed = time.monotonic()
    pieces, dry = line.take(5)
    assert [data for data, _ in pieces] == [b"one", b"two"]
    assert pieces[0][1] <= pieces[1][1] == dry <= noticed
    with pytest.raises(Retry, match="the cable is out"):
        line.take(5)
    line.close()
    assert pipe.closed


def test_an_idle_line_says_until_when_it_was_dry():
    pipe = Pipe()
    pipe.there = []
    line = ReadAhead(pipe, time.monotonic)
    opened = time.monotonic()
    line.open()
    while line.take(0.01)[1] <= opened:
        pass
    line.close()


def test_what_waits_for_the_disk_is_bounded_and_said(caplog):
    caplog.set_level(logging.ERROR)
    pipe = Pipe()
    pipe.there = [bytes(1000)] * 10
    line = ReadAhead(pipe, time.monotonic, most=3000)
    line.open()
    deadline = time.monotonic() + 10
    while not caplog.records and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "what it sends now may be lost and is recorded as a gap" in caplog.text
    assert len(pipe.there) == 7
    taken = 0
    while taken < 10_000:
        taken += sum(len(data) for data, _ in line.take(5)[0])
    line.close()
    assert len(caplog.records) == 1


def test_a_line_is_closed_while_it_is_read():
    master, slave = os.openpty()
    tty.setraw(slave)
    line = ReadAhead(SerialShell(Serial(baud=115200), os.ttyname(slave)), time.monotonic)
    line.open()
    os.write(master, b"x" * 100)
    line.close()
    line.open()
    os.write(master, b"again")
    assert line.take(10)[0][0][0].endswith(b"again"[-1:])
    line.close()
    os.close(master)
    os.close(slave)


def test_a_sync_that_takes_seconds_costs_no_sample(settings, port, acquisition, monkeypatch):
    """At four times a Cyton's pace three seconds are 99 kB: five times what a pseudo-terminal and the board keep."""
    counts, sync = synthetic(60), fsops.sync
    begun, stalled = threading.Event(), threading.Event()

    def slow_once(descriptor, name):
        if begun.is_set() and not stalled.is_set():
            stalled.set()
            time.sleep(3)
        sync(descriptor, name)

    monkeypatch.setattr("gateway.fsops.sync", slow_once)
    with CytonPlayer(port, counts, speed=4, faults=Faults(impatient=True)):
        kept = acquisition(
            capture.record(settings, "cyton", None, 16.0, lambda seconds: begun.set() if seconds > 1 else None)
        )
    assert stalled.is_set()
    assert not kept.gaps
    assert len(kept.samples) >= 16 * 250
    assert np.array_equal(kept.samples, counts[: len(kept.samples)])
