"""The disk is filling: said once, in words, while there is time, and with how much time that is."""

from __future__ import annotations

import dataclasses
import logging

import pytest
from spooling import CLOCK, Box, Pacs, record, somebodys_exam

from gateway.acquire.admission import MIB, Room
from gateway.settings import Settings
from gateway.spool import room, survey
from gateway.spool.ledger import Ledger

NOW = 1_800_000_000.0


@pytest.fixture
def filling(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """1000 MiB are free, 500 are reserved, 2000 are worth a word."""
    monkeypatch.setattr(room, "room", lambda _: Room(1000 * MIB, 10**6))
    return dataclasses.replace(settings, spool=dataclasses.replace(settings.spool, reserve=500, warn=2000))


@pytest.fixture
def ledger(settings: Settings) -> Ledger:
    return Ledger(settings.places.ledger)


def test_below_the_warning_a_person_reads_how_much_is_left_and_what_to_do(filling: Settings, ledger: Ledger) -> None:
    seen = room.space(filling, ledger, NOW)
    assert seen.admits
    assert seen.trouble.startswith("the disk is filling: 1000 MiB are free; nothing waits: shorten spool.retention")


def test_with_a_pace_it_says_how_long_that_lasts(filling: Settings, settings: Settings, pacs: Pacs) -> None:
    record(settings, somebodys_exam(settings).exam, 50)
    box = Box(settings, pacs)
    box.take_in()
    with box.ledger.change() as c:
        c.execute("UPDATE instances SET size = ?, wrapped_at = ?", (100 * MIB, NOW - 3600))
    words = room.space(filling, box.ledger, NOW).trouble
    assert "which last about 40 hours at the pace of the last 24 hours" in words  # 500 MiB, at 3 x 100 MiB a day
    assert "1 instances wait for their destinations and may not be deleted: gateway queue list" in words
    assert "hours" not in room.space(filling, box.ledger, NOW + 2 * 86400).trouble


def test_with_room_enough_nothing_is_said(filling: Settings, ledger: Ledger, settings: Settings) -> None:
    enough = dataclasses.replace(filling, spool=dataclasses.replace(filling.spool, warn=900))
    assert room.space(enough, ledger, NOW).trouble == ""


def test_the_status_line_tells_it(filling: Settings, ledger: Ledger) -> None:
    assert any(
        "the disk is filling" in words for words in survey.troubles(filling, ledger, CLOCK, survey.queue(ledger))
    )


def test_the_log_tells_each_change_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    alarm = room.Alarm()
    fine, low = room.Space(9000, 500, 2000, True, ""), room.Space(1000, 500, 2000, True, "the disk is filling: x")
    full = room.Space(100, 500, 2000, False, "no new recording: y")
    for seen in (fine, low, low, full, full, fine):
        alarm.look(seen)
    said = [(r.levelname, r.getMessage()) for r in caplog.records]
    assert said == [
        ("WARNING", "the disk is filling: x"),
        ("ERROR", "no new recording: y"),
        ("INFO", "there is room again: 9000 MiB are free"),
    ]
