"""What a person asks and decides: it happens, it is in the audit trail, and it never overrides a law."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from spooling import CLOCK, Box, Pacs, record, somebodys_exam

from gateway import exam
from gateway.errors import Held, Misuse
from gateway.settings import Settings
from gateway.spool import audit, holding, survey
from gateway.spool.desk import Desk
from gateway.transfer.calling.outcomes import Outcome


class Ask:
    """A person at the local socket."""

    def __init__(self, settings: Settings, pacs: Pacs) -> None:
        self.box = Box(settings, pacs)
        self.rung = 0
        self.desk = Desk(settings, self.box.ledger, CLOCK, self.box.rewrap, self.box.remake, self.ring)

    def ring(self) -> None:
        self.rung += 1

    def __call__(self, do: str, **request: Any) -> dict[str, Any]:
        return self.desk.handlers[do]({"do": do, "who": "Ann", **request})


@pytest.fixture
def ask(settings: Settings, pacs: Pacs) -> Ask:
    return Ask(settings, pacs)


def trail(settings: Settings) -> list[dict[str, Any]]:
    return [json.loads(line) for line in settings.places.audit.read_text().splitlines()]


def test_the_queue_lists_what_is_not_finished(settings: Settings, pacs: Pacs, ask: Ask) -> None:
    held, spooled = record(settings, None), record(settings, somebodys_exam(settings).exam)
    ask.box.take_in()
    answer = ask("queue")
    assert [a["id"] for a in answer["acquisitions"]] == [held]
    assert [(d["acquisition"], d["destination"], d["state"]) for d in answer["deliveries"]] == [
        (spooled, "pacs", "QUEUED")
    ]
    ask.box.deliver()
    assert ask("queue")["deliveries"] == []
    json.dumps(answer)


def test_show_says_why_an_instance_is_still_here(settings: Settings, ask: Ask) -> None:
    record(settings, somebodys_exam(settings).exam)
    ask.box.take_in()
    (uid,) = ask.box.states()
    assert ask("queue-show", instance=uid)["words"] == "not every destination has taken responsibility"
    ask.box.deliver()
    assert ask("queue-show", instance=uid)["words"] == "the retention time is not over"
    with pytest.raises(Misuse, match="no instance and no recording"):
        ask("queue-show", instance="nothing")


def test_held_then_released_a_delivery_goes_on_where_it_stood(settings: Settings, pacs: Pacs, ask: Ask) -> None:
    record(settings, somebodys_exam(settings).exam)
    ask.box.take_in()
    (uid,) = ask.box.states()
    ask("hold", instance=uid, why="wrong lead")
    ask.box.deliver()
    assert not pacs.stores
    ask("release", instance=uid)
    ask.box.deliver()
    assert pacs.committed == {uid}
    assert [(t["who"], t["what"], t["subject"]) for t in trail(settings)] == [
        ("Ann", "hold", uid),
        ("Ann", "release", uid),
    ]
    assert ask.rung == 2


def test_a_held_recording_is_wrapped_after_its_release(settings: Settings, pacs: Pacs, ask: Ask) -> None:
    name = record(settings, somebodys_exam(settings).exam)
    ask.box.ledger.query("SELECT 1")
    with pytest.raises(Misuse):
        ask("hold", instance=name)
    other = record(settings, None)
    ask.box.take_in()
    ask("hold", instance=other, why="no idea whose")
    ask("attribute", instance=other, to=somebodys_exam(settings, "ecg2").exam)
    ask.box.take_in()
    assert len(ask.box.states()) == 1
    ask("release", instance=other)
    ask.box.take_in()
    assert len(ask.box.states()) == 2


def test_what_belongs_to_an_exam_is_not_given_to_another(settings: Settings, ask: Ask) -> None:
    name = record(settings, somebodys_exam(settings).exam)
    ask.box.take_in()
    with pytest.raises(Held, match="belongs to an exam already"):
        ask("attribute", instance=name, to=somebodys_exam(settings, "ecg2").exam)


def test_an_attribution_that_was_cut_off_before_its_answer_is_finished_when_it_is_asked_again(
    settings: Settings, ask: Ask
) -> None:
    name, whose = record(settings, None), somebodys_exam(settings, "ecg2")
    ask.box.take_in()
    holding.attribute(settings.places.acquisition(name), whose.exam)  # then forward was killed
    exam.close_exam(settings.places, CLOCK, whose.exam)
    assert whose.exam in ask("attribute", instance=name, to=whose.exam)["words"]
    assert ask("queue-show", instance=name) | {"held": None} == ask("queue-show", instance=name)
    ask.box.take_in()
    assert whose.exam in ask("attribute", instance=name, to=whose.exam)["words"]
    assert len(ask("exam", exam=whose.exam)["instances"]) == 1


def test_a_waived_destination_is_not_waited_for(settings: Settings, pacs: Pacs, ask: Ask) -> None:
    record(settings, somebodys_exam(settings).exam)
    ask.box.take_in()
    (uid,) = ask.box.states()
    pacs.refuse[uid] = Outcome("hold", "C000", "no")
    ask.box.deliver()
    assert ask.box.purger.turn() == 0
    ask("waive", instance=uid, destination="pacs", why="printed on paper")
    assert ask.box.purger.turn() == 1
    assert trail(settings)[0]["why"] == "printed on paper"


def test_only_a_test_recording_can_be_discarded(settings: Settings, ask: Ask) -> None:
    real, test = record(settings, somebodys_exam(settings).exam), record(settings, None, test=True)
    ask.box.take_in()
    (uid,) = ask.box.states()
    for subject in (real, uid):
        with pytest.raises(Held, match="test recording"):
            ask("discard", instance=subject)
    assert ask.box.purger.turn() == 0
    ask("discard", instance=test)
    assert not settings.places.acquisition(test).exists()
    assert settings.places.acquisition(real).exists()


def test_a_discarded_test_instance_goes_at_the_next_purge(settings: Settings, ask: Ask) -> None:
    name = record(settings, somebodys_exam(settings).exam, test=True)
    ask.box.take_in()
    (uid,) = ask.box.states()
    assert ask.box.purger.turn() == 0
    ask("discard", instance=uid)
    assert ask.box.purger.turn() == 1
    assert not settings.places.acquisition(name).exists()


def test_the_audit_trail_survives_a_torn_line(settings: Settings) -> None:
    path = settings.places.audit
    settings.box.data.mkdir(exist_ok=True)
    audit.append(path, CLOCK.now(), "Ann", "hold", "1")
    with path.open("ab") as stream:
        stream.write(b'{"at": 1')
    audit.append(path, CLOCK.now(), "Ann", "release", "1")
    lines = path.read_text().splitlines()
    assert [json.loads(lines[0])["what"], lines[1], json.loads(lines[2])["what"]] == ["hold", '{"at": 1', "release"]
    assert path.stat().st_mode & 0o077 == 0


def test_what_a_person_wrote_stands_in_the_audit_trail_and_not_in_the_log(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """It may name a patient; the log goes into support bundles."""
    settings.places.audit.parent.mkdir(parents=True, exist_ok=True)
    with caplog.at_level(logging.INFO):
        audit.append(settings.places.audit, CLOCK.now(), "Ann", "hold", "1", "it was of Leakname")
        audit.append(settings.places.audit, CLOCK.now(), "rule", "attribute", "1", "it fits by step_id")
    assert [line["why"] for line in trail(settings)] == ["it was of Leakname", "it fits by step_id"]
    assert "Ann: hold 1" in caplog.text
    assert "it fits by step_id" in caplog.text
    assert "Leakname" not in caplog.text


def test_a_closed_exam_gets_no_more_recordings(settings: Settings, ask: Ask) -> None:
    name, whose = record(settings, None), somebodys_exam(settings)
    exam.close_exam(settings.places, CLOCK, whose.exam)
    ask.box.take_in()
    with pytest.raises(Held, match="is closed"):
        ask("attribute", instance=name, to=whose.exam)


def test_a_recording_of_an_exam_that_cannot_be_read_may_be_given_to_another_unless_it_is_on_its_way(
    settings: Settings, ask: Ask
) -> None:
    lost, other = somebodys_exam(settings), somebodys_exam(settings, "ecg2")
    sent = record(settings, lost.exam)
    ask.box.take_in()
    waiting = record(settings, lost.exam)
    settings.places.exam(lost.exam).write_text("{")
    ask.box.take_in()
    with pytest.raises(Held, match="belongs to an exam already"):
        ask("attribute", instance=sent, to=other.exam)
    ask("attribute", instance=waiting, to=other.exam)
    assert lost.exam in trail(settings)[-1]["subject"]
    ask.box.take_in()
    assert len(ask("exam", exam=other.exam)["instances"]) == 1


def test_a_recording_without_any_sample_can_be_discarded_and_says_so(settings: Settings, ask: Ask) -> None:
    name, whole = record(settings, somebodys_exam(settings).exam, samples=0), record(settings, None)
    ask.box.take_in()
    assert f"gateway queue discard {name}" in ask("queue-show", instance=name)["held"]
    assert survey.queue(ask.box.ledger)["held_recordings"] == 2
    with pytest.raises(Held, match="without any sample"):
        ask("discard", instance=whole)
    ask("discard", instance=name, why="the cable was off")
    assert [(t["what"], t["subject"]) for t in trail(settings)] == [("discard", name)]
    assert not settings.places.acquisition(name).exists()
    assert settings.places.acquisition(whole).exists()
    assert survey.queue(ask.box.ledger)["held_recordings"] == 1


def test_a_recording_whose_torn_end_was_cut_off_is_not_empty(settings: Settings, ask: Ask) -> None:
    name = record(settings, somebodys_exam(settings).exam, samples=0, end=False)
    with (settings.places.acquisition(name) / "records").open("ab") as stream:
        stream.write(b"half a record")
    ask.box.take_in()
    with pytest.raises(Held, match="without any sample"):
        ask("discard", instance=name)
    assert settings.places.acquisition(name).exists()


def test_what_is_given_to_an_exam_is_its_own_at_once_and_no_longer_held(settings: Settings, ask: Ask) -> None:
    name, kept = record(settings, None), record(settings, None)
    whose = somebodys_exam(settings)
    ask.box.take_in()
    ask("hold", instance=kept, why="no idea whose")
    for one in (name, kept):
        ask("attribute", instance=one, to=whose.exam)
    rows = {r["id"]: r for r in ask("exam", exam=whose.exam)["acquisitions"]}
    assert rows[name]["held"] is None
    assert holding.reason(settings.places.acquisition(name)) is None
    assert "held by a person" in rows[kept]["held"]


@pytest.mark.parametrize("at", ["facts", "reason"])
def test_a_recording_discarded_while_the_intake_looks_at_it_is_gone_for_good(
    at: str, settings: Settings, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The desk has threads of its own: what it deletes must not come back as a row that nobody can get rid of."""
    name = record(settings, somebodys_exam(settings).exam, samples=0)
    ask.box.take_in()
    looked = getattr(holding, at)

    def meanwhile(folder: Path) -> Any:
        found = looked(folder)
        if settings.places.acquisition(name).exists():
            monkeypatch.setattr(holding, at, looked)
            ask("discard", instance=name)
        return found

    monkeypatch.setattr(holding, at, meanwhile)
    for _ in range(2):
        ask.box.intake.turn()
    assert ask.box.ledger.query("SELECT * FROM acquisitions") == []
    assert ask.box.intake.problems == {}
    assert not settings.places.acquisition(name).exists()
