"""Stills and clips through the real capture process and disk; the camera is simulated, all behind it is not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from firmware_adapters.simulated_video import Options, encoded, number_in
from gateway import capture, configuration, interrupted, records
from gateway.acquire import admission, recorder
from gateway.errors import Held
from gateway.events import Frame, Gap

CAMERA = """
[[device]]
name = "cam"
adapter = "simulated_video"
columns = 320
rows = 240
rate = 20.0
sync_interval = 0.1
{more}
"""
OPTIONS = Options(columns=320, rows=240, rate=20.0)
SIZE = 320 * 240 * 2


@pytest.fixture
def more():
    return ""


@pytest.fixture
def config(config, more):
    config.write_text(config.read_text() + CAMERA.format(more=more))
    return config


class Taken:
    """What lies in an acquisition's folder."""

    def __init__(self, settings, name) -> None:
        self.folder = settings.places.acquisition(name)
        self.path = self.folder / "records"
        self.facts = recorder.read_facts(self.folder)
        self.events = list(records.events(self.path))
        self.frames = [event for event in self.events if isinstance(event, Frame)]
        self.end = records.ending(self.path)

    @property
    def numbers(self):
        return [number_in(np.frombuffer(f.data, np.uint8).reshape(240, 320, 2)[..., :1]) for f in self.frames]


@pytest.fixture
def taken(settings):
    return lambda name: Taken(settings, name)


def test_a_still_is_one_frame_to_the_bit(process, ask, open_exam, taken):
    process("cam")
    named = open_exam("cam").exam
    answer = ask("cam", do="start", exam=named, seconds=None)
    assert answer["taken"]
    kept = taken(answer["acquisition"])
    assert kept.facts.exam == named
    assert kept.facts.picture.rate == 0.0
    assert (kept.end.frames, kept.end.frame_bytes, kept.end.gaps) == (1, SIZE, 0)
    assert kept.frames[0].data == encoded(OPTIONS, kept.numbers[0])
    assert kept.frames[0].time <= kept.facts.started.monotonic


def test_each_still_is_another_recording_of_the_exam_with_the_next_number(process, ask, open_exam, taken):
    process("cam")
    named = open_exam("cam").exam
    found = [taken(ask("cam", do="trigger")["acquisition"]) for _ in range(3)]
    assert [each.facts.number for each in found] == [1, 2, 3]
    assert {each.facts.exam for each in found} == {named}
    assert len({each.numbers[0] for each in found}) == 3


def test_a_clip_goes_from_one_trigger_to_the_next(process, ask, open_exam, taken, until):
    process("cam")
    open_exam("cam")
    begun = ask("cam", do="trigger", takes="clip")
    assert not begun["stopped"]
    until(lambda: ask("cam", do="status")["samples"] >= 10)
    assert ask("cam", do="trigger", takes="clip")["stopped"]
    kept = taken(begun["acquisition"])
    assert kept.facts.picture.rate == 20.0
    assert kept.end.frames >= 10
    assert kept.end.groups[0].samples == kept.end.frames + kept.end.groups[0].missing
    missing = sum(event.samples for event in kept.events if isinstance(event, Gap))
    assert kept.numbers[-1] - kept.numbers[0] + 1 == len(kept.numbers) + missing
    assert all(f.data == encoded(OPTIONS, n) for f, n in zip(kept.frames, kept.numbers, strict=True))


def test_a_clip_of_known_length_ends_by_itself(settings, open_exam, taken):
    name = capture.record(settings, "cam", open_exam("cam").exam, 1.0, lambda seconds: None, takes="clip")
    kept = taken(name)
    assert kept.end.reason == "the planned length was reached"
    assert kept.frames[-1].time - kept.frames[0].time >= 0.99


