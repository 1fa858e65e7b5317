"""A delivery's hold and waiver, with its reason, outlive the ledger: it may be the wrong patient."""

from __future__ import annotations

from pathlib import Path

import pytest
from spooling import CLOCK, DESTINATION, Box, Pacs, record, somebodys_exam

from gateway import configuration, fsops
from gateway.errors import Retry
from gateway.settings import Settings
from gateway.spool import marks
from gateway.spool.desk import Desk
from gateway.transfer.calling.outcomes import Outcome


@pytest.fixture
def settings(config: Path) -> Settings:
    for name in ("pacs", "archive"):
        config.write_text(config.read_text() + DESTINATION.format(name=name, port=104, policy="commitment"))
    return configuration.load(config)


def ask(box: Box, do: str, **request: str) -> None:
    desk = Desk(box.settings, box.ledger, CLOCK, box.rewrap, box.remake, lambda: None)
    desk.handlers[do]({"do": do, "who": "Ann", **request})


def spooled(settings: Settings, pacs: Pacs) -> tuple[Box, str]:
    record(settings, somebodys_exam(settings).exam, 50)
    box = Box(settings, pacs)
    box.take_in()
    (uid,) = box.states()
    return box, uid


def without_its_ledger(box: Box) -> Box:
    """The box starts again, and the ledger is gone."""
    box.ledger.close()
    for path in box.settings.box.data.glob("ledger.sqlite*"):
        path.unlink()
    again = Box(box.settings, box.pacs)
    again.take_in()
    return again


def test_what_a_person_holds_is_held_and_not_sent_after_the_ledger_is_lost(settings: Settings, pacs: Pacs) -> None:
    box, uid = spooled(settings, pacs)
    ask(box, "hold", instance=uid, why="it is the wrong patient")
    again = without_its_ledger(box)
    again.deliver()
    assert not pacs.stores
    assert again.delivery(uid)["held"] == again.delivery(uid)["words"] == "held by a person: it is the wrong patient"
    ask(again, "release", instance=uid, destination="archive")
    again = without_its_ledger(again)
    again.deliver()
    assert again.states() == {uid: "QUEUED"}
    assert again.states("archive") == {uid: "COMMITTED"}
    ask(again, "release", instance=uid)
    again = without_its_ledger(again)
    again.deliver()
    assert again.purger.turn() == 1
    assert not list(settings.places.instances.iterdir())


def test_what_a_destination_refuses_is_held_with_its_words_and_code(settings: Settings, pacs: Pacs) -> None:
    box, uid = spooled(settings, pacs)
    pacs.refuse[uid] = Outcome("hold", "C000", "it cannot be understood")
    box.deliver()
    pacs.refuse.clear()
    again = without_its_ledger(box)
    again.deliver()
    assert not pacs.stores
    assert (again.delivery(uid)["held"], again.delivery(uid)["code"]) == ("it cannot be understood", "C000")
    ask(again, "retry", instance=uid)
    again.deliver()
    assert again.states() == {uid: "COMMITTED"}


def test_what_a_person_waived_is_not_waited_for_after_the_ledger_is_lost(settings: Settings, pacs: Pacs) -> None:
    box, uid = spooled(settings, pacs)
    for name in ("pacs", "archive"):
        ask(box, "waive", instance=uid, destination=name, why="printed on paper")
    again = without_its_ledger(box)
    again.deliver()
    assert not pacs.stores
    assert again.purger.turn() == 1
    assert not list(settings.places.instances.iterdir())


def test_a_waiver_outlives_a_hold_and_its_release(settings: Settings, pacs: Pacs) -> None:
    box, uid = spooled(settings, pacs)
    path = next(settings.places.instances.glob(f"*/{uid}.dcm"))
    ask(box, "hold", instance=uid, destination="pacs")
    ask(box, "waive", instance=uid, destination="pacs", why="it is gone")
    ask(box, "release", instance=uid, destination="pacs")
    assert marks.of(path) == {"pacs": marks.Mark(waived="waived by a person: it is gone")}


def test_what_cannot_be_read_holds_for_every_destination_until_a_person_releases_it(
    settings: Settings, pacs: Pacs
) -> None:
    box, uid = spooled(settings, pacs)
    ask(box, "hold", instance=uid, destination="pacs")
    path = next(settings.places.instances.glob(f"*/{uid}{marks.END}"))
    path.write_bytes(b"{")
    again = without_its_ledger(box)
    again.deliver()
    assert not pacs.stores
    assert "cannot be read" in again.delivery(uid, "archive")["held"]
    ask(again, "release", instance=uid)
    assert not path.exists()
    again.deliver()
    assert pacs.committed == {uid}


def test_a_hold_that_cannot_be_written_is_refused_and_tried_again(
    settings: Settings, pacs: Pacs, monkeypatch: pytest.MonkeyPatch
) -> None:
    box, uid = spooled(settings, pacs)

    def full(path: Path, value: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fsops, "write_json", full)
    with pytest.raises(Retry, match="No space left"):
        ask(box, "hold", instance=uid)
    assert box.delivery(uid)["held"] is None
