"""The capture process as systemd runs it: asked over its socket, stopped, killed."""

from __future__ import annotations

import signal
import subprocess
import sys

import numpy as np
import pytest

from gateway import exam, interrupted, records
from gateway.clock import Clock
from gateway.errors import Held, Misuse, Retry
from gateway.trial.device import CytonPlayer, Faults, synthetic

COUNTS = synthetic(20)


def test_it_records_in_the_named_exam_from_start_to_stop(process, ask, open_exam, acquisition, until):
    process("sim")
    named = open_exam("sim").exam
    begun = ask("sim", do="start", exam=named, seconds=None)["acquisition"]
    until(lambda: ask("sim", do="status")["samples"] > 300)
    assert ask("sim", do="status")["recording"]
    assert ask("sim", do="status")["exam"] == named
    counts = ask("sim", do="stop")
    assert counts["acquisition"] == begun
    kept = acquisition(begun)
    assert len(kept.samples) == counts["samples"] == kept.end.groups[0].samples
    assert kept.facts.exam == named
    assert kept.facts.test
    assert not ask("sim", do="status")["recording"]


def test_what_it_calls_durable_outlives_its_kill(process, ask, open_exam, acquisition, until):
    running = process("sim")
    begun = ask("sim", do="start", exam=open_exam("sim").exam, seconds=None)["acquisition"]
    status = until(lambda: (s := ask("sim", do="status"))["durable"] > 0 and s)
    assert status["durable"] <= status["samples"]
    running.kill()
    running.wait()
    assert len(acquisition(begun).samples) >= status["durable"]


def test_a_planned_length_ends_by_itself(process, ask, open_exam, acquisition, until):
    process("sim")
    ask("sim", do="start", exam=open_exam("sim").exam, seconds=1.0)
    kept = acquisition(until(lambda: not (s := ask("sim", do="status"))["recording"] and s["kept"]))
    assert len(kept.samples) >= 500
    assert kept.end.reason == "the planned length was reached"


def test_without_an_exam_a_recording_is_nobodys(process, ask, acquisition):
    process("sim")
    begun = ask("sim", do="start", exam=None, seconds=None)["acquisition"]
    ask("sim", do="stop")
    assert acquisition(begun).facts.exam is None


def test_orders_that_cannot_be_right_are_refused_with_words(process, ask, open_exam, settings):
    process("sim")
    with pytest.raises(Misuse, match="there is no exam"):
        ask("sim", do="start", exam="250101000000ABCD", seconds=None)
    other = open_exam("cyton").exam
    with pytest.raises(Misuse, match="is not in exam"):
        ask("sim", do="start", exam=other, seconds=None)
    exam.close_exam(settings.places, Clock("always"), other)
    with pytest.raises(Held, match="is closed"):
        ask("sim", do="start", exam=other, seconds=None)
    ask("sim", do="start", exam=None, seconds=None)
    with pytest.raises(Held, match="is recording already"):
        ask("sim", do="start", exam=None, seconds=None)


def test_stopping_an_older_exam_does_not_stop_the_present_patients_recording(process, ask, open_exam, settings):
    process("sim")
    old = open_exam("sim").exam
    exam.close_exam(settings.places, Clock("always"), old)
    begun = ask("sim", do="start", exam=open_exam("sim").exam, seconds=None)["acquisition"]
    assert ask("sim", do="stop", exam=old)["acquisition"] is None
    assert ask("sim", do="status")["acquisition"] == begun


def test_a_refused_start_leaves_the_running_recording_its_exam(process, ask, open_exam):
    process("sim")
    begun = ask("sim", do="start", exam=None, seconds=None)["acquisition"]
    named = open_exam("sim").exam
    with pytest.raises(Held, match="is recording already"):
        ask("sim", do="start", exam=named, seconds=None)
    assert ask("sim", do="stop", exam=named)["acquisition"] is None
    assert ask("sim", do="stop")["acquisition"] == begun


def test_stopping_what_does_not_run_is_no_error(process, ask):
    process("sim")
    assert ask("sim", do="stop")["acquisition"] is None


