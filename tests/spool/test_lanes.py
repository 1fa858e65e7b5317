"""What goes next: urgent before fresh before the backlog, and never without the backlog."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spooling import CLOCK, DESTINATION, ITEM, Box, Pacs, record

from gateway import configuration, exam
from gateway.model import Attributed
from gateway.settings import Settings
from gateway.spool import instances, lanes
from gateway.spool.deliveries import Due
from gateway.spool.instances import Origin, Wanted
from gateway.spool.layout import Described
from gateway.spool.ledger import Ledger
from gateway.spool.states import Rank

NOW = 1e6


def uids(found: list[Due]) -> list[str]:
    return [d.instance.sop_instance_uid for d in found]


uniques = st.lists(st.integers(0, 60), unique=True, max_size=40)


@given(uniques, uniques, st.integers(1, 40))
def test_every_fourth_place_is_the_backlogs_and_no_place_stays_empty(
    first: list[int], rest: list[int], most: int
) -> None:
    found = lanes.in_turn({str(u): str(u) for u in first}, {str(u): str(u) for u in rest}, most)
    assert len(found) == len(set(found)) == min(most, len({*first, *rest}))
    backlog = [str(u) for u in rest if u not in first]
    theirs = [u for u in found if u in backlog]
    assert theirs == backlog[: len(theirs)]  # in its order
    assert [u for u in found if u not in backlog] == [str(u) for u in first][: len(found) - len(theirs)]
    assert len(theirs) >= min(len(backlog), len(found) // lanes.SHARE)  # never starved
    if len(first) >= most:
        assert len(theirs) <= len(found) // lanes.SHARE  # nor does it hold up what is fresh


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.sqlite")


def queued(ledger: Ledger, uid: str, at: float, rank: Rank = Rank.ROUTINE, size: int = 10) -> None:
    one = Described(uid, "1.2", "1.2.1", f"instances/A/{uid}.dcm", size, "1.9", "", "", "ECG")
    instances.add(
        ledger, Origin("A", "A", "E", "ecg1", False), [(one, "aa")], [Wanted("pacs", "stored", rank=rank)], at
    )


def batch(ledger: Ledger, most: int = 32, most_bytes: int = 1 << 30) -> tuple[list[str], bool]:
    found, more = lanes.next_batch(ledger, Path("/"), "pacs", NOW, 600.0, most, most_bytes)
    return uids(found), more


def test_after_an_outage_todays_recordings_do_not_wait_for_those_of_a_week(ledger: Ledger) -> None:
    for i in range(200):
        queued(ledger, f"old-{i:03}", NOW - 86400 + i)
    for i in range(40):
        queued(ledger, f"new-{i:03}", NOW - 100 + i)
    queued(ledger, "stat", NOW - 50, Rank.URGENT)
    queued(ledger, "old-stat", NOW - 90000, Rank.URGENT)
    found, more = batch(ledger)
    assert found[:5] == ["old-stat", "stat", "new-000", "old-000", "new-001"]
    assert sum(u.startswith("old-0") for u in found) == 8
    assert more


def test_what_was_found_again_or_imported_is_backlog_however_new_its_row_is(ledger: Ledger) -> None:
    queued(ledger, "found", NOW - 2, Rank.BACKLOG)
    queued(ledger, "new", NOW - 1)
    assert batch(ledger) == (["new", "found"], False)


def test_a_batch_has_so_many_bytes_at_most_that_what_is_urgent_does_not_wait_for_long(ledger: Ledger) -> None:
    for i in range(5):
        queued(ledger, f"{i}", NOW - 10 + i, size=400)
    assert batch(ledger, most_bytes=1000) == (["0", "1"], True)
    assert batch(ledger, most_bytes=1) == (["0"], True)  # at least one: the largest goes too
    assert batch(ledger, most_bytes=2000) == ([str(i) for i in range(5)], False)


@pytest.fixture
def settings(config: Path) -> Settings:
    config.write_text(config.read_text() + DESTINATION.format(name="pacs", port=104, policy="commitment"))
    return configuration.load(config)


@pytest.mark.parametrize(("priority", "rank"), [("STAT", 0), ("HIGH", 0), ("ROUTINE", 1), ("MEDIUM", 1), (None, 1)])
def test_what_the_worklist_calls_urgent_is_sent_first(
    settings: Settings, pacs: Pacs, priority: str | None, rank: int
) -> None:
    item = ITEM | ({"00401003": {"vr": "SH", "Value": [priority]}} if priority else {})
    for device, what in (("ecg1", ITEM), ("ecg2", item)):
        whose = exam.open_exam(settings.places, CLOCK, (device,), Attributed.SCHEDULED, what)
        record(settings, whose.exam, 50, device)
    box = Box(settings, pacs)
    box.take_in()
    (row,) = box.ledger.query(
        "SELECT d.rank, d.instance FROM deliveries d JOIN instances i ON i.uid = d.instance WHERE i.device = 'ecg2'"
    )
    assert row["rank"] == rank
    with box.ledger.change() as c:  # it came last
        c.execute("UPDATE deliveries SET queued_at = queued_at + 1 WHERE instance = ?", (row["instance"],))
    box.deliver()
    assert (pacs.stores[0] == row["instance"]) == (rank == Rank.URGENT)
