"""The real process forward while it sends: its memory with an instance of 2 GB, and how fast its queue empties.

The instances lie in the spool as an import leaves them; forward finds them when it starts with no ledger. Everything is
on: the hash of each file is read again before it is offered, and what each answer means is synced into the ledger.
PSS as in tests.bench.processes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ecg_files import write_ecg
from peers import running

from gateway import fsops, local
from gateway.model import InstanceRef
from gateway.settings import Settings
from gateway.spool import layout
from gateway.trial.ports import free_port
from gateway.trial.workshop import Process, workshop
from tests.bench.measuring import NOT_INSTALLED, Row, figure, program
from tests.bench.processes import memory

SMALL, SAMPLES = 1000, 5000
LARGE = 2_000_000_000  # bytes
LONGEST = 600.0  # seconds until it is given up
LOOK, GLANCE = 0.2, 0.02  # seconds between two looks at its queue, and at its memory
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
    made = [write_ecg(work / "small", SAMPLES) for _ in range(SMALL)]
    yield from _queue(f"forward sends {SMALL} x {made[0].size / 1000:.0f} kB from its spool", work / "a", made)
    yield from _queue(f"forward sends 1 x {LARGE / 1e9:.0f} GB from its spool", work / "b", [_padded(work / "large")])


def _padded(folder: Path) -> InstanceRef:
    """An ECG with a Data Set Trailing Padding (FFFC,FFFC) of 2 GB, which takes no room on the disk: a hole."""
    one = write_ecg(folder)
    with Path(one.path).open("ab") as stream:
        stream.write(b"\xfc\xff\xfc\xffOB\0\0" + LARGE.to_bytes(4, "little"))
    os.truncate(one.path, Path(one.path).stat().st_size + LARGE)
    return one


def _queue(what: str, folder: Path, found: list[InstanceRef]) -> Iterator[Row]:
    folder.mkdir()
    port = free_port()
    with workshop(folder / "box") as shop:
        settings = shop.configure(CONFIGURATION.format(shop=shop, port=port))
        _spool(settings, found)
        forward = shop.start("forward")
        forward.wait_ready()
        _until(settings, "QUEUED", len(found))  # nobody listens yet
        time.sleep(1)
        idle = memory(forward.pid)[1]
        # Bit-preserving to /dev/null: storescp would hold all of an instance in memory else.
        command = [program("storescp") or "", "--ignore", "--bit-preserving", str(port)]
        with running(command, port, folder / "storescp.log"):
            rate, most = _watch(settings, forward, len(found))
        if rate:
            yield Row(what, f"{rate:.0f} a second")
        yield Row(f"{what}: PSS at most", figure(most, "MiB"), f"idle: {figure(idle, 'MiB')}")


def _spool(settings: Settings, found: list[InstanceRef]) -> None:
    name = layout.import_name(time.time())
    for number, one in enumerate(found):
        folder = fsops.make_folder(settings.places.instances / f"{name}-{number}")
        Path(one.path).rename(folder / f"{one.sop_instance_uid}.dcm")
        layout.write_sums(folder)


def _watch(settings: Settings, forward: Process, many: int) -> tuple[float, float]:
    """Instances stored in a second, from the first answer to the last; and the most PSS meanwhile in MiB."""
    most, asked, first, before = 0.0, 0.0, 0.0, 0
    deadline = time.monotonic() + LONGEST
    while (now := time.monotonic()) < deadline:
        most = max(most, memory(forward.pid)[1])
        if now - asked > LOOK:
            asked, stored = now, _destination(settings).get("STORED", 0)
            if stored and not before:
                first, before = now, stored
            if stored == many:
                return (many - before) / (now - first) if many > before else 0.0, most
        time.sleep(GLANCE)
    raise RuntimeError(f"forward did not come to an end; see {forward.log}")


def _until(settings: Settings, state: str, many: int) -> None:
    while _destination(settings).get(state, 0) < many:
        time.sleep(0.2)


def _destination(settings: Settings) -> dict[str, Any]:
    (found,) = local.ask(settings.places.socket("forward"), {"do": "status"}, 30)["destinations"]
    return dict(found)
