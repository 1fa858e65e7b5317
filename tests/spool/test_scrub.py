"""What spoils on the disk is found while somebody still has it whole, and a person can have it made anew."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from spooling import CLOCK, Box, Pacs, record, somebodys_exam

from gateway import configuration
from gateway.clock import Clock
from gateway.errors import Held
from gateway.settings import Settings
from gateway.spool.desk import Desk
from gateway.spool.scrub import DAY, Scrubber, due


class Bench:
    """A box with one instance, and what reads it again."""

    def __init__(self, settings: Settings, pacs: Pacs) -> None:
        self.settings = settings
        self.acquisition = record(settings, somebodys_exam(settings).exam, 50)
        self.box = Box(settings, pacs, retention=7.0)
        self.box.take_in()
        (self.path,) = settings.places.instances.glob("*/*.dcm")
        self.uid = self.path.stem
        self.whole = self.path.read_bytes()
        self.rested: list[float] = []
        self.desk = Desk(settings, self.box.ledger, CLOCK, self.box.rewrap, self.box.remake, lambda: None)

    def scrub(self, days: float = 0.0) -> None:
        later = Clock("always", wall=lambda: CLOCK.wall() + days * DAY)
        Scrubber(self.settings, self.box.ledger, later, self.pause).turn()

    def pause(self, seconds: float) -> bool:
        self.rested.append(seconds)
        return False

    def spoil(self) -> None:
        data = bytearray(self.whole)
        data[-5] ^= 1
        self.path.write_bytes(data)

    def row(self, column: str) -> object:
        return self.box.ledger.query(f"SELECT {column} FROM instances")[0][0]


@pytest.fixture
def bench(settings: Settings, pacs: Pacs) -> Bench:
    return Bench(settings, pacs)


def test_each_is_read_once_in_its_time_and_again_when_that_is_over(bench: Bench) -> None:
    bench.scrub()
    assert bench.row("corrupt") is None
    assert len(bench.rested) == 1
    bench.scrub(6)
    assert len(bench.rested) == 1
    bench.scrub(8)
    assert len(bench.rested) == 2


def test_a_clock_that_was_set_back_makes_it_due_not_safe() -> None:
    assert due(None, 7, 0)
    assert due(1000 * DAY, 7, 900 * DAY)
    assert not due(1000 * DAY, 7, 1006 * DAY)


def test_a_spoiled_bit_is_an_alarm_that_names_who_took_it_whole(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.box.deliver()
    bench.spoil()
    bench.scrub()
    assert bench.row("corrupt") == "its file is not what was written"
    assert f"instance {bench.uid}: its file is not what was written; pacs took it while it was whole" in caplog.text
    bench.box.purger.turn()
    assert bench.path.exists()


def test_what_nobody_has_taken_says_how_to_make_it_anew(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.spoil()
    bench.scrub()
    assert f"gateway queue release {bench.uid} makes it anew" in caplog.text


@pytest.mark.parametrize("lost", [False, True], ids=["spoiled", "vanished"])
def test_released_by_a_person_it_is_made_anew_byte_for_byte_and_sent(bench: Bench, pacs: Pacs, lost: bool) -> None:
    bench.spoil()
    if lost:
        bench.path.unlink()
    bench.scrub()
    bench.box.deliver()
    assert not pacs.held
    answer = bench.desk.handlers["release"]({"instance": bench.uid, "who": "anna", "why": "bad card"})
    assert answer["words"] == "it is made anew, byte for byte; 1 deliveries go on"
    assert bench.path.read_bytes() == bench.whole
    assert bench.row("corrupt") is None
    bench.box.deliver()
    assert pacs.held == {bench.uid: bench.whole}
    (line,) = bench.settings.places.audit.read_text().splitlines()
    assert json.loads(line) | {"at": 0} == {
        "at": 0,
        "trusted": True,
        "who": "anna",
        "what": "release",
        "subject": bench.uid,
        "why": "bad card",
    }
    assert not list(bench.settings.places.instances.glob(".*"))


def test_what_would_not_be_the_same_bytes_is_refused(bench: Bench) -> None:
    bench.spoil()
    spoiled = bench.path.read_bytes()
    bench.scrub()
    facts = bench.settings.places.acquisition(bench.acquisition) / "facts.json"
    facts.write_text(facts.read_text().replace('"Maker"', '"Other"'))
    with pytest.raises(Held, match="is not what instance"):
        bench.desk.handlers["release"]({"instance": bench.uid})
    assert bench.path.read_bytes() == spoiled
    assert bench.row("corrupt") is not None


def test_a_hash_that_was_never_kept_is_filled_in(bench: Bench) -> None:
    with bench.box.ledger.change() as c:
        c.execute("UPDATE instances SET sha256 = NULL")
    bench.scrub()
    assert bench.row("sha256") is not None


def test_a_process_that_stops_does_not_wait_for_a_long_file(settings: Settings, bench: Bench) -> None:
    Scrubber(settings, bench.box.ledger, CLOCK, lambda _: True).turn()
    assert bench.row("checked_at") is None


def test_reading_again_can_be_switched_off(config: Path, settings: Settings, bench: Bench) -> None:
    config.write_text(config.read_text().replace("[spool]\n", "[spool]\nscrub = 0\n"))
    bench.settings = configuration.load(config)
    bench.spoil()
    bench.scrub()
    assert bench.row("corrupt") is None