@pytest.mark.parametrize("more", ["pre_roll = 60.0"])
def test_the_seconds_before_the_trigger_are_in_the_clip_but_none_of_before_the_exam(
    process, ask, open_exam, taken, until, settings
):
    process("cam")
    until(lambda: ask("cam", do="status")["state"] == "ready")
    before = taken(ask("cam", do="start", exam=None, seconds=None)["acquisition"])  # the camera runs
    opened = open_exam("cam").opened.monotonic
    seen = taken(ask("cam", do="trigger", takes="still")["acquisition"]).frames[0].time
    begun = ask("cam", do="trigger", takes="clip")["acquisition"]
    ask("cam", do="trigger")
    kept = taken(begun)
    assert before.frames[0].time < opened <= kept.frames[0].time
    assert kept.frames[0].time <= seen
    assert [event.text for event in kept.events if type(event).__name__ == "Marker"] == ["the recording was asked for"]


@pytest.mark.parametrize("more", ["pre_roll = 60.0"])
def test_without_an_exam_nothing_of_before_is_taken(process, ask, taken, until):
    process("cam")
    seen = taken(ask("cam", do="trigger", takes="still")["acquisition"]).frames[0].time
    begun = ask("cam", do="trigger", takes="clip")["acquisition"]
    until(lambda: ask("cam", do="status")["samples"] >= 3)
    ask("cam", do="trigger")
    kept = taken(begun)
    assert kept.facts.exam is None
    assert kept.frames[0].time > seen


def test_a_clip_that_is_killed_is_finished_from_its_records(process, ask, open_exam, taken, until):
    running = process("cam")
    open_exam("cam")
    begun = ask("cam", do="trigger", takes="clip")["acquisition"]
    until(lambda: ask("cam", do="status")["durable"] >= 5)
    running.kill()
    running.wait()
    kept = taken(begun)
    assert kept.end is None
    end = interrupted.finish(kept.path, kept.facts.streams)
    assert (end.frames, end.frame_bytes) == (len(kept.frames), len(kept.frames) * SIZE)
    assert end.interrupted


def test_a_killed_clip_goes_on_but_a_still_is_not_taken_later(process, ask, open_exam, settings, until):
    running = process("cam")
    open_exam("cam")
    ask("cam", do="trigger", takes="clip")
    assert settings.places.order("cam").exists()
    running.kill()
    running.wait()
    process("cam")
    until(lambda: ask("cam", do="status")["samples"] > 0)
    ask("cam", do="stop")
    ask("cam", do="trigger", takes="still")
    assert not settings.places.order("cam").exists()


def test_a_clip_for_which_there_is_no_room_is_refused_and_a_still_is_not(settings, open_exam, taken, monkeypatch):
    exam = open_exam("cam").exam
    roomy = admission.Room(admission.LAST_ROOM + (10 << 20))
    monkeypatch.setattr(admission, "room", lambda place: roomy)
    with pytest.raises(Held, match="for the instance made of it"):
        capture.record(settings, "cam", exam, 60.0, lambda seconds: None, takes="clip")
    assert taken(capture.record(settings, "cam", exam, 60.0, lambda seconds: None)).end.frames == 1


def test_an_image_source_may_be_set_to_take_clips(config):
    text = config.read_text().replace('name = "cam"', 'name = "cam"\ntakes = "clip"')
    options = configuration.parse(text).options["cam"]
    assert dataclasses.asdict(options)["takes"] == "clip"


def test_quick_presses_alternate_whatever_was_told_last(process, ask, open_exam):
    process("cam")
    open_exam("cam")
    said = [ask("cam", do="trigger", takes="clip")["stopped"] for _ in range(6)]
    assert said == [False, True] * 3
    assert not any(ask("cam", do="trigger", takes="still")["stopped"] for _ in range(4))


def test_a_damaged_exam_keeps_nobody_from_stopping(process, ask, open_exam, settings):
    process("cam")
    opened = open_exam("cam").exam
    assert not ask("cam", do="trigger", takes="clip")["stopped"]
    settings.places.exam(opened).write_text("{")
    assert ask("cam", do="trigger")["stopped"]
