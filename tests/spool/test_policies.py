"""What a destination has not kept yet follows the policy of today; what it has kept stays kept."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from spooling import CLOCK, DESTINATION

from gateway import configuration
from gateway.settings import Settings
from gateway.spool import deliveries, instances, policies, transactions
from gateway.spool.deliveries import Taken
from gateway.spool.instances import Origin, Wanted
from gateway.spool.layout import Described
from gateway.spool.ledger import Ledger
from gateway.spool.policies import Policies

ORIGIN = Origin("A", "A", "E", "ecg1", False)


def later(_: int) -> float:
    return 0.0


class Site:
    """One destination; instances in each state that one can be in."""

    def __init__(self, settings: Settings, policy: str) -> None:
        self.settings = settings
        self.ledger = Ledger(settings.places.ledger)
        for uid in ("queued", "stored", "requested", "committed", "waived", "imported"):
            one = Described(uid, "1.2", "1.2.1", f"instances/A/{uid}.dcm", 9, "1.9", "", "", "ECG")
            wanted = Wanted("pacs", policy, may_be_there=uid == "imported")
            instances.add(self.ledger, ORIGIN, [(one, "aa")], [wanted], 1.0)
        deliveries.stored(
            self.ledger, "pacs", [Taken(uid, "aa", "", "", 1.0) for uid in ("stored", "requested", "committed")]
        )
        transactions.ask(self.ledger, "T1", "pacs", ["committed"], 1.0)
        transactions.report(self.ledger, "T1", frozenset(["committed"]), {}, 1.0, later)
        transactions.ask(self.ledger, "T2", "pacs", ["requested"], 1.0)
        deliveries.waive(self.ledger, "waived", "pacs", "waived by a person", 1.0)

    def follow(self, policy: str) -> None:
        """A start with this policy in the configuration."""
        to = dataclasses.replace(self.settings.destinations[0], policy=policy)
        turns = Policies(dataclasses.replace(self.settings, destinations=(to,)), self.ledger, CLOCK)
        while turns.turn():
            pass

    def now(self) -> dict[str, tuple[str, bool]]:
        """Policy, and whether it is settled."""
        rows = self.ledger.query(
            "SELECT d.instance, d.policy, i.settled_at IS NOT NULL AS settled FROM deliveries d"
            " JOIN instances i ON i.uid = d.instance"
        )
        return {r["instance"]: (r["policy"], bool(r["settled"])) for r in rows}

    def audit(self) -> list[dict[str, Any]]:
        path = self.settings.places.audit
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def settings(config: Path) -> Settings:
    config.write_text(config.read_text() + DESTINATION.format(name="pacs", port=104, policy="commitment"))
    return configuration.load(config)


@pytest.mark.parametrize("at_once", [1, 200])
def test_a_relaxed_policy_frees_what_waits_and_is_audited(
    settings: Settings, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policies, "_AT_ONCE", at_once)
    site = Site(settings, "commitment")
    site.follow("stored")
    assert site.now() == {
        "queued": ("stored", False),
        "stored": ("stored", True),
        "requested": ("stored", True),
        "committed": ("commitment", True),
        "waived": ("commitment", True),
        "imported": ("commitment", False),  # nobody has sent it: only the peer's word says that it is there
    }
    (line,) = site.audit()
    assert (line["who"], line["what"], line["subject"]) == ("rule", "policy stored", "pacs")
    assert "'commitment'" in line["why"]


def test_a_stricter_policy_concerns_what_is_not_kept_yet_and_nothing_else(settings: Settings) -> None:
    site = Site(settings, "stored")
    site.follow("commitment")
    found = site.now()
    assert found["queued"] == ("commitment", False)
    assert {uid: found[uid] for uid in ("stored", "requested", "committed")} == dict.fromkeys(
        ("stored", "requested", "committed"), ("stored", True)
    )


def test_the_same_policy_changes_nothing_and_says_nothing(settings: Settings) -> None:
    site = Site(settings, "commitment")
    before = site.now()
    site.follow("commitment")
    assert (site.now(), site.audit()) == (before, [])
    site.follow("stored")
    site.follow("stored")
    assert len(site.audit()) == 1


def test_it_is_found_by_an_index_however_much_was_purged(settings: Settings) -> None:
    ledger = Ledger(settings.places.ledger)
    plan = [r["detail"] for r in ledger.query(f"EXPLAIN QUERY PLAN {policies._OTHERS}", "pacs", 0.0, "", "stored", 9)]
    assert any("instances_unfinished" in step for step in plan)
    assert not any(step.startswith("SCAN d") for step in plan), plan
    assert not any("TEMP B-TREE" in step for step in plan), plan
