"""A medium that fails: fsync answers EIO, or the file system turns read-only under everybody's hands."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults.boxes import Box, box
from faults.disks import disk
from faults.shim import Shim
from waiting import eventually

from gateway import records


@pytest.fixture
def shim(tmp_path: Path) -> Shim:
    return Shim(tmp_path)


@pytest.fixture
def here(tmp_path: Path, shim: Shim) -> Iterator[Box]:
    with box(tmp_path, tmp_path / "data", environment=shim.environment) as made:
        yield made


def test_a_recording_whose_sync_fails_ends_loudly_and_what_was_synced_arrives(here: Box, shim: Shim) -> None:
    here.start("capture", "ecg1")
    acquisition = here.record(here.exam())
    path = here.data / "acquisitions" / acquisition / "records"
    kept = sum(len(e.data) for e in records.events(path) if hasattr(e, "data"))
    shim.fail(f"{acquisition}/records")
    code, said = here.dies("capture-ecg1")
    assert code == 1
    assert "the disk did not take the data (Input/output error); check the storage medium" in said
    assert "Traceback" not in said
    pid = here.shop.processes["capture-ecg1"].pid
    answers = [answer for process, answer, where in shim.synced() if process == pid and where == str(path)]
    assert answers.count("EIO") == 1, "a failed fsync was tried again on the same file"
    assert answers[-1] == "EIO"
    shim.fail("")
    here.start("forward")
    (instance,) = here.arrived()
    assert instance.WaveformSequence[0].NumberOfWaveformSamples >= kept
    assert "INTERRUPTED" in str(instance)


def test_a_ledger_whose_sync_fails_stops_forward_in_words_and_a_restart_goes_on(here: Box, shim: Shim) -> None:
    here.start("forward")
    here.start("capture", "ecg1")
    shim.fail("ledger.sqlite")
    here.record(here.exam())
    here.say("capture-ecg1", do="stop")
    code, said = here.dies("forward")
    assert code == 1
    assert "ledger.sqlite cannot be used any more (disk I/O error)" in said
    assert "nothing is lost" in said
    assert "Traceback" not in said
    shim.fail("")
    here.start("forward")
    assert len(here.arrived()) == 1


def test_an_instance_whose_sync_fails_never_gets_its_name(here: Box, shim: Shim) -> None:
    here.start("forward")
    here.start("capture", "ecg1")
    shim.fail(".wrapping/")
    acquisition = here.record(here.exam())
    here.say("capture-ecg1", do="stop")
    code, said = here.dies("forward")
    assert code == 1
    assert "the disk did not take the data (Input/output error)" in said
    assert not (here.data / "instances" / acquisition).exists()
    shim.fail("")
    here.start("forward")
    (instance,) = here.arrived()
    assert "INTERRUPTED" not in str(instance)


def test_a_file_system_that_turns_read_only_loses_nothing_that_was_synced(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting an ext4 needs root")
    with (
        disk(tmp_path / "disk") as broken,
        box(tmp_path, broken.path / "data", broken.outside / "data", broken.inside) as here,
    ):
        here.start("forward")
        here.start("capture", "ecg1")
        acquisition = here.record(here.exam())
        path = here.data / "acquisitions" / acquisition / "records"
        kept = sum(len(e.data) for e in records.events(path) if hasattr(e, "data"))
        # What the kernel does when the medium fails (errors=remount-ro), with all files still open.
        assert broken.run("mount", "-o", "remount,abort", str(broken.path)).returncode == 0
        code, said = here.dies("capture-ecg1")
        assert code == 1
        assert "read-only: check the storage medium" in said or "the disk did not take the data" in said
        assert "Traceback" not in said
        code, said = here.dies("forward")
        assert code == 1
        assert "Traceback" not in said
        code, said = here.command("exam", "start", "ecg1", "--emergency")
        assert code != 0
        assert "read-only" in said.lower()
        code, said = here.command("forward")
        assert code == 1
        assert "read-only" in said.lower()
        assert broken.run("umount", str(broken.path)).returncode == 0
        image = str(broken.path.with_suffix(".ext4"))
        assert broken.run("mount", "-o", "loop", image, str(broken.path)).returncode == 0
        here.start("forward")
        (instance,) = here.arrived()
        assert instance.WaveformSequence[0].NumberOfWaveformSamples >= kept
        eventually(lambda: "wrapped and queued" in here.log("forward"))
