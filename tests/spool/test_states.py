"""The tables of states are the whole truth: what is not in them is refused."""

from __future__ import annotations

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


@given(st.sampled_from(sorted(TABLES)), st.data())
def test_every_state_and_event_is_in_the_table_or_refused(name: str, data: st.DataObject) -> None:
    table = TABLES[name]
    state, event = data.draw(st.sampled_from(states(table))), data.draw(st.sampled_from(EVENTS))
    if (state, event) in table:
        assert advance(table, state, event) is table[state, event]
        assert may(table, state, event)
    else:
        assert not may(table, state, event)
        with pytest.raises(Fatal, match="cannot happen"):
            advance(table, state, event)


@given(st.lists(st.sampled_from(EVENTS), max_size=12))
def test_a_delivery_is_committed_only_after_it_was_stored_since_it_was_last_missing(events: list[str]) -> None:
    state, stored = Delivery.QUEUED, False
    for event in events:
        if may(DELIVERY, state, event):
            state = advance(DELIVERY, state, event)
            stored = (stored or event == "stored") and event != "missing"
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
