"""A watched folder: nothing new is missed, what is done is not looked at again."""

from __future__ import annotations

import os
from pathlib import Path

from gateway.spool.watched import Watched


def test_new_names_are_seen_and_done_ones_are_gone(tmp_path: Path) -> None:
    folder = tmp_path / "exams"
    watched = Watched(folder, {"old"})
    assert watched.names() == []
    for name in ("old", "b", "a", ".hidden"):
        (folder / name).mkdir(parents=True)
    assert watched.names() == ["a", "b"]
    watched.done("a")
    assert watched.names() == ["b"]
    (folder / "c").mkdir()
    assert watched.names() == ["b", "c"]


def test_one_that_came_without_a_trace_in_the_folders_time_is_seen_in_the_end(tmp_path: Path) -> None:
    watched = Watched(tmp_path, ())
    before = tmp_path.stat().st_mtime_ns
    for _ in range(3):
        assert watched.names() == []
    (tmp_path / "late").mkdir()
    os.utime(tmp_path, ns=(before, before))
    assert any(watched.names() == ["late"] for _ in range(60))


def test_names_that_are_gone_do_not_fill_the_memory(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    watched = Watched(tmp_path, {"here", *map(str, range(5000))})
    assert watched.names() == []
    assert watched._done == {"here"}
