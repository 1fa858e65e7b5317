"""What one behaviour at a time does not show: restarts, storms, moods, and what comes while an instance fails."""

from __future__ import annotations

import logging
import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from transfer.matrix import judge
from transfer.matrix.case import Then
from transfer.matrix.commitments import never
from transfer.matrix.pacs import Call, Hostile, Pacs
from transfer.matrix.stage import A_MINUTE, AN_HOUR, Stage, behave
from transfer.matrix.tables import CASES

from gateway.transfer.association.dimse import Message
from gateway.transfer.association.pdu import Abort

MOODS = [
    case
    for case in CASES.values()
    if not (case.big or case.more or case.listener or case.then is Then.WAITS_FOR_REPORT)
]


@pytest.fixture
def stage(small: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Stage]:
    caplog.set_level(logging.INFO, "gateway")
    stage = Stage(small, tmp_path)
    yield stage
    stage.close()


def aborts_at_the_victim(pacs: Pacs, call: Call, message: Message) -> None:
    call.say(Abort(0, 0))
    call.wait()


def test_an_instance_that_breaks_every_association_does_not_keep_a_new_one_waiting(stage: Stage) -> None:
    stage.pacs.hostile = Hostile(store=aborts_at_the_victim, victim=True)
    for _ in range(12):
        stage.round()
        stage.later(A_MINUTE)
    assert stage.box.delivery(stage.victim)["attempts"] >= 6
    stage.round()
    new = stage.record()
    stage.later(stage.settings.destinations[0].retry_first)
    stage.round()
    assert stage.box.delivery(new)["state"] == "COMMITTED"
    assert stage.box.delivery(stage.victim)["state"] == "QUEUED"


def test_a_report_on_a_request_from_before_a_restart_is_taken(stage: Stage) -> None:
    stage.pacs.hostile = Hostile(commit=never)
    stage.round()
    stage.stop()
    stage.start()
    stage.pacs.deliver(stage.pacs.report(*stage.pacs.asked[0]))
    assert stage.pacs.answers[-1][1] == 0
    assert stage.states() == {"COMMITTED"}
    behave(stage)
    judge.as_the_spool(stage)
    assert len(stage.pacs.taken) == len(stage.files)


def test_a_report_that_comes_while_the_box_is_down_is_asked_for_again(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.pacs.hostile = Hostile(commit=never)
    stage.round()
    stage.stop()
    stage.pacs.deliver(stage.pacs.report(*stage.pacs.asked[0]))
    assert stage.pacs.answers[-1][1] is None
    stage.start()
    stage.pacs.hostile = Hostile()
    stage.round()
    judge.nothing_doubled(stage)
    judge.as_the_spool(stage)
    assert len(stage.pacs.taken) == len(stage.files)
    assert any("asked again after a restart" in r.message for r in caplog.records)


def test_a_failure_that_is_reported_after_a_restart_counts(stage: Stage) -> None:
    stage.pacs.hostile = Hostile(commit=never)
    stage.round()
    del stage.pacs.kept[stage.victim]
    stage.stop()
    stage.start()
    stage.round()  # asked again, and not answered
    stage.pacs.deliver(stage.pacs.report(*stage.pacs.asked[0]))
    assert stage.box.delivery(stage.victim)["state"] == "QUEUED"
    behave(stage)
    judge.as_the_spool(stage)
    assert stage.pacs.offered.count(stage.victim) == 2


def test_what_was_said_of_an_instance_before_it_was_lost_does_not_count_for_its_second_copy(stage: Stage) -> None:
    stage.pacs.hostile = Hostile(commit=never)
    stage.round()
    before = stage.pacs.report(*stage.pacs.asked[0])  # it had them all then
    stage.later(AN_HOUR)
    stage.round()
    stage.later(A_MINUTE)
    stage.round()
    del stage.pacs.kept[stage.victim]
    stage.pacs.deliver(stage.pacs.report(*stage.pacs.asked[-1]))
    stage.pacs.deliver(before)
    assert stage.box.delivery(stage.victim)["state"] == "QUEUED"
    stage.later(A_MINUTE)
    stage.courier._send_due(lambda: None)
    stage.pacs.deliver(before)
    assert stage.box.delivery(stage.victim)["state"] == "STORED"  # until it is asked for again
    behave(stage)
    judge.as_the_spool(stage)


@pytest.mark.parametrize("talks", [b"", b"\x01", b"GET / HTTP/1.1\r\n\r\n", b"\x01\0\0\0\0\x44" + bytes(20)])
def test_reports_come_in_through_a_storm_of_connections(stage: Stage, talks: bytes) -> None:
    with ExitStack() as storm:

        def commit_in_a_storm(pacs: Pacs, call: Call, message: Message) -> None:
            report = pacs.note(call, message)
            call.respond(message)
            for _ in range(200):
                connection = storm.enter_context(socket.socket())
                connection.bind(("127.0.0.2", 0))
                connection.setblocking(False)
                connection.connect_ex(("127.0.0.1", pacs.box))
                with suppress(OSError):  # it is not connected yet, or not any more
                    connection.send(talks)
            pacs.deliver(report)

        stage.pacs.hostile = Hostile(commit=commit_in_a_storm)
        stage.round()
        judge.as_the_spool(stage)


def test_a_peer_that_reports_elsewhere_is_not_waited_for_on_the_association_of_the_request(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    waited = []
    request = stage.courier.asking._request
    monkeypatch.setattr(stage.courier.asking, "_request", lambda *a: (waited.append(a[4]), request(*a))[1])
    for _ in range(5):
        stage.round()
        stage.record()
    assert [seconds > 0 for seconds in waited] == [True, True, True, False, False]
    assert sum("does not report on the association" in r.message for r in caplog.records if "HOSP" in r.message) == 1


@pytest.mark.parametrize("seed", range(6))
def test_a_pacs_of_many_moods(stage: Stage, seed: int) -> None:
    """One behaviour after another, and new recordings all along; a person looks at what is held at the end."""
    chance = random.Random(seed)
    for case in chance.sample(MOODS, 6):
        stage.mood(case)
        stage.later(case.every)
        stage.record()
        stage.round()
    judge.nothing_lost(stage)
    stage.release()
    behave(stage)
    judge.nothing_lost(stage)
    judge.nothing_doubled(stage)
    judge.as_the_spool(stage)
