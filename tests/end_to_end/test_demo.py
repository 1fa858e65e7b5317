"""``gateway demo``: what a person tries first works, says what it does, and leaves nothing running."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from orthanc import orthanc
from peers import need

from gateway.trial import patients
from gateway.trial.ports import free_port

STAGES = (
    "worklist",
    "exam",
    "capture",
    "wrap",
    "spool",
    "media",
    "pages",
    "C-STORE",
    "commitment",
    "MPPS",
    "truth",
    "picture",
)


def demo(out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway", "demo", "--out", str(out), "--seconds", "3", *more]
    return subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)


def still_running(out: Path) -> list[str]:
    """Command lines of processes that name the demo's folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(out) in words:
            found.append(words)
    return found


def test_the_demo_does_the_whole_job_and_shows_each_stage(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    done = demo(out)
    assert done.returncode == 0, done.stderr
    table = done.stdout.split("STAGE", 1)[1]
    assert re.findall(r"^(\S+)", table, re.MULTILINE)[: len(STAGES)] == list(STAGES)
    assert "committed" in table
    compared = re.search(r"(\d+) samples x 8 leads equal what the device sent", table)
    assert compared is not None
    assert int(compared[1]) >= 750
    (stored,) = out.glob("data/instances/*/*.dcm")
    judged = subprocess.run([need("dciodvfy"), str(stored)], capture_output=True, text=True, check=False)
    assert "Error" not in judged.stderr
    listed = subprocess.run([need("dcdirdmp"), str(out / "stick/DICOMDIR")], capture_output=True, text=True, check=True)
    assert "WAVEFORM" in listed.stdout + listed.stderr
    picture = (out / "ecg.svg").read_text()
    assert all(f">{lead}</text>" in picture for lead in ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V6"))
    assert still_running(out) == []


def test_a_second_demo_may_use_the_same_folder_but_never_a_foreign_one(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("important")
    done = demo(tmp_path)
    assert done.returncode == 2
    assert "not empty" in done.stderr
    assert (tmp_path / "mine.txt").read_text() == "important"


def test_the_logs_of_a_demo_name_no_patient(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    assert demo(out).returncode == 0
    said = "".join(p.read_text() for p in (out / "log").iterdir())
    assert said
    assert not any(p.id in said or p.name.split("^")[0] in said for p in patients.PATIENTS)
    assert all(
        p.stat().st_mode & 0o077 == 0
        for p in out.rglob("*")
        if p.is_file() and "tty" not in p.name and p.suffix != ".svg"
    )


@pytest.mark.parametrize("when", ["hospital", "recording", "forward"])
def test_ctrl_c_at_any_stage_leaves_nothing_running(tmp_path: Path, when: str) -> None:
    out = tmp_path / "demo"
    command = [sys.executable, "-u", "-m", "gateway", "demo", "--out", str(out), "--seconds", "4"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    waits_for = {"hospital": "hospital", "recording": "exam", "forward": "capture "}[when]
    while not process.stderr.readline().startswith(waits_for):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=60)[1]
    assert process.returncode == 130, rest
    assert "Traceback" not in rest
    assert still_running(out) == []


def test_a_killed_demo_takes_its_processes_along(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    command = [sys.executable, "-u", "-m", "gateway", "demo", "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while not process.stderr.readline().startswith("exam"):
        assert process.poll() is None
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)
    deadline = time.monotonic() + 30
    while still_running(out) and time.monotonic() < deadline:
        process.poll()
    assert still_running(out) == []


def test_the_demo_against_a_real_ris_and_pacs(tmp_path: Path) -> None:
    listen = free_port()
    with orthanc(tmp_path, "GATEWAY", listen, patients.items("GATEWAY")) as peer:
        address = f"{peer.ae_title}@127.0.0.1:{peer.port}"
        done = demo(
            tmp_path / "demo", "--pacs", address, "--ris", address, "--no-mpps", "--listen", str(listen),
            "--step", "SPS0001",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert len(peer.instances()) == 1
    assert re.search(r"commitment +transaction \S+: committed", done.stdout)
