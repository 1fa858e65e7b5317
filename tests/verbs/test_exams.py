"""Stopping an exam stops its own recordings and nobody else's, and never says closed of what still records."""

from __future__ import annotations

import argparse
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway import capture, cli, exam, local
from gateway.acquire.recorder import read_facts
from gateway.clock import Clock
from gateway.errors import Held, Retry
from gateway.model import Attributed
from gateway.settings import Settings
from gateway.verbs import exams, giving, replay
from gateway.verbs.exams import start_exam, stop_exam

PATIENT = {"patient_id": "P1", "patient_name": "Doe^Jane"}


@pytest.fixture
def asked(settings: Settings) -> Iterator[list[Any]]:
    """What a capture process of ecg1 is asked to stop."""
    heard: list[Any] = []

    def stop(request: dict[str, Any]) -> dict[str, Any]:
        heard.append((request["exam"], exam.load(settings.places, request["exam"]).closed is None))
        return {"acquisition": None}

    server = local.Server(settings.places.socket("capture-ecg1"), {"stop": stop})
    yield heard
    server.close()


def test_its_devices_are_told_which_exam_is_stopped_before_and_after_it_is_closed(
    settings: Settings, asked: list[Any]
) -> None:
    opened = start_exam(settings, ("ecg1",), patient=PATIENT).exam
    assert stop_exam(settings, opened).closed is not None
    assert asked == [(opened, True), (opened, False)]


def test_an_exam_that_is_closed_already_stops_nothing(settings: Settings, asked: list[Any]) -> None:
    opened = start_exam(settings, ("ecg1",), patient=PATIENT).exam
    closed = exam.close_exam(settings.places, Clock("always"), opened, "DISCONTINUED")
    assert stop_exam(settings, opened) == closed
    assert asked == []


def test_without_a_capture_process_the_exam_is_just_closed(settings: Settings) -> None:
    opened = start_exam(settings, ("ecg1",), patient=PATIENT).exam
    closed = stop_exam(settings, opened).closed
    assert closed is not None
    assert closed.status == "COMPLETED"


@pytest.mark.parametrize("error", [Retry("busy", "try again"), Held("no", "look")])
def test_while_a_device_may_still_record_the_exam_stays_open(settings: Settings, error: Exception) -> None:
    opened = start_exam(settings, ("ecg1",), patient=PATIENT).exam

    def busy(_request: dict[str, Any]) -> dict[str, Any]:
        raise error

    server = local.Server(settings.places.socket("capture-ecg1"), {"stop": busy})
    try:
        with pytest.raises(type(error)):
            stop_exam(settings, opened)
    finally:
        server.close()
    assert exam.load(settings.places, opened).closed is None


def test_a_capture_that_hangs_keeps_the_exam_open(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = start_exam(settings, ("ecg1",), patient=PATIENT).exam
    path = settings.places.socket("capture-ecg1")
    path.parent.mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(local.ask, "__defaults__", (0.2,))
    monkeypatch.setattr(local.ask_if_there, "__defaults__", (0.2,))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as hanging:
        hanging.bind(str(path))
        hanging.listen(4)
        with pytest.raises(Retry, match="does not answer"):
            stop_exam(settings, opened)
    assert exam.load(settings.places, opened).closed is None


def test_a_replay_for_a_patient_leaves_the_live_device_alone(
    config: Path, settings: Settings, asked: list[Any]
) -> None:
    """What the device records meanwhile is not the replayed patient's, and is not stopped when the replay is over."""
    live = exam.open_exam(settings.places, Clock("always"), ("ecg1",), Attributed.NOBODY, {})
    transcript = settings.places.acquisition(capture.record(settings, "ecg1", None, 0.1, lambda _s: None))
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path)
    replay.arguments(parser)
    who = ["--patient-id", "P9", "--patient-name", "Old^Hand"]
    given = parser.parse_args(["--config", str(config), str(transcript), "--device", "ecg1", *who])
    assert replay.run(given) == 0
    assert exam.current(settings.places, "ecg1") == live
    assert asked == []
    (replayed,) = [e for e in exam.exams(settings.places) if e.exam != live.exam]
    assert (replayed.devices, replayed.closed is not None) == ((), True)
    made = [read_facts(path) for path in settings.places.acquisitions.iterdir()]
    assert replayed.exam in {facts.exam for facts in made}


def test_a_damaged_exam_is_named_and_hides_no_other_from_the_list(
    config: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = start_exam(settings, ("ecg1",), patient=PATIENT).exam
    good = start_exam(settings, ("ecg2",), patient=PATIENT).exam
    settings.places.exam(bad).write_text("{")
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path)
    exams.arguments(parser)
    assert exams.run(parser.parse_args(["--config", str(config), "list"])) == 0
    said = capsys.readouterr()
    assert good in said.out
    assert bad in said.err


@pytest.fixture
def forward(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """A forward that answers what the test lays ready: an answer, or the error of one that is killed."""
    monkeypatch.setattr(giving, "_AGAIN", 0.0)
    answers: list[Any] = []

    def attribute(_request: dict[str, Any]) -> dict[str, Any]:
        if isinstance(answer := answers.pop(0), Exception):
            raise answer
        return {"words": answer}

    asked = {"queue-show": lambda _request: {"acquisition": {"exam": ""}}, "attribute": attribute}
    server = local.Server(settings.places.socket("forward"), asked)
    yield answers
    server.close()


def give(settings: Settings, config: Path) -> int:
    folder = settings.places.acquisition("REC")
    folder.mkdir(parents=True)
    (folder / "facts.json").write_text("{}")
    return cli.main(["--config", str(config), "exam", "attribute", "REC", "--emergency"])


def test_a_forward_that_dies_before_it_answers_an_attribution_is_asked_again(
    settings: Settings, config: Path, forward: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    forward += [Retry("the process went away in mid-answer"), "it belongs to the exam"]
    assert give(settings, config) == 0
    (found,) = exam.exams(settings.places)
    assert found.closed is not None
    assert found.closed.status == "COMPLETED"


def test_an_exam_is_not_reported_as_empty_while_nobody_knows_whether_it_has_the_recording(
    settings: Settings,
    config: Path,
    forward: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(giving, "_INSIST", -1.0)
    forward += [Retry("the process went away in mid-answer")]
    assert give(settings, config) == 3
    (found,) = exam.exams(settings.places)
    assert found.closed is None
    assert f"gateway queue attribute REC --to {found.exam}" in capsys.readouterr().err


def test_a_refused_attribution_leaves_a_discontinued_exam(
    settings: Settings, config: Path, forward: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    forward += [Held("recording REC belongs to an exam already")]
    assert give(settings, config) == 4
    (found,) = exam.exams(settings.places)
    assert found.closed is not None
    assert found.closed.status == "DISCONTINUED"


@pytest.mark.parametrize("round_", range(10))
def test_of_two_patients_chosen_at_once_on_one_device_one_is_refused(settings: Settings, round_: int) -> None:
    gate, made, refused = threading.Barrier(2), list[str](), list[Held]()

    def choose(patient_id: str) -> None:
        gate.wait()
        try:
            made.append(start_exam(settings, ("ecg1",), patient=PATIENT | {"patient_id": patient_id}).exam)
        except Held as error:
            refused.append(error)

    threads = [threading.Thread(target=choose, args=(name,)) for name in ("A", "B")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(made), len(refused)) == (1, 1)
    assert [e.exam for e in exam.exams(settings.places)] == made
