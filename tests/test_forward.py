"""The forward process against an embedded hospital: worklist, steps, storage, commitment, media, kill -9, questions."""

from __future__ import annotations

import json
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from spooling import CLOCK, ITEM, record, somebodys_exam
from waiting import eventually

from gateway import configuration, exam, local
from gateway.errors import Fatal
from gateway.forward import Forward
from gateway.model import Attributed
from gateway.service import Service
from gateway.settings import Settings
from gateway.spool.space import Purger
from gateway.transfer.calling.echo import echo
from gateway.transfer.calling.peers import Peer
from gateway.transfer.committing import listener
from gateway.trial.hospital import Hospital
from gateway.trial.ports import free_port
from gateway.worklists import cached_worklists

PEERS = """
[[destination]]
name = "pacs"
ae_title = "HOSPITAL"
host = "127.0.0.1"
port = {port}
retry_first = 0.2
retry_most = 1
[[ris]]
name = "ris"
ae_title = "HOSPITAL"
host = "127.0.0.1"
port = {port}
[media]
folder = "{stick}"
"""


@pytest.fixture
def hospital(tmp_path: Path) -> Iterator[Hospital]:
    with Hospital(tmp_path / "hospital") as there:
        yield there


@pytest.fixture
def settings(config: Path, tmp_path: Path, hospital: Hospital) -> Settings:
    port = free_port()
    hospital.callers["GATEWAY"] = ("127.0.0.1", port)
    text = config.read_text().replace("port = 0", f'host = "127.0.0.1"\nport = {port}')
    config.write_text(text + PEERS.format(port=hospital.port, stick=tmp_path / "stick"))
    return configuration.load(config)


@pytest.fixture
def forward(settings: Settings) -> Iterator[Forward]:
    service = Service("forward")
    running = Forward(settings, service)
    try:
        running.start()
        yield running
    finally:
        running.close()
        service.close()


def ask(settings: Settings, do: str, **request: Any) -> dict[str, Any]:
    return local.ask(settings.places.socket("forward"), {"do": do, **request})


def states(settings: Settings, exam_id: str) -> dict[str, str]:
    return {d["destination"]: d["state"] for d in ask(settings, "exam", exam=exam_id)["deliveries"]}


def test_a_recording_reaches_pacs_and_stick_and_its_step_is_told_from_begin_to_end(
    settings: Settings, hospital: Hospital, forward: Forward, tmp_path: Path
) -> None:
    (tmp_path / "stick").mkdir()
    whose = somebodys_exam(settings)
    acquisition = record(settings, whose.exam)
    exam.close_exam(settings.places, CLOCK, whose.exam)
    step = eventually(lambda: [s for s in ask(settings, "exam", exam=whose.exam)["steps"] if s["state"] == "DONE"])[0]
    assert step["held"] is None
    eventually(lambda: states(settings, whose.exam) == {"pacs": "COMMITTED", "media": "STORED"})
    (file,) = hospital.files()
    assert pydicom.dcmread(file).PatientName == "Doe^Jane"
    assert (tmp_path / "stick" / "DICOMDIR").exists()
    eventually(lambda: ask(settings, "status")["queue"]["unfinished"] == 0)
    eventually(Purger(settings.places, forward.ledger, CLOCK, retention=0.0).turn)
    assert not settings.places.acquisition(acquisition).exists()


def test_the_worklist_is_kept_and_refreshed_on_request(
    settings: Settings, hospital: Hospital, forward: Forward
) -> None:
    assert ask(settings, "worklist-refresh")["items"] == {"ris": len(hospital.items)}
    (kept,) = cached_worklists(settings.places.worklist)
    assert len(kept.steps) == len(hospital.items)


def test_status_says_in_one_line_what_is_not_well(settings: Settings, hospital: Hospital, forward: Forward) -> None:
    eventually(lambda: "no medium at" in ask(settings, "status")["words"])
    settings.media.folder.mkdir()  # type: ignore[union-attr]
    record(settings, somebodys_exam(settings).exam)
    eventually(lambda: ask(settings, "status")["well"])
    record(settings, None)
    answer = eventually(lambda: not (found := ask(settings, "status"))["well"] and found)
    assert "1 held, a person must look" in answer["words"]
    assert answer["queue"]["held_recordings"] == 1
    hospital.stop()
    record(settings, somebodys_exam(settings, "ecg2").exam, device="ecg2")
    eventually(lambda: any("nothing listens at that port" in t for t in ask(settings, "status")["troubles"]))


