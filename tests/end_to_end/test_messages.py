"""What goes wrong in a hospital each day: one line that says what to do, and an honest exit code."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from dcmtk import storescp
from ecg_files import write_ecg

from gateway.transfer import media
from gateway.trial.device import CytonPlayer, Faults, synthetic
from gateway.trial.hospital import Hospital
from gateway.trial.ports import free_port

CONFIGURATION = """
[gateway]
data = "{folder}/data"
runtime = "{folder}/run"
[clock]
trust = "always"
[listener]
port = 0
[spool]
reserve = 0
[[device]]
name = "ecg1"
adapter = "openbci_cyton"
port = "{folder}/tty"
[[ris]]
name = "ris"
ae_title = "HOSPITAL"
host = "127.0.0.1"
port = {port}
timeout = 1.0
"""


def gateway(config: Path, *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output, and the one line on standard error."""
    command = [sys.executable, "-m", "gateway", "--config", str(config), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr.strip()


def configured(folder: Path, port: int) -> Path:
    path = folder / "gateway.toml"
    path.write_text(CONFIGURATION.format(folder=folder, port=port))
    return path


@pytest.fixture
def hospital(tmp_path: Path) -> Iterator[Hospital]:
    with Hospital(tmp_path / "hospital") as running:
        yield running


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port where somebody accepts and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def last_line(text: str) -> str:
    return text.splitlines()[-1]


def test_echo_shows_what_the_peer_accepts(tmp_path: Path, hospital: Hospital) -> None:
    code, out, _ = gateway(configured(tmp_path, hospital.port), "echo", "ris")
    assert code == 0
    assert all(word in out for word in ("Modality Worklist", "Storage Commitment", "12-Lead ECG", "Explicit VR"))
    assert "refused" not in out


def test_echo_shows_what_a_plain_storescp_refuses(tmp_path: Path) -> None:
    with storescp(tmp_path / "in") as port:
        code, out, _ = gateway(configured(tmp_path, 104), "echo", f"ANY@127.0.0.1:{port}")
    refused = [line for line in out.splitlines() if "refused" in line]
    assert code == 0
    assert any("General 32-bit ECG" in line for line in refused)


def test_echo_as_data_is_one_object(tmp_path: Path, hospital: Hospital) -> None:
    code, out, words = gateway(configured(tmp_path, hospital.port), "echo", "ris", "--json")
    assert (code, words) == (0, "")
    assert json.loads(out)["accepted"]["12-Lead ECG"][0] == "Explicit VR Little Endian"


def test_a_whole_stick_is_sent_without_its_dicomdir(tmp_path: Path, hospital: Hospital) -> None:
    reference = write_ecg(tmp_path, 1)
    stick = tmp_path / "stick"
    stick.mkdir()
    media.add(stick, reference, "TEST")
    peer = f"HOSPITAL@127.0.0.1:{hospital.port}"
    code, out, words = gateway(configured(tmp_path, 104), "send", "--to", peer, str(stick), "--json")
    assert code == 0, words
    assert json.loads(out)["sent"] == 1
    assert [path.stem for path in hospital.files()] == [reference.sop_instance_uid]


def test_a_wrong_ae_title_is_named_as_such(tmp_path: Path, hospital: Hospital) -> None:
    code, _, words = gateway(configured(tmp_path, 104), "echo", f"WRONG@127.0.0.1:{hospital.port}")
    assert code in (3, 4)
    assert "WRONG" in words
    assert "AE title" in words


def test_a_silent_ris_is_named_with_its_address(tmp_path: Path, silent_port: int) -> None:
    code, _, words = gateway(configured(tmp_path, silent_port), "worklist", "--refresh")
    assert code == 3
    assert f"127.0.0.1:{silent_port}" in last_line(words)


def test_a_closed_port_is_named_with_its_address(tmp_path: Path) -> None:
    port = free_port()
    code, _, words = gateway(configured(tmp_path, port), "worklist", "--refresh")
    assert (code, f"127.0.0.1:{port}" in last_line(words)) == (3, True)


def test_a_device_that_is_not_plugged_in(tmp_path: Path) -> None:
    code, _, words = gateway(configured(tmp_path, 104), "acquire", "ecg1", "--emergency", "--seconds", "1")
    assert code == 3
    assert f"{tmp_path}/tty does not exist" in words
    assert "plug the device in" in words


def test_a_device_that_is_switched_off(tmp_path: Path) -> None:
    with CytonPlayer(tmp_path / "tty", synthetic(1), faults=Faults(mute=True)):
        code, _, words = gateway(configured(tmp_path, 104), "acquire", "ecg1", "--emergency", "--seconds", "1")
    assert code == 3
    assert "does not answer" in words


def test_garbage_on_the_line_costs_nothing_but_a_word(tmp_path: Path) -> None:
    garbage = {100: b"\xa0\xa0noise", 200: bytes(50)}
    config = configured(tmp_path, 104)
    with CytonPlayer(tmp_path / "tty", synthetic(20), speed=10, faults=Faults(garbage=garbage)):
        code, out, words = gateway(config, "acquire", "ecg1", "--emergency", "--seconds", "3")
    assert code == 0, words
    assert out.startswith("kept: ")
    assert "bytes on the line" in words


def test_status_without_processes_says_what_to_start(tmp_path: Path) -> None:
    code, out, _ = gateway(configured(tmp_path, 104), "status")
    assert code == 3
    assert "forward" in out
    assert "capture@ecg1" in out


def test_the_queue_of_a_box_at_rest_cannot_be_asked_and_says_why(tmp_path: Path) -> None:
    code, _, words = gateway(configured(tmp_path, 104), "queue", "list")
    assert (code, "is its service running?" in words) == (3, True)
