"""What was recorded without a patient is held until a person says whose it is, and then goes its way at once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from box import Box, box
from pydicom import dcmread
from waiting import eventually

from gateway import capture
from gateway.trial import patients
from gateway.trial.device import synthetic
from gateway.trial.hospital import Hospital


@pytest.fixture
def made(tmp_path: Path) -> Iterator[tuple[Box, Hospital]]:
    with Hospital(tmp_path / "hospital", items=patients.items("GATEWAY"), report="same") as hospital:
        peer = (hospital.ae_title, hospital.port)
        with box(tmp_path / "out", synthetic(60), peer, peer) as running:
            yield running, hospital


def gateway(made: Box, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway", "--config", str(made.shop.config), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_one_command_gives_a_nobodys_recording_to_a_scheduled_step(made: tuple[Box, Hospital]) -> None:
    running, hospital = made
    running.shop.processes.pop("capture-ecg1").stop()
    recording = capture.record(running.settings, "ecg1", None, 2.0, lambda _seconds: None)
    while not (listed := gateway(running, "queue", "list")).returncode:
        assert running.shop.processes["forward"].pid
    assert (listed.returncode, "belongs to nobody yet" in listed.stdout) == (4, True)
    assert f"gateway exam attribute {recording}" in listed.stdout
    assert hospital.files() == []
    done = gateway(running, "exam", "attribute", recording, "--step", "SPS0002", "--json")
    assert done.returncode == 0, done.stderr
    exam = json.loads(done.stdout)["exam"]
    running.until(exam, "COMMITTED")
    (stored,) = hospital.files()
    assert str(dcmread(stored).PatientName) == "Ñuñez^Begoña"
    again = gateway(running, "exam", "attribute", recording, "--step", "SPS0001")
    assert (again.returncode, "has a patient" in again.stderr) == (4, True)
    assert len(hospital.files()) == 1
    assert json.loads(gateway(running, "exam", "list", "--json").stdout)["exams"][0]["exam"] == exam
    assert len(json.loads(gateway(running, "exam", "list", "--json").stdout)["exams"]) == 1


def test_one_command_gives_what_the_pacs_has_under_a_wrong_patient_to_the_right_one(
    made: tuple[Box, Hospital],
) -> None:
    running, hospital = made
    done = gateway(running, "acquire", "ecg1", "--step", "SPS0001", "--seconds", "2", "--json")
    assert done.returncode == 0, done.stderr
    wrong = json.loads(done.stdout)["exam"]
    running.until(wrong, "COMMITTED")
    refused = gateway(running, "exam", "attribute", wrong, "--step", "SPS0002")
    assert (refused.returncode, "--correct" in refused.stderr) == (4, True)
    done = gateway(running, "exam", "attribute", wrong, "--step", "SPS0002", "--correct", "--why", "mixed up", "--json")
    assert done.returncode == 0, done.stderr
    assert "is told that it is withdrawn" in done.stderr
    running.until(json.loads(done.stdout)["exam"], "COMMITTED")
    eventually(lambda: len(hospital.files()) >= 3)
    found = sorted((str(d.Modality), str(d.PatientID)) for d in map(dcmread, hospital.files()))
    assert found == [("ECG", "PAT-0001"), ("ECG", "PAT-0002"), ("KO", "PAT-0001")]
    assert "mixed up" in (running.settings.box.data / "audit.jsonl").read_text()
