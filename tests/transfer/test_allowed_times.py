"""A destination's hours: local time, over midnight, where clocks are changed, and where nobody has set the clock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spooling import CLOCK, DESTINATION, Box, Pacs, record, somebodys_exam

from gateway import configuration
from gateway.clock import Clock
from gateway.transfer.delivering.allowed_times import Hours, open_at, opens, span
from gateway.transfer.delivering.shift import Shift

NIGHT = "19:00-06:30"


@pytest.mark.parametrize(
    ("spans", "hour", "minute", "open_"),
    [
        ([NIGHT], 18, 59, False),
        ([NIGHT], 19, 0, True),
        ([NIGHT], 0, 0, True),
        ([NIGHT], 6, 29, True),
        ([NIGHT], 6, 30, False),
        (["12:00-13:00", NIGHT], 12, 30, True),
        (["12:00-13:00", NIGHT], 13, 0, False),
        (["20:00-24:00"], 23, 59, True),
        (["20:00-24:00"], 0, 0, False),
        ([], 12, 0, True),
    ],
)
def test_a_span_begins_with_its_first_minute_and_ends_before_its_last(
    spans: list[str], hour: int, minute: int, open_: bool
) -> None:
    assert open_at([span(s) for s in spans], hour * 60 + minute) is open_


minutes = st.integers(0, 1439)


@given(st.lists(st.tuples(minutes, minutes).filter(lambda s: s[0] != s[1]), min_size=1, max_size=4), minutes)
def test_it_opens_when_it_says_and_not_before(spans: list[tuple[int, int]], now: int) -> None:
    if open_at(spans, now):
        return
    at = opens(spans, now)
    assert open_at(spans, at)
    assert not any(open_at(spans, (now + i) % 1440) for i in range((at - now) % 1440))


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def closed(text: str, year: int, month: int, day: int, hour: int, minute: int, fold: int = 0) -> str:
    wall = datetime(year, month, day, hour, minute, fold=fold, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()
    return Hours([text], Clock("always", wall=lambda: wall)).closed()


@pytest.mark.usefixtures("in_berlin")
def test_where_clocks_change_a_clock_on_the_wall_says_whether_it_is_open() -> None:
    assert closed(NIGHT, 2026, 7, 1, 18, 30) == "outside its hours; it is sent to again at 19:00"
    assert not closed(NIGHT, 2026, 12, 1, 19, 30)
    assert closed("02:00-03:00", 2026, 3, 29, 1, 59)
    assert closed("02:00-03:00", 2026, 3, 29, 3, 0)  # the hour that this night does not have
    assert not closed("02:00-03:00", 2026, 10, 25, 2, 30)
    assert not closed("02:00-03:00", 2026, 10, 25, 2, 30, fold=1)  # the hour that comes twice


def test_a_clock_that_nobody_has_set_keeps_nothing_back() -> None:
    epoch = Clock("always", wall=lambda: 43200.0)  # a board without a battery, and without NTP yet
    assert not Hours(["00:00-00:01", "23:58-23:59"], epoch).closed()


def test_outside_its_hours_nothing_is_sent_and_then_everything(config: Path) -> None:
    pacs = Pacs()
    text = config.read_text() + DESTINATION.format(name="pacs", port=104, policy="commitment")
    config.write_text(text + f'hours = ["{NIGHT}"]\n')
    settings = configuration.load(config)
    record(settings, somebodys_exam(settings).exam, 50)
    box = Box(settings, pacs)
    box.take_in()
    noon = time.mktime((2026, 6, 1, 12, 0, 0, 0, 0, -1))
    now = [noon]
    shift = Shift(box.couriers[0], box.ledger, Clock("always", wall=lambda: now[0], monotonic=CLOCK.monotonic))
    assert shift.turn() > 1.0
    assert not pacs.stores
    assert "sent to again at 19:00" in shift.words
    now[0] = noon + 7 * 3600
    shift.turn()
    assert shift.words == ""
    assert set(box.states().values()) == {"COMMITTED"}
