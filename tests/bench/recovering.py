"""How long ``forward`` takes to come up over a spool of many instances, with its ledger and without.

The spool is made of real files: every recording with its facts, records, instance and sums. It is read from the page
cache here; on a cold SD card each folder costs a seek more. No peer: nobody else keeps such a spool.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import spooling

from gateway import exam, local
from gateway.acquire.recorder import read_facts
from gateway.errors import GatewayError
from gateway.settings import Settings
from gateway.spool import layout
from gateway.spool.ledger import Ledger
from gateway.trial.ports import free_port
from gateway.trial.workshop import Workshop, workshop
from tests.bench.measuring import Row, figure
from tests.bench.one_wrap import resident

SIZES = (1_000, 10_000, 100_000)
STATUS = {"do": "status"}
LONGEST = 900.0  # seconds
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
[[device]]
name = "ecg1"
adapter = "simulated"
[[destination]]
name = "pacs"
ae_title = "PACS"
host = "127.0.0.1"
port = {nobody}
"""


def rows(work: Path) -> Iterator[Row]:
    for many in SIZES:
        with workshop(work / str(many)) as shop:
            settings = shop.configure(CONFIGURATION.format(shop=shop, nobody=free_port()))
            fill(settings, many)
            yield from _started(shop, settings, many, "ledger intact")
            for path in settings.box.data.glob("ledger.sqlite*"):
                path.unlink()
            yield from _started(shop, settings, many, "ledger deleted")


def fill(settings: Settings, many: int) -> None:
    """``many`` recordings, wrapped and queued, as a box that its PACS left alone for years would hold them."""
    here = settings.places
    whose = spooling.somebodys_exam(settings)
    first = spooling.record(settings, whose.exam, 50)
    box = spooling.Box(settings, spooling.Pacs())
    box.take_in()
    exam.close_exam(here, spooling.CLOCK, whose.exam)
    box.ledger.close()
    (row,) = _query(here.ledger, "SELECT * FROM instances")
    raw, root = here.acquisition(first), read_facts(here.acquisition(first)).root_uid
    contents = {name: (raw / name).read_bytes() for name in ("facts.json", "records")}
    instance = (here.data / row["path"]).read_bytes()
    for number in range(1, many):
        name, uid = f"{first[:-8]}{number:08x}", _like(row["uid"], number)
        folder = here.acquisition(name)
        folder.mkdir()
        facts = contents["facts.json"].replace(first.encode(), name.encode())
        (folder / "facts.json").write_bytes(facts.replace(root.encode(), _like(root, number).encode()))
        (folder / "records").write_bytes(contents["records"])
        spooled = here.instances / name
        spooled.mkdir()
        (spooled / f"{uid}.dcm").write_bytes(instance.replace(row["uid"].encode(), uid.encode()))
        (spooled / layout.SUMS).write_text(f"{layout.sha256(spooled / f'{uid}.dcm')}  {uid}.dcm\n")
    _enter(here.ledger, many, first, row)


def _enter(path: Path, many: int, first: str, row: dict[str, Any]) -> None:
    """The rows of all those recordings, copied from those of the first one."""
    names = [(f"{first[:-8]}{n:08x}", _like(row["uid"], n)) for n in range(1, many)]
    ledger = Ledger(path)
    with ledger.change() as c:
        for table, key, new in (
            ("acquisitions", "id", [{"id": name} for name, _ in names]),
            ("instances", "uid", [_instance(row, first, name, uid) for name, uid in names]),
            ("deliveries", "instance", [{"instance": uid} for _, uid in names]),
        ):
            (like,) = (dict(r) for r in c.execute(f"SELECT * FROM {table}"))
            marks = ", ".join(f":{column}" for column in like)
            c.executemany(f"INSERT INTO {table} VALUES ({marks})", [like | columns for columns in new])
            assert c.execute(f"SELECT count(DISTINCT {key}) FROM {table}").fetchone()[0] == many
    ledger.close()


def _instance(row: dict[str, Any], first: str, name: str, uid: str) -> dict[str, Any]:
    path = row["path"].replace(first, name).replace(row["uid"], uid)
    return {"uid": uid, "acquisition": name, "folder": name, "path": path, "sha256": None}


def _like(uid: str, number: int) -> str:
    """Another UID of the same length."""
    return f"{uid[:-8]}{number:08d}"


def _query(path: Path, sql: str) -> list[dict[str, Any]]:
    ledger = Ledger(path)
    try:
        return [dict(r) for r in ledger.query(sql)]
    finally:
        ledger.close()


def _started(shop: Workshop, settings: Settings, many: int, how: str) -> Iterator[Row]:
    """The process from its start to its answer, to a new recording's instance, and to the last old one."""
    whose = spooling.somebodys_exam(settings)
    spooling.record(settings, whose.exam, 50)
    began = time.monotonic()
    process = shop.start("forward")
    socket = settings.places.socket("forward")

    def until(request: dict[str, Any], true: Callable[[dict[str, Any]], bool], pause: float = 0.05) -> str:
        while time.monotonic() - began < LONGEST:
            with contextlib.suppress(GatewayError):
                if true(local.ask(socket, request, 60)):
                    return figure(time.monotonic() - began, "s")
            time.sleep(pause)
        return f"not within {LONGEST:.0f} s"

    what = f"forward over {many:,} instances, {how}".replace(",", " ")
    yield Row(f"{what}: answers", until({"do": "ping"}, lambda _: True))
    mine = {"do": "exam", "exam": whose.exam}
    yield Row(f"{what}: a new recording is queued", until(mine, lambda a: bool(a["deliveries"])))
    yield Row(f"{what}: all is looked through", until(STATUS, lambda a: bool(a["recovery"]["done"]), 1.0))
    yield Row(f"{what}: peak memory", figure(resident("VmHWM", process.pid), "MiB"))
    process.stop()
    exam.close_exam(settings.places, spooling.CLOCK, whose.exam)
