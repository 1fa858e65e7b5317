"""The real process forward while it sends: how fast its queue empties beside dcmsend, and its memory with 2 GB.

The instances lie in the spool as an import leaves them; forward finds them when it starts with no ledger. Everything is
on: each file is compared with its hash while it is sent, and what each answer means is synced into the ledger. Its time
runs from the first answer to the commit of the last, as the ledger has them, so one instance counts for nothing; that
of dcmsend from process start to exit, with the same files and the same storescp. PSS as in tests.bench.processes.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aborting import padded
from ecg_files import write_ecg
from peers import running

from gateway import fsops, local
from gateway.model import InstanceRef
from gateway.settings import Settings
from gateway.spool import layout
from gateway.trial.ports import free_port
from gateway.trial.workshop import Process, workshop
from tests.bench.contenders import Called, process
from tests.bench.measuring import NOT_INSTALLED, ROUNDS, Row, compared, figure, program
from tests.bench.processes import memory

# What, how many, samples of 12 channels with 2 bytes each.
SETS = (("small", 2000, 5000), ("middle", 200, 1_500_000 // 24), ("large", 4, 400_000_000 // 24))
LARGE = 2_000_000_000  # bytes
LONGEST = 600.0  # seconds until it is given up
LOOK, GLANCE = 0.02, 0.02  # seconds between two looks at its ledger, and at its memory
CONFIGURATION = """
[gateway]
data = "{shop.out}/data"
runtime = "{shop.runtime}"
[clock]
trust = "always"
[listener]
port = 0
[spool]
reserve = 0
[console]
port = 0
[[destination]]
name = "pacs"
ae_title = "PACS"
host = "127.0.0.1"
port = {port}
policy = "stored"
retry_first = 0.1
retry_most = 1
"""


def rows(work: Path) -> Iterator[Row]:
    if program("storescp") is None:
        yield Row("forward sends", "-", f"storescp: {NOT_INSTALLED}")
        return
    for name, many, samples in SETS:
        made = [write_ecg(work / name, samples) for _ in range(many)]
        yield _beside_dcmsend(f"forward sends {many} x {made[0].size / 1000:.0f} kB", work, made)
    yield from _memory("forward sends 1 x 2 GB", work / "memory", padded(work / "padded", LARGE))


def _beside_dcmsend(what: str, work: Path, made: list[InstanceRef]) -> Row:
    """Seconds for all of them, by turns; each round of ours is a process with a ledger of its own."""
    ours: list[float] = []
    theirs: list[float] = []
    for number in range(ROUNDS):
        with _forward(work / f"{made[0].size}-{number}", made) as (settings, _, port), _storescp(port, work):
            ours.append(_emptied(settings, len(made)) * len(made) / (len(made) - 1))
            folder = Path(made[0].path).parent
            if (dcmsend := process("dcmsend", Called(port), folder)) is not None:
                theirs.append(dcmsend().seconds)
    return compared(what, ours, theirs or None, "s", "dcmsend")


def _memory(what: str, folder: Path, one: InstanceRef) -> Iterator[Row]:
    with _forward(folder, [one]) as (settings, forward, port):
        time.sleep(1)
        idle = most = memory(forward.pid)[1]
        with _storescp(port, folder):
            deadline = time.monotonic() + LONGEST
            while not _times(settings) and time.monotonic() < deadline:
                most = max(most, memory(forward.pid)[1])
                time.sleep(GLANCE)
    yield Row(f"{what}: PSS at most", figure(most, "MiB"), f"idle: {figure(idle, 'MiB')}")


@contextlib.contextmanager
def _forward(folder: Path, found: list[InstanceRef]) -> Iterator[tuple[Settings, Process, int]]:
    """A process whose spool holds ``found`` (hard links), all queued; nobody listens at the port yet."""
    folder.mkdir()
    port = free_port()
    with workshop(folder / "box") as shop:
        settings = shop.configure(CONFIGURATION.format(shop=shop, port=port))
        name = layout.import_name(time.time())
        for number, one in enumerate(found):
            there = fsops.make_folder(settings.places.instances / f"{name}-{number}")
            (there / f"{one.sop_instance_uid}.dcm").hardlink_to(one.path)
            layout.write_sums(there)
        forward = shop.start("forward")
        forward.wait_ready()
        while _destination(settings).get("QUEUED", 0) < len(found):
            time.sleep(0.2)
        yield settings, forward, port


def _storescp(port: int, folder: Path) -> contextlib.AbstractContextManager[Any]:
    # Bit-preserving to /dev/null: storescp would hold all of an instance in memory else.
    command = [program("storescp") or "", "--ignore", "--bit-preserving", str(port)]
    return running(command, port, folder / f"storescp-{port}.log")


def _emptied(settings: Settings, many: int) -> float:
    """Seconds from the first answer until the ledger holds the last."""
    deadline = time.monotonic() + LONGEST
    while time.monotonic() < deadline:
        if len(answered := _times(settings)) == many:
            return time.time() - min(answered)
        time.sleep(LOOK)
    raise RuntimeError(f"forward did not come to an end; see {settings.box.data}")


def _times(settings: Settings) -> list[float]:
    """When each instance that is stored was answered, by the wall clock; the ledger is read beside its owner."""
    with contextlib.closing(sqlite3.connect(f"file:{settings.places.ledger}?mode=ro", uri=True)) as ledger:
        return [at for (at,) in ledger.execute("SELECT changed_at FROM deliveries WHERE state = 'STORED'")]


def _destination(settings: Settings) -> dict[str, Any]:
    (found,) = local.ask(settings.places.socket("forward"), {"do": "status"}, 30)["destinations"]
    return dict(found)
