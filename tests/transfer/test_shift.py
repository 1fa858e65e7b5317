"""A destination that is down for long enough is stood in for, and what its stand-in took is not owed to it any more."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from spooling import CLOCK, DESTINATION, Box, Pacs, record, somebodys_exam

from gateway import configuration, exam
from gateway.clock import Clock
from gateway.settings import Settings
from gateway.sop_classes import WRITTEN
from gateway.spool import steps, survey
from gateway.spool.desk import Desk
from gateway.transfer.calling.outcomes import Outcome
from gateway.transfer.calling.peers import Peer
from gateway.transfer.delivering.shift import Outage, Shift, shifts
from gateway.verbs import queue

CLOSED = Outcome("retry", "closed", "nothing listens at that port")
AFTER = 900.0


class Two(Box):
    """A box with two archives, of which the second stands in for the first; time passes only by :meth:`later`."""

    def __init__(self, settings: Settings, first: Pacs, other: Pacs) -> None:
        super().__init__(settings, first, retention=0.0)
        self.now = float(int(CLOCK.monotonic()))  # whole seconds: their sums and differences are exact
        clock = Clock("always", monotonic=lambda: self.now)
        for courier, pacs in zip(self.couriers, (first, other), strict=True):
            courier._send, courier.asking._request, courier._probe = pacs.send, pacs.request, probe(pacs)
            courier.pause._monotonic = clock.monotonic
        self.first, self.other = first, other
        self.rung = 0
        self.shifts: list[Shift] = shifts(self.couriers, self.ledger, clock, self._ring)

    def _ring(self) -> None:
        self.rung += 1

    def later(self, seconds: float) -> None:
        """Both work as often as they like."""
        self.now += seconds
        for _ in range(3):
            with self.ledger.change() as c:
                c.execute("UPDATE deliveries SET next_try = 0")
            for shift in self.shifts:
                shift.courier.pause.end()
                shift.turn()

    def again(self, lose: bool = False) -> Two:
        """Killed, and started again."""
        self.ledger.close()
        if lose:
            for path in self.settings.box.data.glob("ledger.sqlite*"):
                path.unlink()
        found = Two(self.settings, self.first, self.other)
        found.take_in()
        return found

    def desk(self) -> Desk:
        return Desk(self.settings, self.ledger, CLOCK, self.rewrap, self.remake, lambda: None)


def probe(pacs: Pacs) -> Callable[[Peer], Outcome]:
    def ask(_: Peer) -> Outcome:
        return pacs.away or Outcome("done", "0000", "answers")

    return ask


@pytest.fixture
def settings(config: Path) -> Settings:
    first, other = (DESTINATION.format(name=n, port=104, policy="commitment") for n in ("first", "other"))
    config.write_text(config.read_text() + first + other + f'stands_in_for = "first"\nstand_in_after = {AFTER}\n')
    return configuration.load(config)


@pytest.fixture
def box(settings: Settings) -> Two:
    """Three recordings, and the first archive is down."""
    box = Two(settings, Pacs(), Pacs())
    box.first.away = CLOSED
    more(box, 3)
    return box


def more(box: Two, number: int) -> None:
    whose = somebodys_exam(box.settings)
    for _ in range(number):
        record(box.settings, whose.exam, 50)
    exam.close_exam(box.settings.places, CLOCK, whose.exam)
    box.take_in()


def test_down_is_counted_without_a_break_and_only_while_it_may_be_called() -> None:
    outage = Outage()
    assert outage.look(None, True, 10.0) == 0.0
    assert outage.look(False, True, 20.0) == 0.0
    assert outage.look(False, True, 50.0) == 30.0
    assert outage.look(True, True, 60.0) == 0.0
    assert outage.look(False, True, 70.0) == 0.0
    assert outage.look(False, False, 90.0) == 0.0  # outside its hours nobody knows
    assert outage.look(False, True, 95.0) == 0.0


def test_a_stand_in_gets_nothing_while_the_first_one_answers(box: Two) -> None:
    box.first.away = None
    box.later(0)
    assert set(box.states("first").values()) == {"COMMITTED"}
    assert not box.other.stores
    assert not box.states("other")


def test_a_short_outage_is_waited_for(box: Two) -> None:
    box.later(0)
    box.later(AFTER - 1)
    assert not box.other.stores
    box.first.away = None
    box.later(1)
    assert len(box.first.committed) == 3
    assert not box.other.stores


def test_what_waits_for_one_that_is_down_for_long_goes_to_its_stand_in_and_is_owed_no_more(
    box: Two, caplog: pytest.LogCaptureFixture
) -> None:
    box.later(0)
    with caplog.at_level(logging.INFO):
        box.later(AFTER)
    assert "first has been down for 900 s: other stands in for it" in caplog.messages
    assert "3 instances that wait for first go to other" in caplog.messages
    assert box.shifts[0].words == "other stands in for it"
    assert len(box.other.committed) == 3
    assert survey.queue(box.ledger)["unfinished"] == 0
    assert box.rung == 1  # the stand-in need not find it out by itself
    more(box, 1)  # a new one goes there without a delay
    box.later(1)
    assert len(box.other.committed) == 4
    box.first.away = None
    box.later(1)
    assert box.shifts[0].words == ""
    assert not box.first.stores  # what its stand-in has is not sent to it later
    more(box, 1)
    box.later(1)
    assert len(box.first.committed) == 1  # new ones go to it again
    assert len(box.other.committed) == 4
    while box.purger.turn():
        pass
    assert not list(box.settings.places.instances.iterdir())


def test_what_the_stand_in_has_not_stored_comes_back_when_the_first_one_answers(box: Two) -> None:
    box.other.away = CLOSED
    box.later(0)
    box.later(AFTER)
    rows = box.desk().queue({})["deliveries"]
    assert {(r["destination"], r["words"]) for r in rows} == {("other", CLOSED.words)}
    assert {queue._why(r).partition(" (")[0] for r in rows} == {f"in place of first; {CLOSED.words}"}
    box.first.away = None  # it is found out by C-ECHO: nothing waits for it
    box.later(1)
    box.later(1)
    assert len(box.first.committed) == 3
    assert not box.states("other")


def test_what_waits_at_the_stand_in_says_in_whose_place(box: Two) -> None:
    box.later(0)
    box.now += AFTER
    box.couriers[0].pause.end()
    box.shifts[0].turn()
    rows = box.desk().queue({})["deliveries"]
    assert {(r["destination"], queue._why(r)) for r in rows} == {("other", "in place of first")}
    first, other = box.desk().show({"instance": rows[0]["instance"]})["deliveries"]
    assert queue._delivery(first).endswith("ago: given to other, which stands in for it")
    assert "next try now: in place of first" in queue._delivery(other)


@pytest.mark.parametrize("lose", [False, True], ids=["restart", "lost ledger"])
def test_what_the_stand_in_committed_is_never_sent_to_the_first_one(box: Two, lose: bool) -> None:
    box.later(0)
    box.later(AFTER)
    assert len(box.other.committed) == 3
    again = box.again(lose)
    again.first.away = None
    again.later(1)
    again.later(1)
    assert not again.first.stores
    assert set(again.states("other").values()) == {"COMMITTED"}
    assert survey.queue(again.ledger)["unfinished"] == 0


def test_after_a_restart_what_was_handed_over_comes_back_too(box: Two) -> None:
    box.other.away = CLOSED
    box.later(0)
    box.later(AFTER)
    again = box.again()
    again.first.away = None
    again.later(1)
    again.later(1)
    assert len(again.first.committed) == 3
    assert not again.states("other")


def test_what_the_first_one_has_stored_is_left_to_it(box: Two) -> None:
    box.first.away, box.first.reports = None, False
    box.later(0)
    box.first.away = CLOSED
    box.later(1)
    box.later(AFTER)
    assert set(box.states("first").values()) == {"REQUESTED"}
    assert not box.other.stores


def test_what_the_stand_in_lost_again_is_owed_to_the_first_one(box: Two) -> None:
    box.later(0)
    box.other.reasons = dict.fromkeys(box.states("first"), 0x0112)  # it stores, and then does not have it
    box.later(AFTER)
    assert set(box.states("other").values()) == {"QUEUED"}
    box.first.away = None
    box.later(1)
    box.later(1)
    assert len(box.first.committed) == 3


def test_what_a_person_holds_is_not_handed_over_and_not_taken_back(box: Two) -> None:
    held, handed, _ = sorted(box.states("first"))
    box.desk().handlers["hold"]({"instance": held, "why": "the wrong patient"})
    box.other.away = CLOSED
    box.later(0)
    box.later(AFTER)
    assert held not in box.states("other")
    box.desk().handlers["hold"]({"instance": handed, "why": "the wrong patient"})
    box.first.away = box.other.away = None
    box.later(1)
    box.later(1)
    assert not {held, handed} & {*box.first.stores, *box.other.stores}
    for uid in (held, handed):
        box.desk().handlers["release"]({"instance": uid})
    box.later(1)
    box.later(1)
    assert len(box.first.committed | box.other.committed) == 3


def test_what_the_stand_in_refuses_the_first_one_gets_when_it_is_back(box: Two) -> None:
    uid = sorted(box.states("first"))[0]
    box.other.refuse[uid] = Outcome("hold", "C000", "it cannot be understood")
    box.later(0)
    box.later(AFTER)
    assert len(box.other.committed) == 2
    box.first.away = None
    box.later(1)
    box.later(1)
    assert box.first.stores == [uid]
    assert survey.queue(box.ledger)["unfinished"] == 0


def test_a_waived_stand_in_leaves_it_owed_to_the_first_one(box: Two) -> None:
    box.other.away = CLOSED
    box.later(0)
    box.later(AFTER)
    uid = sorted(box.states("other"))[0]
    box.desk().handlers["waive"]({"instance": uid, "destination": "other", "why": "never there"})
    again = box.again(lose=True)
    again.first.away = None
    again.later(1)
    again.later(1)
    assert uid in again.first.committed


def test_what_a_stand_in_takes_as_another_class_is_not_owed_to_the_first_one(config: Path) -> None:
    """And the procedure step, which names what there is, does not wait for the one that is down."""
    text = config.read_text().replace('name = "ecg1"', 'name = "ecg1"\niod = "general-32"\nrefused_class = "rewrap"')
    first, other = (DESTINATION.format(name=n, port=104, policy="commitment") for n in ("first", "other"))
    config.write_text(text + first + other + 'stands_in_for = "first"\nstand_in_after = 0\n')
    box = Two(configuration.load(config), Pacs(), Pacs())
    box.first.away = CLOSED
    box.other.refuse_class[WRITTEN["general-32"]] = Outcome("hold", "class-refused", "it refuses this class")
    more(box, 1)
    (uid,) = box.states("first")
    (row,) = box.ledger.query("SELECT exam FROM instances")
    assert steps.undecided(box.ledger, row["exam"], WRITTEN["general-32"], ["ecg1"])
    for lost in (False, True):
        if lost:  # it asks again, and hears the same
            box = box.again(lose=True)
        box.later(0)
        assert not steps.undecided(box.ledger, row["exam"], WRITTEN["general-32"], ["ecg1"])
        ((_, named),) = steps.series(box.ledger, box.settings.box.data, row["exam"])
        assert {i.sop_instance_uid for i in named} == box.other.committed
        assert survey.queue(box.ledger)["unfinished"] == 0
    box.first.away = None
    box.later(1)
    assert uid not in box.other.held
    assert not box.first.stores


@pytest.mark.parametrize(("policy", "free"), [("stored", True), ("commitment", False)])
def test_a_stand_in_frees_the_box_by_its_own_policy(config: Path, policy: str, free: bool) -> None:
    first = DESTINATION.format(name="first", port=104, policy="commitment")
    other = DESTINATION.format(name="other", port=104, policy=policy)
    config.write_text(config.read_text() + first + other + 'stands_in_for = "first"\nstand_in_after = 0\n')
    box = Two(configuration.load(config), Pacs(), Pacs())
    box.first.away, box.other.reports = CLOSED, False
    more(box, 1)
    box.later(0)
    assert len(box.other.stores) == 1
    assert (survey.queue(box.ledger)["unfinished"] == 0) == free


def test_fan_out_is_two_destinations_and_each_has_its_own_policy(config: Path) -> None:
    for name, policy in (("first", "stored"), ("other", "commitment")):
        config.write_text(config.read_text() + DESTINATION.format(name=name, port=104, policy=policy))
    box = Two(configuration.load(config), Pacs(), Pacs())
    box.other.away = CLOSED
    more(box, 1)
    box.later(0)
    assert box.first.stores
    assert not box.first.asked
    assert survey.queue(box.ledger)["unfinished"] == 1
    box.other.away = None
    box.later(0)
    assert box.other.committed == set(box.first.stores)
    assert survey.queue(box.ledger)["unfinished"] == 0


def test_one_that_was_down_is_known_to_be_back_though_nothing_waits_for_it(box: Two) -> None:
    box.later(0)
    for uid in box.states("first"):
        box.desk().handlers["waive"]({"instance": uid, "destination": "first", "why": "printed"})
    box.first.away = None
    box.later(1)
    assert box.couriers[0].answers is True
