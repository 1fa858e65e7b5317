"""The ledger keeps progress durably, refuses what it does not understand, and stays quick."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from gateway.errors import Fatal, Misuse, Retry
from gateway.spool import deliveries, instances, lanes, transactions
from gateway.spool.deliveries import Taken
from gateway.spool.instances import Origin, Wanted
from gateway.spool.layout import Described
from gateway.spool.ledger import VERSION, Ledger
from gateway.spool.transactions import Failure

ORIGIN = Origin("ACQ", "ACQ", "EXAM", "ecg1", False)
WANTED = (Wanted("pacs", "commitment"), Wanted("archive", "stored"), Wanted("media", "copy"))


def described(uid: str) -> Described:
    return Described(uid, "1.2", "1.2.1", f"instances/ACQ/{uid}.dcm", 10, "1.9", "", "", "ECG")


def later(attempts: int) -> float:
    return 0.0


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.sqlite")


def test_every_commit_is_on_the_medium(ledger: Ledger) -> None:
    assert ledger.query("PRAGMA journal_mode")[0][0] == "wal"
    assert ledger.query("PRAGMA synchronous")[0][0] == 2  # FULL
    assert ledger.query("PRAGMA user_version")[0][0] == VERSION
    assert all(f.stat().st_mode & 0o077 == 0 for f in ledger.path.parent.iterdir())


def test_a_newer_ledger_is_refused_and_left_untouched(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(Fatal, match=f"format version {VERSION + 1}"):
        Ledger(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["ledger.sqlite"]


@pytest.mark.parametrize("damage", ["header", "middle"])
def test_a_damaged_ledger_is_set_aside_and_a_new_one_begun(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "ledger.sqlite"
    first = Ledger(path)
    instances.add(first, ORIGIN, [(described(str(i)), None) for i in range(500)], WANTED, 1.0)
    first.close()
    data = bytearray(path.read_bytes())
    at = 0 if damage == "header" else len(data) // 2
    data[at : at + 8192] = b"\xa5" * 8192 if damage == "middle" else b"no ledger" * 910
    path.write_bytes(data[:60] + bytes(4) + data[64:])
    second = Ledger(path)
    assert second.query("SELECT count(*) FROM instances")[0][0] == 0
    assert (tmp_path / "ledger.sqlite.damaged-1").exists()


def test_a_transaction_that_fails_leaves_no_trace(ledger: Ledger) -> None:
    instances.add(ledger, ORIGIN, [(described("1"), "aa")], WANTED, 1.0)
    with pytest.raises(Fatal):
        transactions.ask(ledger, "T", "pacs", ["1"], 1.0)  # it was never stored
    assert ledger.query("SELECT count(*) FROM transactions")[0][0] == 0


def test_a_change_within_a_change_is_a_part_of_it(ledger: Ledger) -> None:
    with pytest.raises(KeyError), ledger.change():
        instances.add(ledger, ORIGIN, [(described("1.1"), None)], WANTED, 1.0)
        raise KeyError
    assert ledger.query("SELECT * FROM instances") == []
    with ledger.change():
        instances.add(ledger, ORIGIN, [(described("1.1"), None)], WANTED, 1.0)
    assert len(ledger.query("SELECT * FROM instances")) == 1


def test_adding_the_same_instances_again_changes_nothing(ledger: Ledger) -> None:
    instances.add(ledger, ORIGIN, [(described("1"), "aa")], WANTED, 1.0)
    deliveries.stored(ledger, "pacs", [Taken("1", "aa", "0000", "done", 2.0)])
    before = [tuple(r) for r in ledger.query("SELECT * FROM deliveries")]
    instances.add(ledger, ORIGIN, [(described("1"), "aa")], WANTED, 3.0)
    assert [tuple(r) for r in ledger.query("SELECT * FROM deliveries")] == before


def test_a_destination_that_the_instance_does_not_have_cannot_be_waived(ledger: Ledger) -> None:
    instances.add(ledger, ORIGIN, [(described("1"), None)], WANTED, 1.0)
    with pytest.raises(Misuse, match="does not go to"):
        deliveries.waive(ledger, "1", "elsewhere", "", 1.0)


@pytest.mark.parametrize(
    ("which", "index"),
    [
        (deliveries.TO_SEND, "deliveries_to_send (destination=?)"),
        (deliveries.TO_ASK, "deliveries_to_ask (destination=?)"),
        (lanes.URGENT, "deliveries_first (destination=? AND rank=? AND queued_at>?)"),
        (lanes.ROUTINE, "deliveries_first (destination=? AND rank=? AND queued_at>?)"),
    ],
)
def test_what_is_due_is_found_by_an_index_that_gives_the_order_too(ledger: Ledger, which: str, index: str) -> None:
    parameters = ("pacs", *[0.0] * (which.count("?") - 1))
    plan = " ".join(r["detail"] for r in ledger.query("EXPLAIN QUERY PLAN " + which, *parameters))
    assert f"USING INDEX {index}" in plan
    assert "SCAN" not in plan
    assert "TEMP B-TREE" not in plan


def test_a_clock_that_jumped_back_does_not_bar_a_delivery(ledger: Ledger) -> None:
    instances.add(ledger, ORIGIN, [(described("1"), None)], WANTED, 1.0)
    deliveries.postpone(ledger, ["1"], "pacs", 1e6 + 30, True, "", "busy", 1e6)
    due = [
        len(deliveries.due(ledger, Path("/"), deliveries.TO_SEND, "pacs", now, 600, 9)) for now in (1e6, 1e6 + 31, 5)
    ]
    assert due == [0, 1, 1]


class Commitment(RuleBasedStateMachine):
    """One destination's commitments against a plain model: reports late, twice, partial and unknown."""

    folder: Path
    number = 0

    @initialize()
    def begin(self) -> None:
        Commitment.number += 1
        self.ledger = Ledger(self.folder / f"{Commitment.number}.sqlite")
        self.uids = [str(i) for i in range(4)]
        instances.add(self.ledger, ORIGIN, [(described(u), "aa") for u in self.uids], WANTED[:1], 1.0)
        self.model = dict.fromkeys(self.uids, "QUEUED")
        self.open: dict[str, list[str]] = {}
        self.all: dict[str, list[str]] = {}
        self.reported: set[str] = set()
        self.asked_by: dict[str, str] = {}  # instance -> its last transaction, if it was asked for since it was sent
        self.history: dict[str, set[str]] = {u: set() for u in self.uids}  # transactions from before the peer lost it

    def having(self, state: str) -> list[str]:
        return [u for u, s in self.model.items() if s == state]

    @rule()
    def store(self) -> None:
        for uid in self.having("QUEUED"):
            deliveries.stored(self.ledger, "pacs", [Taken(uid, "aa", "", "", 1.0)])
            self.model[uid] = "STORED"

    @precondition(lambda self: self.having("STORED"))
    @rule()
    def ask(self) -> None:
        transaction, uids = f"T{len(self.all)}", self.having("STORED")
        transactions.ask(self.ledger, transaction, "pacs", uids, 1.0)
        self.open[transaction] = self.all[transaction] = uids
        self.model |= dict.fromkeys(uids, "REQUESTED")
        self.asked_by |= dict.fromkeys(uids, transaction)

    @precondition(lambda self: self.open)
    @rule()
    def time_out(self) -> None:
        transaction = min(self.open)
        transactions.give_up(self.ledger, transaction, "late", 1.0, later)
        for uid in self.open.pop(transaction):
            if self.model[uid] == "REQUESTED" and self.asked_by[uid] == transaction:
                self.model[uid] = "STORED"

    @precondition(lambda self: self.all)
    @rule(data=st.data())
    def report(self, data: st.DataObject) -> None:
        transaction = data.draw(st.sampled_from(sorted(self.all)))
        asked = self.all[transaction]
        committed = frozenset(data.draw(st.lists(st.sampled_from(asked))))
        missing = set(data.draw(st.lists(st.sampled_from(asked)))) - committed
        failed = dict.fromkeys(missing, Failure("missing", "0112", "gone"))
        assert transactions.report(self.ledger, transaction, committed, failed, 1.0, later)
        for uid in committed:
            mine = uid in self.asked_by and transaction not in self.history[uid]
            if self.model[uid] in ("STORED", "REQUESTED") and mine:
                self.model[uid] = "COMMITTED"
        late, twice = transaction not in self.open, transaction in self.reported
        for uid in missing if late else self.open.pop(transaction):
            mine = uid in self.asked_by if late else self.asked_by.get(uid) == transaction
            mine = mine and transaction not in self.history[uid]
            if not twice and mine and self.model[uid] in ("STORED", "REQUESTED"):
                self.model[uid] = "QUEUED" if uid in missing else "STORED"
                if uid in missing:
                    del self.asked_by[uid]
                    self.history[uid] = set(self.all)
        self.reported.add(transaction)

    @rule()
    def unknown(self) -> None:
        assert not transactions.report(self.ledger, "unknown", frozenset(self.uids), {}, 1.0, later)

    def teardown(self) -> None:
        rows = self.ledger.query("SELECT instance, state FROM deliveries")
        assert {r["instance"]: r["state"] for r in rows} == self.model
        self.ledger.close()


