"""A stand-in: at any moment a delivery is one destination's to send, through cuts, restarts and a lost ledger."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from spooling import DESTINATION

from gateway import configuration
from gateway.destination import Destination
from gateway.settings import Settings
from gateway.spool import deliveries, instances, lanes, marks, settling, standing_in, transactions
from gateway.spool.deliveries import TO_ASK, Taken
from gateway.spool.instances import Origin
from gateway.spool.layout import Described
from gateway.spool.ledger import Ledger
from gateway.spool.routing import Router
from gateway.spool.transactions import Failure

UIDS = ("1", "2", "3")
MISSING = Failure("missing", "0112", "no such instance")


def at_once(_: int) -> float:
    return 0.0


def with_a_stand_in(config: Path, first: str = "commitment", other: str = "commitment") -> Settings:
    text = config.read_text() + DESTINATION.format(name="first", port=104, policy=first)
    config.write_text(text + DESTINATION.format(name="other", port=104, policy=other) + 'stands_in_for = "first"\n')
    return configuration.load(config)


class Pair(RuleBasedStateMachine):
    """Two archives, of which the first comes and goes; what each really holds is known here, not to the box."""

    settings: Settings
    number = 0

    @initialize()
    def begin(self) -> None:
        Pair.number += 1
        self.folder = self.settings.box.data.parent / str(Pair.number)
        (self.folder / "instances" / "A").mkdir(parents=True)
        self.router = Router(self.settings)
        self.stand_in: Destination = self.settings.destination("other")
        self.has: dict[str, set[str]] = {"first": set(), "other": set()}
        self.committed: set[str] = set()
        self.noted: set[str] = set()  # of what the other one holds: what must not go to the first one
        self.waived: set[str] = set()  # for the other one, by a person
        self.transactions = 0
        self.open_ledger()

    def open_ledger(self) -> None:
        self.ledger = Ledger(self.folder / "ledger.sqlite")
        origin = Origin("A", "A", "", "ecg1", False)
        found = [(Described(u, "1.2", "1.2.1", f"instances/A/{u}.dcm", 9, "1.9", "", "", "ECG"), "aa") for u in UIDS]
        marked = [(described_with_marks(one, self.folder), sha) for one, sha in found]
        instances.add(self.ledger, origin, marked, self.router.choose(origin, backlog=True), 1.0)

    def due(self, name: str) -> list[str]:
        found, _ = lanes.next_batch(self.ledger, self.folder, name, 1e6, 600.0, 32, 1 << 30)
        return [d.instance.sop_instance_uid for d in found]

    def sent(self, name: str, uids: list[str]) -> None:
        for uid in uids:
            self.has[name].add(uid)
            deliveries.stored(self.ledger, name, [Taken(uid, "aa", "0000", "done", 1.0)])
            if name == "other":
                self.noted.add(uid)

    @rule()
    def hand_over(self) -> None:
        while standing_in.hand_over(self.ledger, "first", self.stand_in, 1.0):
            pass
        assert set(self.due("first")) <= self.waived

    @rule()
    def take_back(self) -> None:
        standing_in.take_back(self.ledger, "other", "first", 1.0)

    @rule()
    def first_takes_one(self) -> None:
        self.sent("first", self.due("first")[:1])

    @rule()
    def other_takes_one(self) -> None:
        self.sent("other", self.due("other")[:1])

    @rule()
    def other_takes_one_and_the_power_fails_before_the_ledger_says_so(self) -> None:
        for uid in self.due("other")[:1]:
            self.has["other"].add(uid)
            marks.take(self.folder / "instances" / "A" / f"{uid}.dcm", "first", "other")
            self.noted.add(uid)

    @rule()
    def first_breaks_after_one_arrived(self) -> None:
        self.has["first"].update(self.due("first")[:1])

    @rule()
    def both_report(self) -> None:
        for name in ("first", "other"):
            asked = deliveries.due(self.ledger, self.folder, TO_ASK, name, 1e6, 600.0, 32)
            uids = [d.instance.sop_instance_uid for d in asked]
            self.transactions += 1
            transactions.ask(self.ledger, f"T{self.transactions}", name, uids, 1.0)
            there = frozenset(uids) & self.has[name]
            gone = dict.fromkeys(set(uids) - there, MISSING)
            transactions.report(self.ledger, f"T{self.transactions}", there, gone, 1.0, at_once)
            self.committed |= there
            if name == "other":
                self.noted -= set(gone)

    @rule()
    def other_loses_what_it_had_and_did_not_commit(self) -> None:
        self.has["other"] &= self.committed

    @rule()
    def a_person_waives_the_other_for_one(self) -> None:
        for uid in self.due("other")[:1]:
            deliveries.waive(self.ledger, uid, "other", "a person's word", 1.0)
            self.noted.discard(uid)
            self.waived.add(uid)

    @rule()
    def restart(self) -> None:
        self.ledger.close()
        self.open_ledger()

    @rule()
    def lose_the_ledger(self) -> None:
        self.ledger.close()
        for path in self.folder.glob("ledger.sqlite*"):
            path.unlink()
        self.open_ledger()

    @invariant()
    def it_is_one_destinations_to_send(self) -> None:
        assert not set(self.due("first")) & set(self.due("other"))

    @invariant()
    def what_the_stand_in_has_does_not_go_to_the_first_one(self) -> None:
        assert not self.noted & set(self.due("first"))

    @invariant()
    def nothing_is_settled_that_nobody_committed_to(self) -> None:
        with self.ledger.change() as c:
            for uid in UIDS:
                promises = settling.promises(c, uid)
                assert promises
                if all(p.kept for p in promises if p.counts):
                    assert uid in self.committed

    @invariant()
    def nothing_is_forgotten(self) -> None:
        """Each instance is due somewhere, or is stored where it is owed."""
        due = {*self.due("first"), *self.due("other")}
        sql = "SELECT instance FROM deliveries WHERE state <> 'QUEUED' AND taken_by IS NULL"
        assert due | {r["instance"] for r in self.ledger.query(sql)} == set(UIDS)

    def teardown(self) -> None:
        """The first one is back for good, the other one answers too: all is settled."""
        if not hasattr(self, "ledger"):
            return
        for _ in range(3):
            self.take_back()
            for name in ("first", "other"):
                self.sent(name, self.due(name))
            self.both_report()
        rows = self.ledger.query("SELECT uid FROM instances WHERE settled_at IS NULL")
        assert not [r["uid"] for r in rows]
        self.ledger.close()


def described_with_marks(one: Described, folder: Path) -> Described:
    return dataclasses.replace(one, marks=marks.of(folder / one.path))


def test_a_pair_gives_and_takes_back_in_any_order_and_nothing_is_lost_or_owed_twice(config: Path) -> None:
    Pair.settings = with_a_stand_in(config)
    few = hypothesis_settings(
        max_examples=25,
        stateful_step_count=25,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],  # each step syncs: to make a failure smaller takes longer than to read it
    )
    run_state_machine_as_test(Pair, settings=few)  # type: ignore[no-untyped-call]
