"""From the recording to the spooled instance: what is wrapped, what waits, what is held; nothing is guessed."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest
from spooling import CLOCK, ITEM, Box, Pacs, counts, record, somebodys_exam

from gateway import configuration, exam, fsops, records
from gateway.clock import Clock
from gateway.dicom.check import check
from gateway.dicom.header import date_of
from gateway.dicom.wrap import wrap
from gateway.events import Samples
from gateway.model import Attributed
from gateway.settings import Settings
from gateway.spool import dating, holding
from gateway.spool.intake import Intake


def held(settings: Settings, name: str) -> holding.Reason | None:
    return holding.reason(settings.places.acquisition(name))


def test_a_kept_recording_becomes_an_instance_queued_to_every_destination(settings: Settings, box: Box) -> None:
    name = record(settings, somebodys_exam(settings).exam)
    assert box.intake.turn() == 1
    (path,) = (settings.places.instances / name).glob("*.dcm")
    assert box.states() == {path.stem: "QUEUED"}
    assert [tuple(r) for r in box.ledger.query("SELECT state, held FROM acquisitions")] == [("WRAPPED", None)]
    assert box.intake.turn() == 0


def test_a_recording_that_is_still_written_is_left_alone(settings: Settings, box: Box) -> None:
    name = record(settings, somebodys_exam(settings).exam, end=False)
    path = settings.places.acquisition(name) / "records"
    path.unlink()
    writer = records.Writer(path, 1)
    assert box.intake.turn() == 0
    assert box.ledger.query("SELECT state FROM acquisitions")[0]["state"] == "RECORDING"
    writer.close("stopped")
    box.intake.turn()
    assert "no sample" in str(held(settings, name))


def test_a_recording_that_was_cut_off_is_wrapped_and_known_as_interrupted(settings: Settings, box: Box) -> None:
    record(settings, somebodys_exam(settings).exam, end=False)
    assert box.intake.turn() == 1
    assert box.ledger.query("SELECT interrupted FROM acquisitions")[0]["interrupted"] == 1


@pytest.mark.parametrize("end", [True, False], ids=["ended", "cut off"])
def test_a_long_recording_is_taken_in_with_a_sign_of_life_every_few_megabytes(
    settings: Settings, box: Box, end: bool
) -> None:
    path = settings.places.acquisition(record(settings, somebodys_exam(settings).exam)) / "records"
    path.unlink()
    writer = records.Writer(path, 1)
    for _ in range(500):  # 16 MB, and an instance of 12 MB
        writer.append(Samples(counts(1000), CLOCK.monotonic()))
    writer.sync()
    if end:
        writer.close("stopped")
    writer.abandon()
    beats: list[int] = []
    assert box.intake.turn(lambda: beats.append(1)) == 1
    read, written = (3, 2) if not end else (2, 2)  # how often the records, and the instance with its hash
    assert len(beats) > (read * 16 + written * 12) // 4


def test_a_recording_of_nobody_is_held_until_its_exam_is_attributed(settings: Settings, box: Box) -> None:
    whose = somebodys_exam(settings, how=Attributed.NOBODY)
    name = record(settings, whose.exam)
    assert box.intake.turn() == 0
    reason = held(settings, name)
    assert reason is not None
    assert reason.kind == holding.UNATTRIBUTED
    assert f"gateway exam attribute {whose.exam}" in reason.fix
    assert not settings.places.instances.exists() or not list(settings.places.instances.iterdir())
    exam.attribute(settings.places, CLOCK, whose.exam, Attributed.MANUAL, ITEM)
    assert box.intake.turn() == 1
    assert held(settings, name) is None
    assert len(box.states()) == 1


def test_a_recording_outside_any_exam_is_held_until_a_person_gives_it_to_one(settings: Settings, box: Box) -> None:
    name = record(settings, None)
    box.intake.turn()
    assert box.ledger.query("SELECT held FROM acquisitions")[0]["held"].startswith("it belongs to nobody yet")
    holding.attribute(settings.places.acquisition(name), somebodys_exam(settings).exam)
    assert box.intake.turn() == 1
    assert len(box.states()) == 1


def with_wrap(settings: Settings, box: Box, wrap: Callable[..., Any]) -> Intake:
    return Intake(settings, box.ledger, CLOCK, wrap, check)


def test_a_defect_of_the_wrapper_holds_one_recording_and_is_not_tried_in_a_loop(settings: Settings, box: Box) -> None:
    name = record(settings, somebodys_exam(settings).exam)
    calls = []

    def broken(*arguments: Any) -> None:
        calls.append(arguments)
        raise ZeroDivisionError("boom")

    intake = with_wrap(settings, box, broken)
    for _ in range(3):
        assert intake.turn() == 0
    assert len(calls) == 1
    assert "ZeroDivisionError: boom" in str(held(settings, name))
    assert (settings.places.acquisition(name) / "records").exists()
    assert not list(settings.places.instances.iterdir())
    holding.release(settings.places.acquisition(name))
    assert box.intake.turn() == 1


def test_what_the_check_finds_wrong_is_held_and_never_spooled(settings: Settings, box: Box) -> None:
    name = record(settings, somebodys_exam(settings).exam)

    def damaging(*given: Any) -> Any:
        made = wrap(*given)
        for one in made:
            Path(one.path).write_bytes(b"no DICOM at all")
        return made

    assert with_wrap(settings, box, damaging).turn() == 0
    assert "not valid" in str(held(settings, name))
    assert not box.states()


def test_a_full_disk_is_no_reason_to_hold(settings: Settings, box: Box) -> None:
    name = record(settings, somebodys_exam(settings).exam)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    assert with_wrap(settings, box, full).turn() == 0
    assert held(settings, name) is None
    assert box.intake.turn() == 1


@pytest.mark.parametrize("file", ["facts.json", "records"])
def test_damaged_or_newer_files_are_held_and_untouched(settings: Settings, box: Box, file: str) -> None:
    name = record(settings, somebodys_exam(settings).exam)
    path = settings.places.acquisition(name) / file
    if file == "facts.json":
        path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 99}))
    else:
        data = bytearray(path.read_bytes())
        data[6], data[-3] = 99, 0
        path.write_bytes(data)
    before = path.read_bytes()
    box.intake.turn()
    assert "newer" in str(held(settings, name))
    assert path.read_bytes() == before


class Untrusted(Clock):
    """Wakes up in 1970."""

    def __init__(self) -> None:
        super().__init__("always", wall=lambda: 1000.0, monotonic=lambda: self.time)
        self.time = 1e6


@pytest.mark.parametrize("then", ["send", "hold"])
def test_an_untrusted_clock_makes_a_recording_wait_then_go_or_be_held(
    settings: Settings, config: Path, pacs: Pacs, then: str
) -> None:
    config.write_text(
        config.read_text().replace('trust = "always"', f'trust = "always"\nwait = 30\nuntrusted = "{then}"')
    )
    settings, clock = configuration.load(config), Untrusted()
    whose = somebodys_exam(settings)
    name = record(settings, whose.exam)
    facts = settings.places.acquisition(name) / "facts.json"
    data = json.loads(facts.read_text())
    data["started"] |= {"trusted": False, "wall": 1000.0, "monotonic": 1e6 - 10}
    fsops.write_json(facts, data)
    box = Box(settings, pacs, clock=clock)
    assert box.intake.turn() == 0
    assert held(settings, name) is None
    clock.time += 31
    assert box.intake.turn() == (then == "send")
    if then == "hold":
        reason = held(settings, name)
        assert reason is not None
        assert reason.kind == holding.CLOCK
        clock.wall = CLOCK.wall  # NTP answers at last
        assert box.intake.turn() == 1
        corrected = json.loads(facts.read_text())["started"]
        assert corrected["trusted"]
        assert abs(corrected["wall"] - (CLOCK.wall() - 41)) < 5


def test_an_unreadable_reason_still_holds(settings: Settings, box: Box) -> None:
    name = record(settings, somebodys_exam(settings).exam)
    (settings.places.acquisition(name) / "held.json").write_text("{")
    assert box.intake.turn() == 0
    assert "held.json cannot be read" in str(held(settings, name))


def test_a_recording_whose_exam_cannot_be_read_is_held_until_a_person_gives_it_to_another(
    settings: Settings, box: Box
) -> None:
    lost, other = somebodys_exam(settings), somebodys_exam(settings, "ecg2")
    name = record(settings, lost.exam)
    exam.close_exam(settings.places, CLOCK, lost.exam)
    settings.places.exam(lost.exam).write_text("{")
    assert box.intake.turn() == 0
    reason = held(settings, name)
    assert reason is not None
    assert (reason.kind, "nobody can say whose it is" in reason.words) == (holding.UNATTRIBUTED, True)
    holding.attribute(settings.places.acquisition(name), other.exam)
    assert box.intake.turn() == 1
    assert len(box.states()) == 1


def test_a_damaged_attribution_holds_its_recording_and_no_other(settings: Settings, box: Box) -> None:
    first = record(settings, None)
    (settings.places.acquisition(first) / holding.ATTRIBUTED).write_text("{")
    record(settings, somebodys_exam(settings).exam, device="later")
    assert box.intake.turn() == 1
    assert "attributed.json is damaged" in str(held(settings, first))
    holding.attribute(settings.places.acquisition(first), somebodys_exam(settings, "ecg2").exam)
    assert box.intake.turn() == 1


def test_a_ledger_that_cannot_be_written_now_is_no_reason_to_hold(settings: Settings, box: Box) -> None:
    name = record(settings, somebodys_exam(settings).exam)
    box.ledger.query("PRAGMA query_only = 1")
    assert box.intake.turn() == 0
    box.ledger.query("PRAGMA query_only = 0")
    assert held(settings, name) is None
    box.intake._not_before.clear()
    assert box.intake.turn() == 1


class LateClock(Clock):
    """Believes it is 1970 until NTP answers."""

    def __init__(self) -> None:
        super().__init__("always", wall=lambda: CLOCK.wall() if self.answered else 1000.0 + CLOCK.monotonic())
        self.answered = False


def test_an_exam_that_began_before_the_clock_was_set_says_when_it_really_began(settings: Settings, pacs: Pacs) -> None:
    clock = LateClock()
    whose = exam.open_exam(settings.places, clock, ("ecg1",), Attributed.SCHEDULED, ITEM)
    exam.close_exam(settings.places, clock, whose.exam)
    clock.answered = True
    names = [record(settings, whose.exam) for _ in range(2)]
    box = Box(settings, pacs, clock=clock)
    assert box.intake.turn() == 2
    found = [pydicom.dcmread(next((settings.places.instances / n).glob("*.dcm"))) for n in names]
    assert {d.StudyDate for d in found} == {date_of(CLOCK.now())}
    assert len({(d.StudyDate, d.StudyTime) for d in found}) == 1
    again = dating.dated(settings.places, Clock("ntp", wall=lambda: 1000.0), exam.load(settings.places, whose.exam))
    assert again.opened.trusted
    assert again.closed is not None
    assert 0 <= again.closed.at.wall - again.opened.wall < 5
    assert abs(again.opened.wall - CLOCK.wall()) < 60


def test_what_was_wrapped_before_a_destination_was_configured_is_sent_once_there_is_one(
    settings: Settings, pacs: Pacs
) -> None:
    alone = Box(dataclasses.replace(settings, destinations=()), pacs)
    record(settings, somebodys_exam(settings).exam)
    alone.take_in()
    assert alone.states() == {}
    alone.ledger.close()
    box = Box(settings, pacs)
    box.take_in()
    box.deliver()
    assert set(box.states().values()) == {"COMMITTED"}
    box.ledger.close()
    other = (dataclasses.replace(settings.destinations[0], name="other"),)
    assert (
        Box(dataclasses.replace(settings, destinations=other), pacs).states("other") == {}
    )  # fixed when it was wrapped


def test_what_waits_for_the_clock_is_no_longer_held_for_want_of_an_exam(
    settings: Settings, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    whose = somebodys_exam(settings, how=Attributed.NOBODY)
    name = record(settings, whose.exam)
    box.intake.turn()
    exam.attribute(settings.places, CLOCK, whose.exam, Attributed.MANUAL, ITEM)
    monkeypatch.setattr(box.intake, "_clock_allows", lambda *_: False)
    assert box.intake.turn() == 0
    assert held(settings, name) is None
    assert [tuple(r) for r in box.ledger.query("SELECT exam, held FROM acquisitions")] == [(whose.exam, None)]
