"""The ledger's own functions, driven in any order, against a plain model: nothing may go before everybody has it."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from gateway.errors import Fatal
from gateway.spool import deliveries, instances, settling, transactions
from gateway.spool.deliveries import Taken
from gateway.spool.instances import Origin, Wanted
from gateway.spool.layout import Described
from gateway.spool.ledger import Ledger
from gateway.spool.space import candidate, purgeable
from gateway.spool.transactions import Failure

POLICIES = {"pacs": "commitment", "archive": "stored", "stick": "media-verified", "copy": "copy"}
ENOUGH = {
    "pacs": {"COMMITTED"},
    "archive": {"STORED", "REQUESTED", "COMMITTED"},
    "stick": {"STORED"},
}
where = st.sampled_from(sorted(POLICIES))


class Life(RuleBasedStateMachine):
    """One instance on its way to four destinations."""

    folder: Path
    number = 0

    @initialize()
    def begin(self) -> None:
        Life.number += 1
        self.ledger = Ledger(self.folder / f"{Life.number}.sqlite")
        described = Described("1", "1.2", "1.2.1", "instances/A/1.dcm", 1, "1.9", "", "", "ECG")
        wanted = [Wanted(name, policy) for name, policy in POLICIES.items()]
        instances.add(self.ledger, Origin("A", "A", "E", "ecg1", False), [(described, "aa")], wanted, 1.0)
        self.state = dict.fromkeys(POLICIES, "QUEUED")
        self.held: set[str] = set()
        self.waived: set[str] = set()
        self.settled = self.corrupt = False
        self.asked: dict[str, bool] = {}  # transactions with pacs -> still open
        self.reported: set[str] = set()
        self.last = ""  # the last transaction with pacs, if there was one since it was sent

    def _settle(self) -> None:
        everybody = all(n in self.waived or self.state[n] in enough for n, enough in ENOUGH.items())
        self.settled = self.settled or everybody

    @rule(name=where)
    def store(self, name: str) -> None:
        try:
            deliveries.stored(self.ledger, name, [Taken("1", "aa", "", "", 1.0)])
        except Fatal:
            assert self.state[name] != "QUEUED"
            return
        assert self.state[name] == "QUEUED"
        self.state[name] = "STORED"
        self._settle()

    @rule()
    def ask(self) -> None:
        transaction = f"T{len(self.asked)}"
        try:
            transactions.ask(self.ledger, transaction, "pacs", ["1"], 1.0)
        except Fatal:
            assert self.state["pacs"] != "STORED"
            assert not self.ledger.query("SELECT 1 FROM transactions WHERE uid = ?", transaction)
            return
        assert self.state["pacs"] == "STORED"
        self.state["pacs"], self.asked[transaction], self.last = "REQUESTED", True, transaction

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), answer=st.sampled_from(["committed", "missing", "unanswered", "held", "left out"]))
    def report(self, data: st.DataObject, answer: str) -> None:
        transaction = data.draw(st.sampled_from(sorted(self.asked)))
        committed = frozenset({"1"} if answer == "committed" else ())
        failed = {} if answer in ("committed", "left out") else {"1": Failure(answer, "", "refused")}
        transactions.report(self.ledger, transaction, committed, failed, 1.0, lambda _: 0.0)
        first, self.asked[transaction] = self.asked[transaction], False
        twice = transaction in self.reported
        self.reported.add(transaction)
        if not self.last or self.state["pacs"] not in ("STORED", "REQUESTED"):
            return
        if answer == "committed":
            self.state["pacs"] = "COMMITTED"
            self.held.discard("pacs")
            self._settle()
        elif (first and self.last == transaction) or (not first and not twice and answer in ("missing", "held")):
            self.state["pacs"] = "QUEUED" if answer == "missing" else "STORED"
            self.last = "" if answer == "missing" else self.last
            self.held |= {"pacs"} if answer == "held" else set()

    @precondition(lambda self: any(self.asked.values()))
    @rule()
    def time_out(self) -> None:
        transaction = next(t for t, still in self.asked.items() if still)
        transactions.give_up(self.ledger, transaction, "late", 1.0, lambda _: 0.0)
        self.asked[transaction] = False
        if self.state["pacs"] == "REQUESTED" and self.last == transaction:
            self.state["pacs"] = "STORED"

    @rule(name=where)
    def hold(self, name: str) -> None:
        deliveries.hold(self.ledger, "1", name, "", "held by a person", 1.0)
        self.held.add(name)

    @rule(name=where)
    def release(self, name: str) -> None:
        deliveries.release(self.ledger, "1", name, 1.0)
        if name not in self.waived:
            self.held.discard(name)

    @rule(name=where)
    def waive(self, name: str) -> None:
        deliveries.waive(self.ledger, "1", name, "waived by a person", 1.0)
        self.waived.add(name)
        self._settle()

    @rule()
    def spoil(self) -> None:
        instances.mark_corrupt(self.ledger, "1", "its file is not what was written")
        self.corrupt = True

    @rule()
    def mend(self) -> None:
        instances.mark_whole(self.ledger, "1", 1.0)
        self.corrupt = False

    @invariant()
    def it_is_as_the_model_says(self) -> None:
        rows = {r["destination"]: r for r in self.ledger.query("SELECT * FROM deliveries")}
        assert {n: r["state"] for n, r in rows.items()} == self.state
        assert {n for n, r in rows.items() if r["held"] is not None} == self.held
        assert {n for n, r in rows.items() if r["waived"] is not None} == self.waived

    @invariant()
    def it_may_go_only_when_everybody_has_it(self) -> None:
        settling.date_settled(self.ledger, 10.0)
        with self.ledger.change() as c:
            row = c.execute("SELECT * FROM instances").fetchone()
            may = purgeable(candidate(c, row), 0.0, 20.0, trusted=True).allowed
            without_copy = purgeable(candidate(c, row), 0.0, 20.0, trusted=True, wait=0.0).allowed
        copied = "copy" in self.waived or self.state["copy"] != "QUEUED"
        now = all(n in self.waived or self.state[n] in enough for n, enough in ENOUGH.items())
        assert without_copy == (now and not self.corrupt)
        assert may == (without_copy and copied)
        assert (row["settled_at"] is not None) == self.settled

    def teardown(self) -> None:
        self.ledger.close()


def test_in_whatever_order_things_happen_nothing_goes_before_everybody_has_it(tmp_path: Path) -> None:
    Life.folder = tmp_path
    few = hypothesis_settings(max_examples=25, stateful_step_count=20, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Life, settings=few)  # type: ignore[no-untyped-call]