def test_live_gives_the_last_seconds_thinned_out_in_the_channels_unit(process, ask, until):
    process("sim")
    ask("sim", do="start", exam=None, seconds=None)
    until(lambda: ask("sim", do="status")["samples"] > 200)
    live = ask("sim", do="live")
    assert live["rate"] == 125.0
    assert [c["label"] for c in live["channels"]][:2] == ["I", "II"]
    assert live["channels"][0]["unit"] == "uV"
    assert 25 < len(live["channels"][0]["values"]) <= 625


def test_a_missing_device_is_in_the_status_with_what_to_do_and_refuses_to_start(process, ask, until):
    process("cyton")
    status = until(lambda: (s := ask("cyton", do="status"))["problem"] and s)
    assert status["state"] == "no device"
    assert "does not exist" in status["problem"]
    assert "plug the device in" in status["fix"]
    with pytest.raises(Retry, match="does not exist"):
        ask("cyton", do="start", exam=None, seconds=None)


def test_it_outlives_its_device(process, ask, port, acquisition, until):
    with CytonPlayer(port, COUNTS, speed=2) as player:
        process("cyton")
        begun = ask("cyton", do="start", exam=None, seconds=None)["acquisition"]
        until(lambda: ask("cyton", do="status")["samples"] > 200)
        player.unplug()
        until(lambda: ask("cyton", do="status")["problem"])
        player.plug()
        until(lambda: ask("cyton", do="status")["gaps"] == 1)
        ask("cyton", do="stop")
    kept = acquisition(begun)
    assert kept.end.groups[0].missing == kept.gaps[0].samples > 0
    assert kept.end.reason == "stopped by a person"


def test_sigterm_closes_the_recording_with_its_end(process, ask, acquisition, until):
    running = process("sim")
    begun = ask("sim", do="start", exam=None, seconds=None)["acquisition"]
    until(lambda: ask("sim", do="status")["samples"] > 100)
    running.send_signal(signal.SIGTERM)
    assert running.wait(20) == 0
    kept = acquisition(begun)
    assert kept.end.reason == "the capture process was stopped"
    assert not kept.end.interrupted


def test_kill_9_leaves_intact_records_up_to_the_last_sync(process, ask, port, settings, acquisition, until):
    with CytonPlayer(port, COUNTS, speed=2):
        running = process("cyton")
        begun = ask("cyton", do="start", exam=None, seconds=None)["acquisition"]
        path = settings.places.acquisition(begun) / "records"
        until(lambda: ask("cyton", do="status")["samples"] > 500)
        assert records.being_written(path)
        running.kill()
        running.wait()
    assert not records.being_written(path)
    assert records.ending(path) is None
    end = interrupted.finish(path, 1)
    kept = acquisition(begun)
    assert end.interrupted
    assert len(kept.samples) == end.groups[0].samples >= 250
    assert np.array_equal(kept.samples, COUNTS[: len(kept.samples)])


def test_a_silent_board_in_mid_recording_is_reported(process, ask, port, until):
    with CytonPlayer(port, COUNTS[:500], speed=2, faults=Faults()):
        process("cyton")
        ask("cyton", do="start", exam=None, seconds=None)
        status = until(lambda: (s := ask("cyton", do="status"))["problem"] and s)
        assert "no data for 2 s" in status["problem"]
        assert status["recording"]


def test_capture_loads_nothing_of_dicom_the_spool_or_the_network(config):
    code = (
        "import sys, threading\n"
        "from pathlib import Path\n"
        "from gateway import capture, configuration\n"
        "settings = configuration.load(Path(sys.argv[1]))\n"
        "capture.record(settings, 'sim', None, 0.2, lambda s: None)\n"
        "banned = ('gateway.dicom', 'gateway.spool', 'gateway.transfer', 'gateway.web', 'gateway.trial',\n"
        "          'gateway.verbs', 'pydicom', 'pynetdicom', 'sqlite3')\n"
        "print(sorted(m for m in sys.modules if m.startswith(banned)))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(config)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == "[]"