def test_reports_in_any_order_give_what_the_model_says(tmp_path: Path) -> None:
    Commitment.folder = tmp_path
    few = hypothesis_settings(max_examples=25, stateful_step_count=15, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Commitment, settings=few)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("how", ["time-out", "report"])
def test_what_a_person_holds_stays_held_whatever_becomes_of_the_request(ledger: Ledger, how: str) -> None:
    instances.add(ledger, ORIGIN, [(described("1"), "aa")], WANTED, 1.0)
    deliveries.stored(ledger, "pacs", [Taken("1", "aa", "", "", 1.0)])
    transactions.ask(ledger, "T", "pacs", ["1"], 1.0)
    deliveries.hold(ledger, "1", "pacs", "", "held by a person", 1.0)
    if how == "report":
        transactions.report(ledger, "T", frozenset(), {"1": Failure("unanswered", "0110", "busy")}, 1.0, later)
    else:
        transactions.give_up(ledger, "T", "late", 1.0, later)
    (row,) = ledger.query("SELECT state, held FROM deliveries WHERE destination = 'pacs'")
    assert tuple(row) == ("STORED", "held by a person")


def test_a_ledger_without_room_is_tried_again_and_goes_on_when_there_is_room(ledger: Ledger) -> None:
    ledger.query(f"PRAGMA max_page_count = {ledger.query('PRAGMA page_count')[0][0]}")
    many = [(described(str(i)), None) for i in range(2000)]
    with pytest.raises(Retry, match="make room on the disk"):
        instances.add(ledger, ORIGIN, many, WANTED, 1.0)
    ledger.query("PRAGMA max_page_count = 100000")
    instances.add(ledger, ORIGIN, many, WANTED, 1.0)
    assert ledger.query("SELECT count(*) FROM instances")[0][0] == 2000


def test_a_ledger_that_breaks_at_run_time_stops_the_process(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    first = Ledger(path)
    instances.add(first, ORIGIN, [(described(str(i)), None) for i in range(2000)], WANTED, 1.0)
    first.query("PRAGMA wal_checkpoint(TRUNCATE)")
    first.query("PRAGMA cache_size = 1")
    data = bytearray(path.read_bytes())
    data[8192:] = b"\xa5" * (len(data) - 8192)
    path.write_bytes(data)
    with pytest.raises(Fatal, match="set aside at the next start"):
        for table in ("instances", "deliveries"):
            first.query(f"SELECT * FROM {table}")
