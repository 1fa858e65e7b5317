"""A disk without room: what is recorded arrives, what cannot be is refused in words, and nothing is deleted."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults.boxes import Box, box
from faults.disks import MIB, Disk, disk
from waiting import eventually

from gateway import records


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Disk]:
    with disk(tmp_path / "disk", "size=64m") as made:
        yield made


@pytest.fixture
def on_small(tmp_path: Path, small: Disk) -> Iterator[Box]:
    with box(tmp_path, small.path / "data", small.outside / "data", small.inside) as made:
        yield made


def samples_of(here: Box, acquisition: str) -> int:
    path = here.data / "acquisitions" / acquisition / "records"
    return sum(len(event.data) for event in records.events(path) if hasattr(event, "data"))


def test_a_recording_that_meets_the_limit_is_closed_whole_and_arrives(small: Disk, on_small: Box) -> None:
    on_small.start("forward")
    on_small.start("capture", "ecg1")
    acquisition = on_small.record(on_small.exam())
    small.fill(leave=15 * MIB)
    said = on_small.said("capture-ecg1", "the disk is full: the recording was closed after")
    assert "MiB are free" in said
    assert "make room before the next one: gateway queue list" in said
    answer = eventually(lambda: not (a := on_small.say("capture-ecg1", do="status"))["recording"] and a)
    assert "the disk is full" in answer["problem"]
    assert answer["kept"] == acquisition
    code, words = on_small.command("status")
    assert code == 1
    assert "Device ecg1: the disk is full: the recording was closed" in words
    (instance,) = on_small.arrived()
    (group,) = instance.WaveformSequence
    assert group.NumberOfWaveformSamples == eventually(lambda: int(said_of(on_small, acquisition)))
    assert "INTERRUPTED" not in str(instance)


def said_of(here: Box, acquisition: str) -> int:
    """The length that capture told when the recording was kept."""
    line = next(line for line in here.log("capture-ecg1").splitlines() if f"kept {acquisition}" in line)
    return int(line.split(f"kept {acquisition}: ")[1].split()[0])


def test_a_disk_that_is_filled_at_once_cuts_the_recording_off_and_what_was_synced_arrives_after_room_is_made(
    small: Disk, on_small: Box
) -> None:
    on_small.start("forward")
    capture = on_small.start("capture", "ecg1")
    acquisition = on_small.record(on_small.exam())
    small.fill()
    said = on_small.said("capture-ecg1", "the disk is full")
    assert capture._process.poll() is None, "a full disk is no reason to end"
    assert "make room" in said
    kept = samples_of(on_small, acquisition)
    assert kept >= 500
    eventually(lambda: on_small.say("capture-ecg1", do="status")["problem"])
    on_small.said("forward", f"recording {acquisition} cannot be wrapped now")
    assert acquisition in on_small.troubles()
    code, words = on_small.command("exam", "start", "ecg1", "--emergency")
    assert code in (1, 4), words
    small.free()
    (instance,) = on_small.arrived()
    assert instance.WaveformSequence[0].NumberOfWaveformSamples >= kept
    leftovers = [p for p in on_small.data.rglob("*") if p.name.endswith(".part") or ".wrapping" in p.name]
    assert not leftovers
    assert "Traceback" not in on_small.log("forward") + on_small.log("capture-ecg1")


def test_no_exam_and_no_recording_begins_on_a_full_disk(small: Disk, on_small: Box) -> None:
    on_small.start("capture", "ecg1")
    exam = on_small.exam()
    small.fill(leave=20 * MIB)
    code, said = on_small.command("acquire", "ecg1", "--seconds", "3600")
    assert code == 4
    assert "no new recording" in said
    assert "for 60 min of recording" in said
    assert "for the instance made of it" in said
    small.fill()
    on_small.command("exam", "stop", exam)
    before = sorted(p.name for p in (on_small.data / "exams").iterdir())
    code, said = on_small.command("exam", "start", "ecg1", "--emergency")
    assert code == 4
    assert "No space left on device" in said or "is in the open exam" in said
    assert sorted(p.name for p in (on_small.data / "exams").iterdir()) == before, "half an exam was left behind"


def test_a_disk_full_of_unsent_instances_deletes_none_and_empties_itself_when_the_pacs_is_back(
    tmp_path: Path, small: Disk
) -> None:
    with box(tmp_path, small.path / "data", small.outside / "data", small.inside, reserve=1) as here:
        here.hospital.stop()
        here.start("forward")
        here.start("capture", "ecg1")
        exam = here.exam()
        for n in range(3):
            here.record(exam, 250)
            here.say("capture-ecg1", do="stop")
            eventually(lambda n=n: here.say("forward", do="status")["queue"]["unfinished"] == n + 1)
        eventually((here.data / "ballast").exists)
        small.fill()
        files = sorted((here.data / "instances").rglob("*.dcm"))
        too_little = re.compile(r"no new recording: \d MiB are free")  # how many: whether the ballast is overboard yet
        code, said = here.command("acquire", "ecg1", "--seconds", "1")
        assert code == 4
        assert too_little.search(said)
        code, said = here.command("status")
        assert too_little.search(said)
        assert sorted((here.data / "instances").rglob("*.dcm")) == files
        assert len(files) == 3
        here.pacs_is_back()
        here.arrived(3)
        eventually(lambda: not list((here.data / "instances").rglob("*.dcm")))
        assert not list((here.data / "acquisitions").glob("*/records"))
        code, said = here.command("acquire", "ecg1", "--seconds", "1")
        assert code == 4
        assert "16 stay free" in said, "what would be closed at once is not begun"
        small.free()
        code, said = here.command("acquire", "ecg1", "--seconds", "1")
        assert code == 0, said


def test_without_inodes_the_words_say_that_it_is_not_the_bytes(tmp_path: Path) -> None:
    with (
        disk(tmp_path / "disk", "size=64m,nr_inodes=200") as small,
        box(tmp_path, small.path / "data", small.outside / "data", small.inside) as here,
    ):
        here.start("capture", "ecg1")
        here.exam()
        for n in range(200):
            try:
                (small.outside / f"somebody-elses-{n}").touch()
            except OSError:
                break
        code, said = here.command("acquire", "ecg1", "--seconds", "1")
        assert code == 4
        assert "more files can be made" in said
        assert "no inodes left" in said


def test_the_ledger_opens_on_a_disk_without_a_block_left(small: Disk, on_small: Box) -> None:
    on_small.start("forward")
    eventually((on_small.data / "ballast").exists)
    on_small.shop.processes["forward"].stop()
    small.fill()
    assert os.statvfs(small.outside).f_bavail == 0
    on_small.start("forward")
    assert json.dumps(on_small.say("forward", do="status"))
    assert "the last 4 MiB, kept for this, go to the ledger" in on_small.log("forward")
