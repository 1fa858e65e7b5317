"""Exams that nobody closed, live views, and lines that cannot be opened."""

from __future__ import annotations

import json
import os
import time

import numpy as np
import pytest

from firmware_adapters.simulated import ADAPTER
from gateway import capture, exam, fsops
from gateway.acquire.adapter import Serial
from gateway.acquire.admission import admit
from gateway.acquire.idle import close_if_idle
from gateway.acquire.live import Live
from gateway.acquire.recorder import Recorder, of_exam, read_facts
from gateway.acquire.shells import SerialShell
from gateway.acquire.whose import device_exam, named_exam
from gateway.clock import Clock
from gateway.errors import Held, Retry
from gateway.events import Samples, Started
from gateway.model import Channel, Equipment, MultiplexGroup
from gateway.places import Places


def later(seconds: float) -> Clock:
    """A clock that is so far ahead."""
    return Clock("always", lambda: time.time() + seconds, lambda: time.monotonic() + seconds)


def test_an_idle_exam_without_a_recording_is_discontinued_with_a_reason(settings, open_exam):
    opened = open_exam("sim").exam
    device = settings.device("sim")
    assert close_if_idle(settings.places, later(device.exam_idle - 1), device) == ()
    assert close_if_idle(settings.places, later(device.exam_idle + 1), device) == (opened,)
    closed = exam.load(settings.places, opened).closed
    assert closed.status == "DISCONTINUED"
    assert closed.reason.scheme == "DCM"


def test_an_idle_exam_with_a_recording_is_completed(settings, open_exam):
    opened = open_exam("sim").exam
    capture.record(settings, "sim", opened, 0.2, lambda _s: None)
    device = settings.device("sim")
    assert close_if_idle(settings.places, later(device.exam_idle + 5), device) == (opened,)
    assert exam.load(settings.places, opened).closed.status == "COMPLETED"


def test_an_exam_in_which_a_device_still_records_is_not_idle(settings, open_exam):
    opened = open_exam("sim", "cyton").exam
    recorder = Recorder(settings.places, Clock("always"), settings.device("cyton"), ADAPTER)
    recorder.begin(Started(Equipment("A", "B"), (MultiplexGroup("g", 1.0, (Channel("I", "uV", 1.0),)),)), opened)
    device = settings.device("sim")
    assert close_if_idle(settings.places, later(device.exam_idle + 5), device) == ()
    recorder.close("over")
    assert close_if_idle(settings.places, later(device.exam_idle + 5), device) == (opened,)


def restarted(settings, exam_id: str, **opened) -> None:
    """The box was restarted after that exam was opened."""
    path = settings.places.exam(exam_id)
    data = json.loads(path.read_bytes())
    data["opened"] |= {"boot": "the boot before"} | opened
    path.write_text(json.dumps(data))


def booted(uptime: float, later: float = 0.0, trust: bool = True) -> Clock:
    """The clock of a box that started ``uptime`` seconds ago."""
    clock = Clock("always", lambda: time.time() + later, lambda: uptime)
    clock.trusted = lambda: trust
    return clock


def test_an_exam_that_a_restart_interrupted_is_closed_when_it_was_idle_by_the_wall_clock(settings, open_exam):
    opened = open_exam("sim").exam
    restarted(settings, opened)
    device = settings.device("sim")
    assert close_if_idle(settings.places, booted(20.0, device.exam_idle - 60), device) == ()
    assert close_if_idle(settings.places, booted(20.0, device.exam_idle + 60), device) == (opened,)
    assert exam.load(settings.places, opened).closed.status == "DISCONTINUED"


@pytest.mark.parametrize("then, now", [(True, False), (False, True)])
def test_without_a_trusted_clock_an_interrupted_exam_is_as_idle_as_the_box_is_up(settings, open_exam, then, now):
    opened = open_exam("sim").exam
    restarted(settings, opened, trusted=then)
    device = settings.device("sim")
    assert close_if_idle(settings.places, booted(device.exam_idle - 1, 1e6, now), device) == ()
    assert close_if_idle(settings.places, booted(device.exam_idle + 1, 1e6, now), device) == (opened,)


def test_an_interrupted_exam_with_a_recording_is_completed_and_counts_from_its_last_record(settings, open_exam):
    opened = open_exam("sim").exam
    kept = capture.record(settings, "sim", opened, 0.2, lambda _s: None)
    restarted(settings, opened, wall=time.time() - 1e6)
    path = settings.places.acquisition(kept) / "facts.json"
    path.write_text(
        json.dumps(data := json.loads(path.read_bytes())).replace(data["started"]["boot"], "the boot before")
    )
    device = settings.device("sim")
    assert close_if_idle(settings.places, booted(20.0, device.exam_idle - 60), device) == ()
    assert close_if_idle(settings.places, booted(20.0, device.exam_idle + 60), device) == (opened,)
    assert exam.load(settings.places, opened).closed.status == "COMPLETED"


