"""Only purgeable() authorises a deletion, and only when everything speaks for it."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spooling import CLOCK, Box, Pacs, record, somebodys_exam

from gateway import configuration
from gateway.clock import Clock
from gateway.settings import Settings
from gateway.spool.settling import Promise
from gateway.spool.space import DAY, Candidate, purgeable
from gateway.spool.states import FREES, Delivery

NOW = 1_800_000_000.0
KEPT = Promise("commitment", Delivery.COMMITTED)
GOOD = Candidate((KEPT,), settled_at=NOW - 8 * DAY)


def test_what_is_committed_everywhere_and_old_enough_may_go() -> None:
    assert purgeable(GOOD, 7.0, NOW, trusted=True).allowed


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"promises": ()}, "no destination"),
        ({"promises": (Promise("copy", Delivery.STORED),)}, "no destination"),
        ({"promises": (KEPT, Promise("commitment", Delivery.REQUESTED))}, "not every destination"),
        ({"promises": (Promise("media-verified", Delivery.QUEUED),)}, "not every destination"),
        ({"promises": (Promise("commitment", Delivery.QUEUED, superseded=True),)}, "not every destination"),
        ({"settled_at": None}, "retention"),
        ({"settled_at": 0.0}, "retention"),
        ({"settled_at": NOW - 6 * DAY}, "retention"),
        ({"settled_at": NOW + DAY}, "retention"),
        ({"corrupt": True}, "damaged"),
        ({"discarded": True}, "only test recordings"),
        ({"empty": True, "promises": ()}, "no destination"),  # nobody gave it up
    ],
)
def test_one_thing_that_speaks_against_it_is_enough(change: dict[str, object], words: str) -> None:
    verdict = purgeable(dataclasses.replace(GOOD, **change), 7.0, NOW, trusted=True)  # type: ignore[arg-type]
    assert not verdict.allowed
    assert words in verdict.words


@pytest.mark.parametrize(
    ("owed", "wait", "allowed"),
    [
        (Promise("copy", Delivery.QUEUED), 30.0, False),
        (Promise("copy", Delivery.QUEUED), 7.0, True),
        (Promise("copy", Delivery.QUEUED), 0.0, True),
        (Promise("copy", Delivery.QUEUED), math.inf, False),
        (Promise("copy", Delivery.STORED), math.inf, True),
        (Promise("copy", Delivery.QUEUED, waived=True), math.inf, True),
        (Promise("copy", Delivery.QUEUED, superseded=True), math.inf, True),
    ],
)
def test_a_copy_that_is_not_made_yet_is_waited_for_but_not_for_ever(owed: Promise, wait: float, allowed: bool) -> None:
    """All others have had it for eight days."""
    verdict = purgeable(dataclasses.replace(GOOD, promises=(KEPT, owed)), 0.0, NOW, trusted=True, wait=wait)
    assert verdict.allowed is allowed
    if not allowed:
        assert verdict.words == "its copy for a medium is not made yet"


def test_a_copy_is_made_before_the_purge_even_without_a_retention_time(
    config: Path, settings: Settings, pacs: Pacs, caplog: pytest.LogCaptureFixture
) -> None:
    config.write_text(f'{config.read_text()}[media]\nsticks = ["ask"]\n')
    settings = configuration.load(config)
    record(settings, somebodys_exam(settings).exam)
    box = Box(settings, pacs)
    box.take_in()
    box.deliver()
    assert box.purger.turn() == 0
    assert box.purger.turn(short=True) == 1, "a disk that fills is the worse loss"
    assert "is deleted without a copy on a medium" in caplog.text


def test_a_hundred_that_wait_for_a_copy_do_not_hide_the_others(config: Path, settings: Settings, pacs: Pacs) -> None:
    config.write_text(f'{config.read_text()}[media]\nsticks = ["ask"]\n')
    settings = configuration.load(config)
    exam = somebodys_exam(settings).exam
    names = [record(settings, exam, samples=10) for _ in range(3)]
    box = Box(settings, pacs, retention=1.0)
    box.take_in()
    box.deliver()
    box.purger.turn()
    with box.ledger.change() as c:
        c.execute("UPDATE instances SET settled_at = settled_at - ?", (3 * DAY,))
        c.execute("UPDATE instances SET settled_at = settled_at - ? WHERE acquisition <> ?", (DAY, names[2]))
        c.execute(
            "UPDATE deliveries SET state = 'STORED' WHERE destination = 'media' AND instance IN"
            " (SELECT uid FROM instances WHERE acquisition = ?)",
            (names[2],),
        )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gateway.spool.space._AT_ONCE", 1)
        assert box.purger.turn() == 1


def test_nothing_goes_while_the_clock_is_not_to_be_trusted() -> None:
    assert not purgeable(GOOD, 7.0, NOW, trusted=False).allowed


def test_a_person_may_waive_a_destination_and_discard_a_test() -> None:
    waived = dataclasses.replace(GOOD, promises=(Promise("commitment", Delivery.QUEUED, waived=True),))
    assert purgeable(waived, 7.0, NOW, trusted=True).allowed
    assert purgeable(Candidate((), None, test=True, discarded=True), 7.0, NOW, trusted=False).allowed
    assert purgeable(Candidate((), None, empty=True, discarded=True), 7.0, NOW, trusted=False).allowed


promise = st.builds(
    Promise, st.sampled_from(sorted(FREES)), st.sampled_from(Delivery), st.booleans(), st.booleans(), st.booleans()
)


@given(st.lists(promise, max_size=4), st.none() | st.floats(0, 2 * NOW), st.booleans(), st.booleans())
def test_whatever_is_allowed_without_a_person_has_all_it_needs(
    promises: list[Promise], settled_at: float | None, corrupt: bool, trusted: bool
) -> None:
    one = Candidate(tuple(promises), settled_at, corrupt)
    if purgeable(one, 7.0, NOW, trusted).allowed:
        counted = [p for p in promises if p.policy != "copy"]
        assert counted
        assert trusted
        assert not corrupt
        assert settled_at is not None
        assert NOW - settled_at >= 7 * DAY
        for p in counted:
            assert p.kept_by_successor if p.superseded else p.waived or p.state in FREES[p.policy]


def test_the_raw_recording_goes_with_its_last_instance(settings: Settings, pacs: Pacs) -> None:
    name = record(settings, somebodys_exam(settings).exam)
    box = Box(settings, pacs)
    box.take_in()
    box.purger.turn()
    assert settings.places.acquisition(name).exists()
    box.deliver()
    assert box.purger.turn() == 1
    assert not settings.places.acquisition(name).exists()
    assert not (settings.places.instances / name).exists()
    assert [r["state"] for r in box.ledger.query("SELECT state FROM instances")] == ["PURGED"]
    assert box.purger.turn() == 0


def test_the_retention_time_begins_when_the_clock_is_trusted(settings: Settings, pacs: Pacs) -> None:
    record(settings, somebodys_exam(settings).exam)
    wrong = Clock("always", wall=lambda: 1000.0)  # 1970: no battery, no NTP yet
    box = Box(settings, pacs, clock=wrong)
    box.take_in()
    box.deliver()
    assert box.purger.turn() == 0
    assert [r["settled_at"] for r in box.ledger.query("SELECT settled_at FROM instances")] == [0.0]
    box.ledger.close()
    right = Box(settings, pacs, retention=1.0)
    assert right.purger.turn() == 0
    (row,) = right.ledger.query("SELECT settled_at FROM instances")
    assert abs(row["settled_at"] - CLOCK.wall()) < 3600


def test_what_was_dated_by_a_clock_that_ran_ahead_does_not_stay_for_years(settings: Settings, pacs: Pacs) -> None:
    record(settings, somebodys_exam(settings).exam)
    ahead = Clock("always", wall=lambda: CLOCK.wall() + 1900 * DAY)
    box = Box(settings, pacs, clock=ahead, retention=7.0)
    box.take_in()
    box.deliver()
    assert box.purger.turn() == 0
    box.ledger.close()
    right = Box(settings, pacs, retention=7.0)
    assert right.purger.turn() == 0, "its retention time begins anew"
    (row,) = right.ledger.query("SELECT settled_at FROM instances")
    assert abs(row["settled_at"] - CLOCK.wall()) < 3600
    right.ledger.close()
    assert Box(settings, pacs, clock=Clock("always", wall=lambda: CLOCK.wall() + 8 * DAY)).purger.turn() == 1


def test_the_longest_settled_goes_first(settings: Settings, pacs: Pacs, monkeypatch: pytest.MonkeyPatch) -> None:
    exam = somebodys_exam(settings).exam
    names = [record(settings, exam) for _ in range(3)]
    box = Box(settings, pacs, retention=1.0)
    box.take_in()
    box.deliver()
    box.purger.turn()
    order = [names[2], names[0], names[1]]
    with box.ledger.change() as c:
        for age, name in zip((5, 4, 3), order, strict=True):
            c.execute("UPDATE instances SET settled_at = ? WHERE acquisition = ?", (CLOCK.wall() - age * DAY, name))
    gone: list[str] = []
    monkeypatch.setattr("gateway.spool.space.finish_purge", lambda _here, ledger, uid: gone.append(uid))
    assert box.purger.turn() == 3
    of = {r["uid"]: r["acquisition"] for r in box.ledger.query("SELECT uid, acquisition FROM instances")}
    assert [of[uid] for uid in gone] == order