def test_an_exam_that_nobody_closes_stays_in_progress(settings: Settings, hospital: Hospital, forward: Forward) -> None:
    whose = somebodys_exam(settings, how=Attributed.NOBODY)
    record(settings, whose.exam)
    eventually(lambda: ask(settings, "status")["queue"]["held_recordings"])
    assert ask(settings, "exam", exam=whose.exam)["steps"] == []
    exam.attribute(settings.places, CLOCK, whose.exam, Attributed.MANUAL, ITEM)
    eventually(hospital.files)
    steps = eventually(lambda: ask(settings, "exam", exam=whose.exam)["steps"])
    eventually(lambda: ask(settings, "exam", exam=whose.exam)["steps"][0]["state"] == "IN PROGRESS")
    assert steps[0]["ris"] == "ris"


def test_two_forwards_on_one_spool_refuse_each_other(settings: Settings, forward: Forward) -> None:
    with pytest.raises(Fatal, match="another forward process works on"):
        Forward(settings, Service("forward"))


def test_a_ledger_of_a_newer_format_stops_it_at_the_start_and_frees_the_lock(settings: Settings) -> None:
    settings.box.data.mkdir(parents=True)
    connection = sqlite3.connect(settings.places.ledger)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    for _ in range(2):
        with pytest.raises(Fatal, match="newer"):
            Forward(settings, Service("forward"))


def process(config: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "gateway", "forward", "--config", str(config)], stderr=subprocess.PIPE
    )


def test_killed_again_and_again_it_delivers_every_recording_once_to_the_disk_of_the_pacs(
    settings: Settings, hospital: Hospital, config: Path
) -> None:
    whose = somebodys_exam(settings)
    names = []
    for round_ in range(2):
        names += [record(settings, whose.exam) for _ in range(3)]
        running = process(config)
        try:
            eventually(lambda n=round_: len(hospital.files()) > 3 * n)
        finally:
            running.kill()
            running.communicate()
    running = process(config)
    try:
        eventually(lambda: len(hospital.files()) == len(names))
        eventually(
            lambda: {d["state"] for d in ask_if_up(settings, whose.exam) if d["destination"] == "pacs"} == {"COMMITTED"}
        )
        running.terminate()
        _, said = running.communicate(timeout=30)
    finally:
        running.kill()
        running.wait()
    assert running.returncode == 0, said.decode()
    assert b"Traceback" not in said
    uids = {pydicom.dcmread(f, specific_tags=["SOPInstanceUID"], force=True).SOPInstanceUID for f in hospital.files()}
    assert len(uids) == len(names)


def ask_if_up(settings: Settings, exam_id: str) -> list[dict[str, Any]]:
    answer = local.ask_if_there(settings.places.socket("forward"), {"do": "exam", "exam": exam_id})
    return answer["deliveries"] if answer else []


def test_a_port_that_is_taken_at_the_start_is_a_trouble_and_used_once_it_is_free(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "_AGAIN", 0.1)
    with socket.socket() as other:
        other.bind((settings.listener.host, settings.listener.port))
        other.listen()
        service = Service("forward")
        running = Forward(settings, service)
        try:
            running.start()
            taken = f"listener: the listener cannot use 127.0.0.1:{settings.listener.port}"
            assert any(t.startswith(taken) for t in ask(settings, "status")["troubles"])
            other.close()
            eventually(lambda: not any("listener" in t for t in ask(settings, "status")["troubles"]))
            box = Peer("box", settings.box.ae_title, settings.listener.host, settings.listener.port, "HOSPITAL", 5.0)
            assert echo(box).accepted
        finally:
            running.close()
            service.close()


def test_an_exam_that_a_restart_interrupted_is_a_trouble_until_it_is_closed(settings: Settings) -> None:
    whose = somebodys_exam(settings)
    path = settings.places.exam(whose.exam)
    data = json.loads(path.read_text())
    data["opened"]["boot"] = "the boot before"
    path.write_text(json.dumps(data))
    service = Service("forward")
    running = Forward(settings, service)
    try:
        words = f"exam {whose.exam} was interrupted by a restart: gateway exam stop {whose.exam}"
        assert words in running.status({})["troubles"]
        exam.close_exam(settings.places, CLOCK, whose.exam)
        assert words not in running.status({})["troubles"]
    finally:
        running.close()
        service.close()