def test_a_cut_off_recording_counts_until_its_last_record_not_from_its_start(settings, open_exam):
    opened = open_exam("sim").exam
    device = settings.device("sim")
    began = later(-3 * device.exam_idle)
    recorder = Recorder(settings.places, began, device, ADAPTER)
    recorder.begin(Started(Equipment("A", "B"), (MultiplexGroup("g", 1.0, (Channel("I", "uV", 1.0),)),)), opened)
    recorder._writer.abandon()  # as kill -9 would: no END; its file was written just now
    restarted(settings, opened, boot=began.now().boot, monotonic=began.monotonic())
    assert close_if_idle(settings.places, Clock("always"), device) == ()
    assert close_if_idle(settings.places, later(device.exam_idle + 5), device) == (opened,)


def test_a_recording_that_cannot_be_read_or_vanishes_stops_nobody(settings, open_exam, monkeypatch):
    opened = open_exam("sim").exam
    for _ in range(2):
        capture.record(settings, "sim", opened, 0.1, lambda _s: None)
    gone, left = sorted(settings.places.acquisitions.glob("*/facts.json"))
    gone.unlink()
    gone.symlink_to("nothing")  # forward purged it between the listing and the reading
    assert [f.acquisition for f in of_exam(settings.places, opened)] == [left.parent.name]
    gone.unlink()
    gone.mkdir()  # reading it fails otherwise
    assert [f.acquisition for f in of_exam(settings.places, opened)] == [left.parent.name]
    (left.parent / "records").unlink()
    device = settings.device("sim")
    assert close_if_idle(settings.places, later(device.exam_idle + 5), device) == (opened,)


def test_a_device_that_begins_by_itself_in_a_stale_exam_is_nobodys_until_a_person_confirms(settings, open_exam):
    opened = open_exam("sim").exam
    device = settings.device("sim")
    assert device_exam(settings.places, later(device.exam_idle - 5), device) == opened
    assert device_exam(settings.places, later(device.exam_idle + 5), device) is None
    assert exam.load(settings.places, opened).closed is not None


def test_an_exam_that_was_closed_before_its_recording_began_gets_nothing(settings, open_exam):
    opened = open_exam("sim").exam
    assert named_exam(settings.places, "sim", opened) == opened
    exam.close_exam(settings.places, Clock("always"), opened)
    assert named_exam(settings.places, "sim", opened) is None
    kept = capture.record(settings, "sim", opened, 0.1, lambda _s: None)
    assert read_facts(settings.places.acquisition(kept)).exam is None


def test_facts_of_a_newer_format_are_refused_untouched(settings, acquisition):
    kept = acquisition(capture.record(settings, "sim", None, 0.2, lambda _s: None))
    path = kept.folder / "facts.json"
    newer = path.read_text().replace('"version": 2', '"version": 3')
    path.write_text(newer)
    with pytest.raises(Held, match="newer than 2; upgrade"):
        read_facts(kept.folder)
    assert path.read_text() == newer


def test_no_room_is_said_in_numbers(tmp_path):
    with pytest.raises(Held, match=r"MiB are free"):
        admit(Places(tmp_path / "not" / "there", tmp_path), 1 << 40)


def test_the_live_view_holds_the_last_five_seconds_only():
    live = Live()
    assert live.view() == {"rate": 0.0, "channels": []}
    live.begin((MultiplexGroup("g", 500.0, (Channel("I", "uV", 2.0),)),))
    counts = np.arange(10_000, dtype=np.int32).reshape(-1, 1)
    for cut in range(0, 10_000, 7):
        live.take(Samples(counts[cut : cut + 7], 0.0))
    view = live.view()
    assert view["rate"] == 125.0
    assert view["channels"][0]["values"] == [2.0 * n for n in range(7500, 10_000, 4)]


def test_a_port_without_permission_names_the_group_to_join(tmp_path, monkeypatch):
    def denied(*_args, **_more):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("gateway.acquire.shells.serial.Serial", denied)
    with pytest.raises(Retry, match=r"no permission.*dialout"):
        SerialShell(Serial(baud=9600), str(tmp_path / "port")).open()


def test_a_port_that_another_program_holds_is_named_so():
    master, slave = os.openpty()
    try:
        first, second = (SerialShell(Serial(baud=9600), os.ttyname(slave)) for _ in range(2))
        first.open()
        with pytest.raises(Retry, match="in use by another program"):
            second.open()
        first.close()
        second.open()
        second.close()
    finally:
        os.close(master)
        os.close(slave)


def test_a_file_is_no_serial_port(tmp_path):
    (tmp_path / "port").write_text("")
    with pytest.raises(Retry, match="cannot be opened"):
        SerialShell(Serial(baud=9600), str(tmp_path / "port")).open()


def test_a_purged_recording_leaves_its_number_to_nobody_else(settings, open_exam):
    recorder = Recorder(settings.places, Clock("always"), settings.device("sim"), ADAPTER)
    group = MultiplexGroup("g", 1.0, (Channel("I", "uV", 1.0),))
    named, numbers = open_exam("sim").exam, []
    for _ in range(3):
        facts = recorder.begin(Started(Equipment("A", "B"), (group,)), named)
        recorder.close("over")
        numbers.append(facts.number)
        fsops.remove_folder(settings.places.acquisition(facts.acquisition))
    assert numbers == [1, 2, 3]
