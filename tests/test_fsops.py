"""The only fsync, rename and unlink: a file is whole or not there, and a failed fsync is not believed later."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from cutting import Cut, after

from gateway import fsops
from gateway.errors import Fatal


@pytest.fixture
def steps() -> Iterator[list[tuple[str, str]]]:
    seen: list[tuple[str, str]] = []
    fsops.watch = after(lambda what, where: seen.append((what, Path(where).name)))
    yield seen
    fsops.watch = None


def test_a_new_file_is_synced_then_renamed_then_its_folder_synced(tmp_path: Path, steps: list[tuple[str, str]]) -> None:
    fsops.write_file(tmp_path / "a", b"data")
    assert [what for what, _ in steps] == ["fsync", "rename", "fsync"]
    assert steps[1:] == [("rename", "a"), ("fsync", tmp_path.name)]
    assert (tmp_path / "a").stat().st_mode & 0o777 == fsops.FILE_MODE


def fat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every file system look like FAT: no inodes are counted."""
    monkeypatch.setattr(os, "statvfs", lambda _path: type("Found", (), {"f_files": 0}))


def test_on_fat_a_renamed_file_is_synced_again_since_its_new_name_has_no_data_before(
    tmp_path: Path, steps: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    fat(monkeypatch)
    fsops.write_file(tmp_path / "a", b"data")
    assert steps[1:] == [("rename", "a"), ("fsync", tmp_path.name), ("fsync", "a")]


def test_on_fat_a_replaced_file_keeps_its_clusters_until_the_new_one_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unlinked file's clusters are free when the last one closes it."""
    fat(monkeypatch)
    (tmp_path / "a").write_bytes(b"old")
    there: list[tuple[str, bool]] = []

    def look(what: str, where: str) -> None:
        held = [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
        there.append((f"{what} {Path(where).name}", Path(f"{tmp_path}/a (deleted)") in held))

    monkeypatch.setattr(fsops, "watch", after(look))
    fsops.write_file(tmp_path / "a", b"new")
    assert there[1:] == [("rename a", True), (f"fsync {tmp_path.name}", True), ("fsync a", True)]
    look("afterwards", "")
    assert there[-1] == ("afterwards ", False)
    assert (tmp_path / "a").read_bytes() == b"new"


def test_each_step_is_told_before_and_after_it_happens(tmp_path: Path) -> None:
    told: list[tuple[str, str, bool]] = []
    fsops.watch = lambda moment, what, where: told.append((moment, what, Path(where).exists()))
    try:
        fsops.make_folder(tmp_path / "a")
        fsops.remove_folder(tmp_path / "a")
    finally:
        fsops.watch = None
    assert told[:2] == [("before", "mkdir", False), ("after", "mkdir", True)]
    assert told[4:6] == [("before", "rmdir", True), ("after", "rmdir", False)]


def test_wherever_it_is_cut_the_file_is_the_old_or_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "a"
    outcomes = []
    for cut in range(1, 5):
        path.write_bytes(b"old")
        left = [cut]

        def stop(what: str, where: str, left: list[int] = left) -> None:
            left[0] -= 1
            if not left[0]:
                raise Cut

        fsops.watch = after(stop)
        try:
            fsops.write_file(path, b"new")
        except Cut:
            pass
        finally:
            fsops.watch = None
        outcomes.append(path.read_bytes())
    assert outcomes == [b"old", b"new", b"new", b"new"]
    fsops.sweep(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def fail() -> None:
        with fsops.new_file(path) as stream:
            stream.write(b"half of it")
            raise ValueError

    with pytest.raises(ValueError):
        fail()
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a", b"old")]


def test_a_failed_fsync_is_fatal_says_where_and_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def broken(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(Fatal, match="the disk did not take the data"):
        fsops.write_file(path, b"new")
    assert path.read_bytes() == b"old"


def test_each_new_folder_is_named_durably(tmp_path: Path, steps: list[tuple[str, str]]) -> None:
    fsops.make_folder(tmp_path / "a" / "b")
    assert steps == [("mkdir", "a"), ("fsync", tmp_path.name), ("mkdir", "b"), ("fsync", "a")]
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == fsops.FOLDER_MODE
    fsops.make_folder(tmp_path / "a" / "b")
    assert len(steps) == 4


def test_a_rename_across_folders_syncs_both(tmp_path: Path, steps: list[tuple[str, str]]) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    (tmp_path / "a" / "x").write_bytes(b"")
    fsops.rename(tmp_path / "a" / "x", tmp_path / "b" / "y")
    assert steps == [("rename", "y"), ("fsync", "b"), ("fsync", "a")]


def test_removing_what_is_gone_already_is_fine(tmp_path: Path) -> None:
    fsops.unlink(tmp_path / "nothing")
    fsops.remove_folder(tmp_path / "nothing")
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "file").write_bytes(b"")
    fsops.remove_folder(tmp_path / "deep")
    assert not list(tmp_path.iterdir())


def test_what_a_full_disk_took_of_an_append_is_cut_off_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old\n")
    write, calls = os.pwrite, []

    def full(descriptor: int, data: memoryview, offset: int) -> int:
        calls.append(offset)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        return write(descriptor, data[:3], offset)

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match="No space"):
        fsops.append(path, b"a longer line\n")
    assert calls == [4, 7]
    assert path.read_bytes() == b"old\n"


def test_a_rename_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(old: Path, new: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        fsops.write_file(tmp_path / "a", b"data")
    assert not list(tmp_path.iterdir())
