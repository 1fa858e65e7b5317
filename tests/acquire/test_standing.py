"""An order stands until its recording has ended: a killed capture, or a box that lost its power, goes on by itself."""

from __future__ import annotations

import dataclasses
import json
import logging
import signal

import pytest

from gateway import exam, interrupted, records
from gateway.acquire import standing
from gateway.acquire.standing import Standing
from gateway.clock import Clock
from gateway.trial.device import CytonPlayer, synthetic

COUNTS = synthetic(60)
CLOCK = Clock("always")


@pytest.fixture
def recording(process, ask, until):
    """A capture process that records, and the order's acquisition."""

    def start(device: str, exam: str | None = None, seconds: float | None = None):
        running = process(device)
        begun = ask(device, do="start", exam=exam, seconds=seconds)["acquisition"]
        until(lambda: ask(device, do="status")["samples"] > 100)
        return running, begun

    return start


def kill(running) -> None:
    running.kill()
    running.wait()


def after_a_reboot(settings, device: str) -> None:
    """What lies on the disk is of another boot."""
    path = settings.places.order(device)
    order = json.loads(path.read_bytes())
    order["ordered"]["boot"] = "an earlier boot"
    path.write_text(json.dumps(order))
    for pattern, moment in (("acquisitions/*/facts.json", "started"), ("exams/*/exam.json", "opened")):
        for path in settings.box.data.glob(pattern):
            told = json.loads(path.read_bytes())
            told[moment]["boot"] = "an earlier boot"
            path.write_text(json.dumps(told))


def test_after_kill_9_the_recording_goes_on_in_its_exam(
    process, ask, recording, open_exam, port, acquisition, until, tmp_path
):
    named = open_exam("cyton").exam
    with CytonPlayer(port, COUNTS, speed=2):
        running, first = recording("cyton", named)
        kill(running)
        process("cyton")
        second = until(lambda: ask("cyton", do="status")["acquisition"])
        until(lambda: ask("cyton", do="status")["samples"] > 100)
        ask("cyton", do="stop")
    interrupted.finish(acquisition(first).path, 1)
    assert acquisition(first).end.interrupted
    assert [acquisition(name).facts.exam for name in (first, second)] == [named, named]
    assert [acquisition(name).facts.number for name in (first, second)] == [1, 2]
    assert acquisition(second).gaps == []
    assert "was recording when its capture process ended: it goes on" in (tmp_path / "cyton.log").read_text()


def test_a_service_that_is_restarted_goes_on_too(process, ask, recording, settings, until):
    running, first = recording("sim")
    running.send_signal(signal.SIGTERM)
    assert running.wait(20) == 0
    process("sim")
    assert until(lambda: ask("sim", do="status")["acquisition"]) != first


def test_after_a_power_cut_what_comes_is_nobodys(process, ask, recording, open_exam, settings, acquisition, until):
    running, first = recording("sim", open_exam("sim").exam)
    kill(running)
    after_a_reboot(settings, "sim")
    process("sim")
    second = until(lambda: ask("sim", do="status")["acquisition"])
    ask("sim", do="stop")
    assert second != first
    assert acquisition(second).facts.exam is None


@pytest.mark.parametrize("then", ["killed", "restarted after a reboot"])
def test_what_a_person_has_stopped_does_not_go_on(process, ask, recording, settings, then):
    running, _ = recording("sim")
    ask("sim", do="stop")
    assert not settings.places.order("sim").exists()
    kill(running)
    process("sim")
    assert not ask("sim", do="status")["recording"]


def test_a_recording_whose_exam_was_closed_meanwhile_does_not_go_on(
    process, ask, recording, open_exam, settings, tmp_path, until
):
    named = open_exam("sim").exam
    running, _ = recording("sim", named)
    kill(running)
    exam.close_exam(settings.places, CLOCK, named)
    process("sim")  # it answers before it has looked for orders
    words = f"had an order to record, which is over: exam {named} was closed"
    until(lambda: words in (tmp_path / "sim.log").read_text())
    assert not ask("sim", do="status")["recording"]


def test_a_recording_that_ended_by_itself_leaves_no_order(process, ask, recording, settings, until):
    recording("sim", seconds=0.5)
    until(lambda: not ask("sim", do="status")["recording"])
    until(lambda: not settings.places.order("sim").exists())


def test_a_person_who_starts_anew_does_not_wait_for_a_device_that_is_awaited(process, ask, recording, port, until):
    with CytonPlayer(port, COUNTS, speed=2):
        running, first = recording("cyton")
        kill(running)
    process("cyton")
    until(lambda: ask("cyton", do="status")["state"] == "starting")
    with CytonPlayer(port, COUNTS, speed=2):
        assert ask("cyton", do="start", exam=None, seconds=None)["acquisition"] != first
        ask("cyton", do="stop")


@pytest.fixture
def order(settings, process, recording):
    """An order whose recording was cut off; and what is decided about it so many seconds later."""
    running, begun = recording("sim", seconds=100.0)
    kill(running)

    def later(seconds: float) -> Standing | None:
        now = CLOCK.now()
        passed = dataclasses.replace(now, monotonic=now.monotonic + seconds, wall=now.wall + seconds)
        return standing.resumed(settings.places, "sim", passed, away=60.0)

    return later, settings.places.acquisition(begun) / "records"


def test_a_planned_length_counts_from_the_order(order):
    later, _ = order
    found = later(30)
    assert found is not None
    now = CLOCK.now()
    assert standing.left(found, now) == pytest.approx(100 - (now.monotonic - found.ordered.monotonic))


def test_a_device_that_was_away_for_too_long_may_have_another_patient(order, settings, caplog):
    caplog.set_level(logging.WARNING)
    later, _ = order
    assert later(70) is None
    assert "recorded nothing for more than 60 s, another patient may be on it" in caplog.text
    assert not settings.places.order("sim").exists()


def test_killed_between_end_and_the_end_of_the_order_it_does_not_begin_again(order, settings, caplog):
    later, path = order
    interrupted.finish(path, 1)
    assert later(5) is not None  # forward was quicker: the END it adds says that the recording was cut off
    end = records.ending(path)
    end.interrupted, end.reason = False, "the planned length was reached"
    good = list(records.read(path))[-2].end
    path.write_bytes(path.read_bytes()[:good] + records.pack(records.Type.END, end.last_time, end.as_json()))
    assert later(5) is None
    assert "its recording has ended" in caplog.text


@pytest.mark.parametrize(
    ("content", "words"), [(b"{", "cannot be read"), (None, "has format version 99, newer than 1: upgrade the gateway")]
)
def test_an_order_that_cannot_be_understood_is_left_and_said(order, settings, caplog, content, words):
    later, _ = order
    path = settings.places.order("sim")
    path.write_bytes(content or json.dumps(json.loads(path.read_bytes()) | {"version": 99}).encode())
    before = path.read_bytes()
    assert later(5) is None
    assert words in caplog.text
    assert path.read_bytes() == before
