"""The tables of states are the whole truth: what is not in them is refused."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Fatal
from gateway.spool.states import ACQUISITION, DELIVERY, FREES, INSTANCE, STEP, Delivery, Table, advance, may

TABLES: dict[str, Table[Any]] = {"acquisition": ACQUISITION, "instance": INSTANCE, "delivery": DELIVERY, "step": STEP}
EVENTS = sorted({event for table in TABLES.values() for _, event in table} | {"", "purged", "COMMITTED"})


def states(table: Table[Any]) -> list[StrEnum]:
    return list(type(next(iter(table.values()))))


# Written from the design's drawing of the states, not from the code: what leads from where to where, and how.
DRAWN = """
acquisition RECORDING -ended-> KEPT
acquisition RECORDING -cut off-> KEPT
acquisition KEPT -wrapped-> WRAPPED
instance SPOOLED -purge-> PURGING
instance PURGING -unlinked-> PURGED
delivery QUEUED -stored-> STORED
delivery QUEUED -may be there-> STORED
delivery STORED -asked-> REQUESTED
delivery REQUESTED -unanswered-> STORED
delivery REQUESTED -missing-> QUEUED
delivery REQUESTED -committed-> COMMITTED
delivery STORED -committed-> COMMITTED
delivery STORED -unanswered-> STORED
delivery STORED -missing-> QUEUED
step QUEUED -created-> IN PROGRESS
step IN PROGRESS -finished-> DONE
"""
ENDS = {"acquisition": "WRAPPED", "instance": "PURGED", "delivery": "COMMITTED", "step": "DONE"}
EVERY = [(name, state, event) for name, table in TABLES.items() for state in states(table) for event in EVENTS]


def drawn() -> dict[tuple[str, str, str], str]:
    found = {}
    for line in DRAWN.strip().splitlines():
        name, _, rest = line.partition(" ")
        state, event, after = re.fullmatch(r"(.+) -(.+)-> (.+)", rest).groups()  # type: ignore[union-attr]
        found[name, state, event] = after
    return found


@pytest.mark.parametrize(("name", "state", "event"), EVERY)
def test_every_state_and_event_is_in_the_drawing_or_refused(name: str, state: StrEnum, event: str) -> None:
    table, expected = TABLES[name], drawn().get((name, str(state), event))
    assert may(table, state, event) == (expected is not None)
    if expected is None:
        with pytest.raises(Fatal, match="cannot happen"):
            advance(table, state, event)
    else:
        assert advance(table, state, event) == expected


@pytest.mark.parametrize("name", sorted(TABLES))
def test_from_every_state_there_is_a_way_to_the_end_and_none_out_of_it(name: str) -> None:
    table = TABLES[name]
    for start in states(table):
        reached = {start}
        for _ in states(table):
            reached |= {after for (before, _), after in table.items() if before in reached}
        assert ENDS[name] in {str(s) for s in reached}
        assert str(start) != ENDS[name] or reached == {start}


def test_held_waived_and_corrupt_are_flags_and_no_states() -> None:
    words = {str(s).lower() for table in TABLES.values() for s in states(table)}
    assert not words & {"held", "waived", "corrupt", "interrupted", "discarded"}


@given(st.lists(st.sampled_from(EVENTS), max_size=12))
def test_a_delivery_is_committed_only_after_it_was_stored_or_may_have_been_since_it_was_last_missing(
    events: list[str],
) -> None:
    state, stored = Delivery.QUEUED, False
    for event in events:
        if may(DELIVERY, state, event):
            state = advance(DELIVERY, state, event)
            stored = (stored or event in ("stored", "may be there")) and event != "missing"
    if state is Delivery.COMMITTED:
        assert stored


@pytest.mark.parametrize("name", sorted(TABLES))
def test_no_state_is_a_trap_that_nothing_leads_into(name: str) -> None:
    table = TABLES[name]
    first = states(table)[0]
    assert {first, *table.values()} == set(states(table))


def test_what_is_committed_or_purged_stays_so() -> None:
    assert not [event for event in EVENTS if may(DELIVERY, Delivery.COMMITTED, event)]
    assert {name: sorted(states) for name, states in FREES.items()} == {
        "commitment": ["COMMITTED"],
        "stored": ["COMMITTED", "REQUESTED", "STORED"],
        "media-verified": ["STORED"],
        "copy": [],
    }
