"""C-STORE to one DCMTK ``storescp --ignore``: our sender beside DCMTK's, pynetdicom's, and a bare socket.

As shipped, DCMTK leaves Nagle's algorithm on; with delayed acknowledgements at the other end each object waits 40 ms,
unless the sender is made for that peer. TCP_NODELAY=1 turns it off in all of DCMTK's programs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dcmtk import storescp
from ecg_files import write_ecg

from tests.bench.contenders import BARE, COMMAND, PYNETDICOM, SERVICE, Called, Warm, peaks, process, seconds, warm
from tests.bench.measuring import NOT_INSTALLED, Row, alternate, program

# Folder, how many, samples of 12 channels with 2 bytes each.
SETS = (("small", 1000, 5000), ("middle", 200, 1_500_000 // 24), ("large", 1, 400_000_000 // 24))
PROCESSES = (COMMAND, "dcmsend", "storescu")
FEW = 200  # small instances for those who need long: pynetdicom, and who waits for a peer as shipped (8 s)


def rows(work: Path) -> Iterator[Row]:
    if program("storescp") is None:
        yield Row("C-STORE to storescp", "-", f"storescp: {NOT_INSTALLED}")
        return
    with warm() as service, storescp(work / "received", "--ignore") as port:
        to = Called(port)
        for name, many, samples in SETS:
            made = [write_ecg(work / name, samples) for _ in range(many)]
            what = f"C-STORE {many} x {_size(made[0].size)}"
            yield from _tuned(what, service, to, work / name)
        few = work / "few"
        few.mkdir()
        for path in sorted((work / "small").iterdir())[:FEW]:
            (few / path.name).hardlink_to(path)
        yield from _beside_pynetdicom(f"C-STORE {FEW} x small", service, to, few)
        yield from _beside_pynetdicom("C-STORE 1 x large", service, to, work / "large")
        yield from _as_shipped(service, work, few)


def _size(size: int) -> str:
    return f"{size / 1000:.0f} kB" if size < 1e6 else f"{size / 1e6:.3g} MB"


def _tuned(what: str, service: Warm, to: Called, folder: Path) -> Iterator[Row]:
    """All of them in turn, with TCP_NODELAY=1 at both ends."""
    works = {name: service.work(name, to, folder) for name in (SERVICE, BARE)}
    works |= {name: found for name in PROCESSES if (found := process(name, to, folder)) is not None}
    runs = alternate(works)
    yield from seconds(what, runs, SERVICE, ("dcmsend", "storescu", BARE))
    yield from seconds(what, runs, COMMAND, ("dcmsend",))
    yield peaks(what, runs, COMMAND, "dcmsend")


def _beside_pynetdicom(what: str, service: Warm, to: Called, folder: Path) -> Iterator[Row]:
    works = {SERVICE: service.work(SERVICE, to, folder)}
    works |= {name: found for name in (COMMAND, PYNETDICOM) if (found := process(name, to, folder)) is not None}
    runs = alternate(works, warm=False)
    yield from seconds(what, runs, SERVICE, (PYNETDICOM,))
    yield peaks(what, runs, COMMAND, PYNETDICOM)


def _as_shipped(service: Warm, work: Path, few: Path) -> Iterator[Row]:
    with storescp(work / "received", "--ignore", nodelay=False) as port:
        works = {SERVICE: service.work(SERVICE, Called(port), few)}
        if (theirs := process("storescu", Called(port), few, nodelay=False)) is not None:
            works["storescu"] = theirs
        runs = alternate(works, warm=False)  # the stalled run costs 8 s a time, and the files are warm
    yield from seconds(f"C-STORE {FEW} x small, DCMTK as shipped", runs, SERVICE, ("storescu",))
