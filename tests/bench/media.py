"""Adding one instance to a file-set of 1 000: ``media.add`` beside ``dcmmkdir +A``.

Ours copies the file, reads it back, and syncs each step; dcmmkdir only indexes a file that lies there already, and
syncs nothing. Ours is a call in a process that stays open, as forward is; dcmmkdir is a process, there is no other way.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from ecg_files import write_ecg

from gateway.model import InstanceRef
from gateway.transfer import media
from tests.bench.measuring import Row, alternate, compared, figure, program

THERE, ADDS, PLUGGED = 1000, 20, 5
SAMPLES = 500  # of 12 channels: 1 s, so that the directory's cost is seen, not the copy's
FILE_SET = "BENCH"


def rows(work: Path) -> Iterator[Row]:
    root = work / "stick"
    root.mkdir()
    for _ in range(THERE):
        media.add(root, write_ecg(work / "there", SAMPLES), FILE_SET)
    new = [write_ecg(work / "new", SAMPLES) for _ in range(ADDS + 1)]
    works = {"ours": lambda: _add(root, new.pop())}
    if program("dcmmkdir"):
        other = _indexed(root, work / "other")
        files = sorted((work / "new").iterdir())
        works["dcmmkdir"] = lambda: _index(other, files.pop())
    found = alternate(works, ADDS)
    what = f"add to a file-set of {THERE}: copied, checked, synced"
    yield compared(what, found["ours"], found.get("dcmmkdir"), "s", "dcmmkdir +A (index only, no sync)")
    seconds = statistics.median([_plugged_in(work, root, number) for number in range(PLUGGED)])
    yield Row("the same, first after the stick was plugged in", figure(seconds, "s"))


def _add(root: Path, instance: InstanceRef) -> float:
    began = time.perf_counter()
    media.add(root, instance, FILE_SET)
    return time.perf_counter() - began


def _plugged_in(work: Path, root: Path, number: int) -> float:
    """The file-set under another name: nothing is remembered of it, its directory is read again."""
    shutil.copytree(root, elsewhere := work / f"stick{number}")
    return _add(elsewhere, write_ecg(work / "new", SAMPLES))


def _indexed(root: Path, other: Path) -> Path:
    """The files of ``root`` with a DICOMDIR by dcmmkdir."""
    shutil.copytree(root, other, ignore=shutil.ignore_patterns("DICOMDIR", "GATEWAY"))
    subprocess.run(["dcmmkdir", "-q", "-Pgp", "+r"], cwd=other, check=True)
    return other


def _index(other: Path, file: Path) -> float:
    name = f"NEW{len(list(other.glob('NEW*'))):05}"
    shutil.copyfile(file, other / name)
    began = time.perf_counter()
    subprocess.run(["dcmmkdir", "-q", "-Pgp", "+A", name], cwd=other, check=True)
    return time.perf_counter() - began
