"""The power may fail, or the stick be pulled, after any durable step: what was said to be on it is on it and reads."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cutting import Cut, after
from pydicom.fileset import FileSet
from transfer.media.samples import Make

from gateway import fsops
from gateway.errors import Retry
from gateway.model import InstanceRef
from gateway.transfer import media
from gateway.transfer.media import fileset
from gateway.transfer.media.dicomdir import layout


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    yield
    fsops.watch = None
    fileset._open.clear()


def steps_of(root: Path, instance: InstanceRef) -> int:
    """How many durable steps one add takes."""
    seen: list[str] = []
    fsops.watch = after(lambda what, _: seen.append(what))
    media.add(root, instance, "CUT")
    fsops.watch = None
    return len(seen)


def add_until(root: Path, instance: InstanceRef, step: int) -> None:
    """Add, and lose power right after the given step."""
    count = 0

    def stop(_what: str, _where: str) -> None:
        nonlocal count
        count += 1
        if count == step:
            raise Cut

    fsops.watch = after(stop)
    with pytest.raises(Cut):
        media.add(root, instance, "CUT")
    fsops.watch = None
    fileset._open.clear()  # the process is gone too


def uids(root: Path) -> set[str]:
    return {i.SOPInstanceUID for i in FileSet(root / "DICOMDIR")} if (root / "DICOMDIR").exists() else set()


@pytest.mark.parametrize("same", [{}, {"PatientID": "P2"}], ids=["known patient", "new patient"])
def test_a_cut_after_any_step_leaves_the_old_or_the_new_state_readable_by_others(
    same: dict[str, str], make: Make, stick: Path, tmp_path: Path
) -> None:
    old, new = make(), make(**same)
    media.add(stick, old, "CUT")
    copy = tmp_path / "rehearsal"
    shutil.copytree(stick, copy)
    total = steps_of(copy, new)
    assert total > 8
    for step in range(1, total + 1):
        root = tmp_path / f"cut{step}"
        shutil.copytree(stick, root)
        add_until(root, new, step)
        assert uids(root) in ({old.sop_instance_uid}, {old.sop_instance_uid, new.sop_instance_uid}), step
        media.add(root, new, "CUT")  # it goes on by itself ...
        assert uids(root) == {old.sop_instance_uid, new.sop_instance_uid}, step
        report = media.verify(root)
        assert report.sound, (step, str(report))
        media.repair(root)  # ... and repair always ends sound
        assert media.verify(root).sound, (step, str(media.verify(root)))
        assert uids(root) == {old.sop_instance_uid, new.sop_instance_uid}, step


def test_a_cut_during_the_very_first_add_is_no_obstacle(make: Make, stick: Path, tmp_path: Path) -> None:
    first = make()
    rehearsal = tmp_path / "rehearsal"
    rehearsal.mkdir()
    for step in range(1, steps_of(rehearsal, first) + 1):
        root = tmp_path / f"cut{step}"
        root.mkdir()
        add_until(root, first, step)
        media.add(root, first, "CUT")
        assert uids(root) == {first.sop_instance_uid}
        assert media.verify(root).sound, (step, str(media.verify(root)))


def test_a_cut_during_repair_or_while_the_reserve_grows_loses_nothing(
    make: Make, stick: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "SMALLEST_RESERVE", 64)  # each add has to enlarge it
    old, new = make(), make()
    media.add(stick, old, "CUT")
    copy = tmp_path / "rehearsal"
    shutil.copytree(stick, copy)
    for step in range(1, steps_of(copy, new) + 1):
        root = tmp_path / f"grow{step}"
        shutil.copytree(stick, root)
        add_until(root, new, step)
        media.add(root, new, "CUT")
        assert uids(root) == {old.sop_instance_uid, new.sop_instance_uid}
    seen: list[str] = []
    fsops.watch = after(lambda what, _: seen.append(what))
    media.repair(copy)
    for step in range(1, len(seen) + 1):
        count = iter(range(1, step + 1))

        def stop(_what: str, _where: str, count: Iterator[int] = count, step: int = step) -> None:
            if next(count) == step:
                raise Cut

        fsops.watch = after(stop)
        with pytest.raises(Cut):
            media.repair(copy)
        fsops.watch = None
        assert uids(copy) == {old.sop_instance_uid, new.sop_instance_uid}
    media.repair(copy)
    assert media.verify(copy).sound


def test_whatever_part_of_the_fill_reached_the_medium_the_directory_is_the_old_one(make: Make, stick: Path) -> None:
    """Before 'publish' nothing orders the sectors of 'fill': any of them may be new, old or torn."""
    old = make()
    media.add(stick, old, "CUT")
    path = stick / "DICOMDIR"
    data = bytearray(path.read_bytes())
    reserve = len(data) - len(layout.FILE_TAIL) - layout.SMALLEST_RESERVE
    noise = random.Random(4)
    for at in range(reserve, reserve + 8192):
        data[at] = noise.randrange(256)
    path.write_bytes(data)
    assert media.verify(stick).sound
    assert uids(stick) == {old.sop_instance_uid}
    new = make()
    media.add(stick, new, "CUT")
    assert uids(stick) == {old.sop_instance_uid, new.sop_instance_uid}
    assert media.verify(stick).sound


def test_each_field_that_is_written_again_lies_within_one_sector(
    make: Make, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[tuple[int, int]] = []
    write_at = fsops.write_at

    def note(path: Path, offset: int, data: bytes) -> None:
        written.append((offset, len(data)))
        write_at(path, offset, data)

    monkeypatch.setattr(fsops, "write_at", note)
    for number in range(60):
        media.add(stick, make(PatientID=f"P{number // 3}", StudyDescription="x" * (number % 40)), "CUT")
    fields = [offset for offset, size in written if size == 4]
    assert len(fields) == 2 * 59  # publish and link
    assert all(offset // 512 == (offset + 3) // 512 for offset in fields)


def test_after_a_failed_sync_the_directory_is_rebuilt_before_it_is_believed(
    make: Make, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux marks the pages of a failed sync clean: the old file may read well and not be on the medium."""
    old, new = make(), make()
    media.add(stick, old, "CUT")
    inode = (stick / "DICOMDIR").stat().st_ino
    real, calls = fsops.os.fsync, []

    def fail(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 8:  # the link
            raise OSError(5, "Input/output error")
        real(descriptor)

    monkeypatch.setattr(fsops.os, "fsync", fail)
    with pytest.raises(Retry, match="does not take or give data"):
        media.add(stick, new, "CUT")
    monkeypatch.setattr(fsops.os, "fsync", real)
    media.add(stick, new, "CUT")
    assert (stick / "DICOMDIR").stat().st_ino != inode
    assert uids(stick) == {old.sop_instance_uid, new.sop_instance_uid}
    assert media.verify(stick).sound


@pytest.mark.parametrize("first", [media.add, media.repair])
def test_a_name_without_data_that_fat_leaves_of_a_cut_is_used_again_or_taken_off(
    first: Callable[..., object], make: Make, stick: Path
) -> None:
    """On FAT a new name has no data before the file is synced once more; seen on a stick that was pulled."""
    old, new = make(), make()
    media.add(stick, old, "CUT")

    def stop(what: str, where: str) -> None:
        if what == "rename" and where.endswith("IN000002"):
            raise Cut

    fsops.watch = after(stop)
    with pytest.raises(Cut):
        media.add(stick, new, "CUT")
    fsops.watch = None
    fileset._open.clear()
    (cut,) = stick.glob("PA*/ST*/SE*/IN000002")
    os.truncate(cut, 0)
    if first is media.repair:
        media.repair(stick)
        assert media.verify(stick).sound, str(media.verify(stick))
    media.add(stick, new, "CUT")
    assert uids(stick) == {old.sop_instance_uid, new.sop_instance_uid}
    assert media.verify(stick).sound, str(media.verify(stick))
