"""A spool that an older version wrote is taken up where it stood; what a newer one wrote is refused, untouched.

``older/version-1.tar.xz`` was written by the gateway whose ledger had format 1, before SHA256SUMS: an exam with six
instances (purged, committed, refused, waived, asked for, queued), and recordings that nobody had wrapped yet.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from spooling import DESTINATION, Box, Pacs, record, somebodys_exam

from gateway import configuration, exam, records
from gateway.acquire.recorder import read_facts
from gateway.errors import Fatal, Held
from gateway.places import Places
from gateway.settings import Settings
from gateway.spool import deliveries, holding, lanes
from gateway.spool.ledger import MIGRATIONS, VERSION, Ledger

OLDER = Path(__file__).with_name("older") / "version-1.tar.xz"


@pytest.fixture
def settings(config: Path) -> Settings:
    two = [
        DESTINATION.format(name=name, port=104, policy=p) for name, p in (("pacs", "commitment"), ("archive", "stored"))
    ]
    config.write_text(config.read_text() + "".join(two))
    return configuration.load(config)


@pytest.fixture
def truth(settings: Settings) -> dict[str, Any]:
    with tarfile.open(OLDER) as tar:
        tar.extractall(settings.box.data.parent, filter="data")
    found: dict[str, Any] = json.loads((settings.box.data / "truth.json").read_text())
    return found


def schema(path: Path) -> set[tuple[str, ...]]:
    connection = sqlite3.connect(path)
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    columns = {(t, *map(str, c[1:])) for (t,) in tables for c in connection.execute(f"PRAGMA table_info({t})")}
    indexes = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
    found = columns | {(name, " ".join(sql.split())) for name, sql in indexes}
    connection.close()
    return found


def test_an_older_ledger_is_brought_up_to_date_and_says_so(
    settings: Settings, truth: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    before = _states(settings.places.ledger)
    Ledger(settings.places.ledger).close()
    assert f"the ledger was of format 1, and is of format {VERSION} now; its states are kept" in caplog.messages
    assert _states(settings.places.ledger) == before
    Ledger(tmp_path / "new.sqlite").close()
    assert schema(settings.places.ledger) == schema(tmp_path / "new.sqlite")
    caplog.clear()
    Ledger(settings.places.ledger).close()
    assert not caplog.messages


def test_a_ledger_of_format_2_learns_of_what_goes_nowhere_and_waits_on_in_its_order(
    settings: Settings, truth: dict[str, Any]
) -> None:
    path = settings.places.ledger
    connection = sqlite3.connect(path)
    connection.executescript(f"{MIGRATIONS[1]}PRAGMA user_version = 2;")
    connection.execute("DELETE FROM deliveries WHERE instance = ?", (truth["refused"],))
    connection.commit()
    connection.close()
    before = _states(path)
    ledger = Ledger(path)
    assert _states(path) == before
    assert [r["uid"] for r in ledger.query("SELECT uid FROM instances WHERE unrouted")] == [truth["refused"]]
    now = ledger.query("SELECT max(queued_at) FROM deliveries")[0][0]
    due, _ = lanes.next_batch(ledger, settings.box.data, "pacs", now + 1, 600.0, 32, 1 << 30)
    assert truth["queued"] in [d.instance.sop_instance_uid for d in due]
    ledger.close()


def _states(path: Path) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT instance, destination, state, held, waived, transaction_uid FROM deliveries")
    rows = found.fetchall()
    connection.close()
    return rows


def test_a_spool_of_an_older_version_goes_on_where_it_stood(settings: Settings, truth: dict[str, Any]) -> None:
    pacs = Pacs()
    pacs.held = {uid: _file(settings, uid) for uid in truth["stored"] if uid != truth["purged"]}
    box = Box(settings, pacs, retention=36500.0)
    box.take_in()
    for _ in range(3):
        box.deliver()
    assert not set(pacs.stores) & set(truth["stored"])  # nothing twice
    assert truth["requested"] in pacs.committed  # it was asked for again
    new = {r["acquisition"]: r["uid"] for r in box.ledger.query("SELECT acquisition, uid FROM instances")}
    sent = {truth["queued"], new[truth["kept"]], new[truth["cut off"]]}
    assert set(pacs.stores) == sent
    assert box.delivery(truth["refused"])["held"] == "the PACS refuses it"
    assert box.delivery(truth["waived"])["waived"] is not None
    held = box.ledger.query("SELECT id FROM acquisitions WHERE held IS NOT NULL")
    assert [r["id"] for r in held] == [truth["nobodys"]]
    deliveries.release(box.ledger, truth["refused"], None, 1.0)
    box.deliver()
    assert set(pacs.stores) == sent | {truth["refused"]}
    assert not box.ledger.query("SELECT 1 FROM instances WHERE corrupt IS NOT NULL")


def _file(settings: Settings, uid: str) -> bytes:
    (path,) = settings.places.instances.glob(f"*/{uid}.dcm")
    return path.read_bytes()


def test_without_its_ledger_too_it_loses_nothing(settings: Settings, truth: dict[str, Any]) -> None:
    settings.places.ledger.unlink()
    pacs = Pacs()
    box = Box(settings, pacs, retention=36500.0)
    box.take_in()
    box.deliver()
    uids = {r["uid"] for r in box.ledger.query("SELECT uid FROM instances")}
    assert pacs.committed == uids
    assert uids > {truth[name] for name in ("committed", "refused", "waived", "requested", "queued")}


def _json(path: Path) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 99, "unheard": "of"}))


def _records(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(records.MAGIC) : len(records.HEADER)] = (99).to_bytes(2, "little")
    path.write_bytes(data)


def _ledger(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()


NEWER: dict[str, tuple[Callable[[Path], None], Callable[[Path], object]]] = {
    "facts.json": (_json, lambda path: read_facts(path.parent)),
    "exam.json": (_json, lambda path: exam.load(Places(path.parents[2], path), path.parent.name)),
    "records": (_records, lambda path: list(records.events(path))),
    "ledger.sqlite": (_ledger, Ledger),
}


@pytest.mark.parametrize("what", NEWER)
def test_what_a_newer_version_wrote_is_refused_with_words_and_left_untouched(settings: Settings, what: str) -> None:
    whose = somebodys_exam(settings)
    folder = settings.places.acquisition(record(settings, whose.exam, 50))
    here = {"exam.json": settings.places.exam(whose.exam), "ledger.sqlite": settings.places.ledger}
    path = here.get(what, folder / what)
    make_newer, open_it = NEWER[what]
    make_newer(path)
    before = path.read_bytes()
    with pytest.raises((Held, Fatal), match="newer") as refused:
        open_it(path)
    assert "upgrade the gateway" in refused.value.fix
    if path != settings.places.ledger:
        box = Box(settings, Pacs())
        box.take_in()
        (row,) = box.ledger.query("SELECT held FROM acquisitions")
        assert "newer" in row["held"]
        assert "upgrade" in str(holding.reason(folder))
    assert path.read_bytes() == before
