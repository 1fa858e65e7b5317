"""File-sets: adding one instance to a file-set of 100 to 100 000, and building the DICOMDIR of 10 000 from nothing.

Adding: ours copies the file, reads it back, and syncs each step, in a process that stays open, as forward is;
``dcmmkdir +A`` is a process, there is no other way, that only indexes a file that lies there already, and syncs
nothing; pydicom's FileSet, open and loaded, copies the file and writes the whole DICOMDIR again. All sizes take turns.

Building: the files lie there. Ours is a process that reads each of them from the medium to its end, hashes it and
writes SHA256.TXT, too; the row with headers only leaves that out, as dcmmkdir does, which finds the files in memory.
pydicom copies them, as it must.

GATEWAY_SLOW=1 adds 100 000 for ours and 10 000 for pydicom, which takes an hour.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pydicom.fileset import FileSet

from gateway.transfer import media, part10
from tests.bench.many_files import Files, forget, link
from tests.bench.measuring import Row, Run, alternate, compared, figure, program, run

SLOW = os.environ.get("GATEWAY_SLOW") == "1"
SIZES = (100, 1000, 10_000, *([100_000] if SLOW else []))
BUILT = 10_000
ADDS, BUILDS, PLUGGED, FIVE = 11, 3, 3, 5
FILE_SET = "BENCH"


def rows(work: Path) -> Iterator[Row]:
    files = Files(work)
    roots = {there: work / f"stick{there}" for there in SIZES}
    for there, root in roots.items():
        files.fill(root, there)
        if program("dcmmkdir") and there <= BUILT:
            link(root, work / f"dcmmkdir{there}")
            _dcmmkdir_built(work / f"dcmmkdir{there}")
    yield from _built(work, roots[BUILT])
    for there, root in roots.items():
        _unnamed(root)
        if (named := media.repair(root, FILE_SET).instances) != there:
            raise RuntimeError(f"{root}: {named} of {there} files are named")
    yield from _added(work, files, roots)
    for there, root in roots.items():
        yield from _plugged_in(work, files, root, f"{_what(there)}: the first after the stick was plugged in")
    for there, root in roots.items():
        yield from _peaks(work, files, root, f"{_what(there)}: peak memory of a process that does")
    for there in SIZES[: 3 if SLOW else 2]:
        yield from _pydicom(work, files, roots[there], there)


def _what(there: int) -> str:
    return f"add one to a file-set of {there}"


def _added(work: Path, files: Files, roots: dict[int, Path]) -> Iterator[Row]:
    works: dict[str, Callable[[], float]] = {}
    for there, root in roots.items():
        works[f"ours{there}"] = lambda root=root: _add(root, files.new(work / "new"))
        if (other := work / f"dcmmkdir{there}").exists():
            works[f"dcmmkdir{there}"] = lambda other=other: _dcmmkdir_added(other, files.new(other))
    found = alternate(works, ADDS)
    for there in roots:
        what = f"{_what(there)}: copied, checked, synced"
        peer = found.get(f"dcmmkdir{there}")
        if peer is None and there > BUILT:
            yield Row(what, figure(statistics.median(found[f"ours{there}"]), "s"))
        else:
            yield compared(what, found[f"ours{there}"], peer, "s", "dcmmkdir +A (index only, no sync)")
    most, least = max(roots), min(roots)
    what = f"the same to one of {most}, and of {least}"
    yield compared(what, found[f"ours{most}"], found[f"ours{least}"], "s", f"of {least}")


def _add(root: Path, file: Path) -> float:
    instance = part10.instance(file)
    began = time.perf_counter()
    media.add(root, instance, FILE_SET)
    return time.perf_counter() - began


def _dcmmkdir_added(root: Path, new: Path) -> float:
    began = time.perf_counter()
    subprocess.run(["dcmmkdir", "-q", "-Pgp", "+A", new.name], cwd=root, check=True)
    return time.perf_counter() - began


def _plugged_in(work: Path, files: Files, root: Path, what: str) -> Iterator[Row]:
    """The file-set under other names: nothing is remembered of it, its directory is read again."""
    seconds = []
    for number in range(PLUGGED):
        moved = root.rename(root.with_name(f"{root.name}-{number}"))
        seconds.append(_add(moved, files.new(work / "new")))
        moved.rename(root)
    yield Row(what, figure(statistics.median(seconds), "s"))


def _peaks(work: Path, files: Files, root: Path, what: str) -> Iterator[Row]:
    new = [str(files.new(work / "new")) for _ in range(FIVE)]
    mine = [run([sys.executable, "-m", "tests.bench.one_medium", "add", str(root), *new]).peak]
    other = work / root.name.replace("stick", "dcmmkdir")
    if not other.exists():
        yield Row(what, figure(mine[0], "MiB"))
        return
    with contextlib.chdir(other):
        theirs = [run(["dcmmkdir", "-q", "-Pgp", "+A", files.new(other).name]).peak]
    yield compared(what, mine, theirs, "MiB", "dcmmkdir +A")


def _built(work: Path, root: Path) -> Iterator[Row]:
    what = f"build the DICOMDIR of {BUILT} files from nothing"
    works = {"ours": lambda: _build(root, "build"), "headers": lambda: _build(root, "name")}
    if (other := work / f"dcmmkdir{BUILT}").exists():
        works["dcmmkdir"] = lambda: _dcmmkdir_built(other)
    found = alternate(works, BUILDS, warm=False)
    theirs = found.get("dcmmkdir")
    seconds, peaks = ([r.seconds for r in theirs], [r.peak for r in theirs]) if theirs else (None, None)
    for words, name in (("and hash each file", "ours"), ("headers only", "headers")):
        yield compared(f"{what}, {words}", [r.seconds for r in found[name]], seconds, "s", "dcmmkdir +r (no hashes)")
    yield compared(f"{what}, peak memory", [r.peak for r in found["ours"]], peaks, "MiB", "dcmmkdir +r")


def _unnamed(root: Path) -> None:
    for name in ("DICOMDIR", "GATEWAY/SHA256.TXT"):
        (root / name).unlink(missing_ok=True)


def _build(root: Path, what: str) -> Run:
    _unnamed(root)
    forget(root)
    return run([sys.executable, "-m", "tests.bench.one_medium", what, str(root)])


def _dcmmkdir_built(root: Path) -> Run:
    (root / "DICOMDIR").unlink(missing_ok=True)
    with contextlib.chdir(root):
        return run(["dcmmkdir", "-q", "-Pgp", "+r"])


def _pydicom(work: Path, files: Files, root: Path, there: int) -> Iterator[Row]:
    """Both the building, which pydicom cannot do without copying, and adding to what it built."""
    elsewhere = work / f"pydicom{there}"
    paths = sorted(root.glob("PA*/ST*/SE*/IN*"))[:there]
    file_set = FileSet()
    began = time.perf_counter()
    for path in paths:
        file_set.add(path)
    file_set.write(elsewhere)
    theirs = time.perf_counter() - began
    mine = _build(root, "build").seconds
    yield compared(f"build a file-set of {there} from nothing", [mine], [theirs], "s", "pydicom FileSet (copies)")

    def once() -> float:
        new = files.new(work / "new")
        began = time.perf_counter()
        file_set.add(new)
        file_set.write()
        return time.perf_counter() - began

    works = {"ours": lambda: _add(root, files.new(work / "new")), "pydicom": once}
    found = alternate(works, 1 if there == BUILT else PLUGGED)
    yield compared(f"{_what(there)}: copied", found["ours"], found["pydicom"], "s", "pydicom FileSet (no sync)")
