"""The courier: what follows from each answer of a destination, and that one refusal never blocks the queue."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from spooling import CLOCK, DESTINATION, Box, Pacs, record, somebodys_exam

from gateway import configuration
from gateway.dicom.iods import TABLE
from gateway.errors import Misuse
from gateway.model import InstanceRef
from gateway.settings import Settings
from gateway.spool import survey
from gateway.transfer.calling.outcomes import Outcome
from gateway.transfer.calling.peers import Peer
from gateway.transfer.committing import reports
from gateway.transfer.committing.event_report import NOT_AUTHORIZED, SUCCESS, Answer, Report
from gateway.transfer.delivering import courier
from gateway.transfer.storing.sending import Progress

REFUSED = Outcome("hold", "C000", "the peer cannot understand the instance")
CLASS_REFUSED = Outcome("hold", "class-refused", "the peer refuses this class")
CLOSED = Outcome("retry", "closed", "nothing listens at that port")
FULL = Outcome("retry", "A700", "out of resources")


def configured(config: Path, policy: str = "commitment", device: str = "") -> Settings:
    text = config.read_text().replace('name = "ecg1"\n', f'name = "ecg1"\n{device}\n')
    config.write_text(text + DESTINATION.format(name="pacs", port=104, policy=policy))
    return configuration.load(config)


def spooled(settings: Settings, pacs: Pacs, number: int = 1) -> Box:
    whose = somebodys_exam(settings)
    for _ in range(number):
        record(settings, whose.exam, 50)
    box = Box(settings, pacs, retention=7.0)
    box.take_in()
    return box


def due_now(box: Box) -> None:
    """Let the waiting times be over."""
    box.couriers[0].pause.end()
    with box.ledger.change() as c:
        c.execute("UPDATE deliveries SET next_try = 0")


@pytest.fixture
def pacs() -> Pacs:
    return Pacs()


def test_what_is_sent_is_asked_for_and_committed(config: Path, pacs: Pacs) -> None:
    box = spooled(configured(config), pacs, 3)
    box.deliver()
    assert set(box.states().values()) == {"COMMITTED"}
    (asked,) = pacs.asked
    assert sorted(asked[1]) == sorted(pacs.stores)
    rows = box.ledger.query("SELECT d.sent_sha256, i.sha256, i.settled_at FROM deliveries d JOIN instances i")
    assert all(r["sent_sha256"] for r in rows)
    assert all(r["settled_at"] is not None for r in rows)


def test_a_batch_costs_one_sync_for_the_offer_and_one_for_the_answers_that_come_close_together(
    config: Path, pacs: Pacs
) -> None:
    box = spooled(configured(config, "stored"), pacs, 5)
    said: list[str] = []
    box.ledger._connection.set_trace_callback(said.append)
    box.deliver()
    assert set(box.states().values()) == {"STORED"}
    assert said.count("COMMIT") == 2


def test_a_long_transfer_does_not_keep_an_earlier_answer_out_of_the_ledger(
    config: Path, pacs: Pacs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "_TOGETHER", 0.0)
    box = spooled(configured(config, "stored"), pacs, 2)
    seen = []

    def send(peer: Peer, instances: Sequence[InstanceRef], progress: Progress) -> Iterator[tuple[InstanceRef, Outcome]]:
        first, second = pacs.send(peer, instances)
        yield first
        progress(second[0], 1 << 18)
        seen.append(sorted(box.states().values()))
        yield second

    box.couriers[0]._send = send  # type: ignore[assignment]
    box.deliver()
    assert seen == [["QUEUED", "STORED"]]


def test_the_transaction_uid_is_kept_before_the_request_is_sent(config: Path, pacs: Pacs) -> None:
    settings = configured(config)
    box = spooled(settings, pacs)
    seen = []
    original = pacs.request

    def request(*arguments: object) -> Outcome:
        rows = box.ledger.query(
            "SELECT t.uid, d.state FROM transactions t JOIN deliveries d ON d.transaction_uid = t.uid"
        )
        seen.extend((r["uid"] == arguments[1], r["state"]) for r in rows)
        return original(*arguments)  # type: ignore[arg-type]

    box.couriers[0].asking._request = request
    box.deliver()
    assert seen == [(True, "REQUESTED")]


def test_policy_stored_needs_no_commitment(config: Path, pacs: Pacs) -> None:
    box = spooled(configured(config, "stored"), pacs)
    box.deliver()
    assert set(box.states().values()) == {"STORED"}
    assert not pacs.asked
    assert box.ledger.query("SELECT settled_at FROM instances")[0]["settled_at"] is not None


def test_a_permanent_refusal_holds_one_instance_and_lets_the_others_pass(config: Path, pacs: Pacs) -> None:
    box = spooled(configured(config), pacs, 3)
    bad = sorted(box.states())[1]
    pacs.refuse[bad] = REFUSED
    box.deliver()
    assert sorted(box.states().values()) == ["COMMITTED", "COMMITTED", "QUEUED"]
    assert box.delivery(bad)["held"] == REFUSED.words
    for _ in range(3):
        box.deliver()
    assert len(pacs.stores) == 2


def test_an_instance_that_makes_the_peer_abort_does_not_bar_the_way(config: Path, pacs: Pacs) -> None:
    box = spooled(configured(config), pacs, 3)
    first = box.ledger.query("SELECT instance FROM deliveries ORDER BY queued_at")[0]["instance"]
    pacs.refuse[first] = Outcome("retry", "aborted", "the peer aborted")
    box.deliver()
    assert {u: box.delivery(u)["attempts"] for u in box.states()} == {u: int(u == first) for u in box.states()}
    box.couriers[0].pause.end()
    box.deliver()
    assert sorted(box.states().values()) == ["COMMITTED", "COMMITTED", "QUEUED"]


def test_a_peer_that_is_away_is_left_alone_for_longer_and_longer(config: Path, pacs: Pacs) -> None:
    box = spooled(configured(config), pacs)
    (courier,) = box.couriers
    courier.pause._monotonic = lambda: 0.0
    pacs.away = CLOSED
    waits = []
    for _ in range(5):
        waits.append(courier.turn())
        assert waits[-1] == courier.pause.left()  # it looks again when that is over, and not later
        due_now(box)
    assert waits[-1] > waits[0]
    assert max(waits) <= box.settings.destinations[0].retry_most
    assert courier.answers is False
    assert courier.words == CLOSED.words
    pacs.away = None
    due_now(box)
    box.deliver()
    assert set(box.states().values()) == {"COMMITTED"}
    assert courier.answers is True


def test_a_full_peer_is_tried_again_and_nothing_is_held(config: Path, pacs: Pacs) -> None:
    box = spooled(configured(config), pacs, 2)
    for uid in box.states():
        pacs.refuse[uid] = dataclasses.replace(FULL)  # each its own answer
    box.deliver()
    for uid in box.states():
        delivery = box.delivery(uid)
        assert (delivery["state"], delivery["held"], delivery["attempts"]) == ("QUEUED", None, 1)
        assert delivery["next_try"] > 0


def test_what_the_peer_has_lost_is_sent_again(config: Path, pacs: Pacs) -> None:
    box = spooled(configured(config), pacs)
    (uid,) = box.states()
    pacs.reasons[uid] = 0x0112
    box.deliver()
    assert box.states() == {uid: "QUEUED"}
    pacs.reasons.clear()
    due_now(box)
    box.deliver()
    assert box.states() == {uid: "COMMITTED"}
    assert pacs.stores == [uid, uid]
    assert len({t for t, _ in pacs.asked}) == 2


@pytest.mark.parametrize(("reason", "held"), [(0x0110, False), (0x0213, False), (0x0119, True), (0x0999, True)])
def test_other_failures_are_asked_again_or_held_but_never_sent_again(
    config: Path, pacs: Pacs, reason: int, held: bool
) -> None:
    box = spooled(configured(config), pacs)
    (uid,) = box.states()
    pacs.reasons[uid] = reason
    box.deliver()
    assert box.states() == {uid: "STORED"}
    assert (box.delivery(uid)["held"] is not None) == held
    assert pacs.stores == [uid]


def test_no_report_in_time_means_a_new_transaction_uid(config: Path, pacs: Pacs) -> None:
    box = spooled(configured(config), pacs)
    (uid,) = box.states()
    pacs.reports = False
    box.deliver()
    assert box.states() == {uid: "REQUESTED"}
    box.deliver()
    assert len(pacs.asked) == 1
    with box.ledger.change() as c:
        c.execute("UPDATE transactions SET requested_at = requested_at - 4000")
    box.deliver()
    due_now(box)
    box.deliver()
    assert len({t for t, _ in pacs.asked}) == 2
    late = pacs.report(*pacs.asked[0])
    assert reports.take(box.ledger, box.settings, CLOCK, late, "HOSPITAL") == Answer(SUCCESS)
    assert box.states() == {uid: "COMMITTED"}
    assert reports.take(box.ledger, box.settings, CLOCK, pacs.report(*pacs.asked[1]), "HOSPITAL") == Answer(SUCCESS)
    assert box.states() == {uid: "COMMITTED"}


def test_a_report_on_an_unknown_transaction_changes_nothing(config: Path, pacs: Pacs) -> None:
    box = spooled(configured(config), pacs)
    (uid,) = box.states()
    pacs.reports = False
    box.deliver()
    answer = reports.take(box.ledger, box.settings, CLOCK, Report("2.25.1", frozenset([uid]), {}), "HOSPITAL")
    assert answer.status == SUCCESS  # its peer has done its duty: an error would only make it report for ever
    assert "which this box did not begin" in answer.words
    assert box.states() == {uid: "REQUESTED"}


@pytest.mark.parametrize(
    ("caller", "listed", "taken"),
    [("HOSPITAL", "", True), ("ARCHIVE", "", True), ("OTHER", "", False), ("OTHER", 'peers = ["OTHER"]', True)],
)
def test_nobody_commits_for_another_unless_the_configuration_says_so(
    config: Path, pacs: Pacs, caller: str, listed: str, taken: bool
) -> None:
    settings = configured(config)
    config.write_text(
        config.read_text().replace("[listener]\n", f"[listener]\n{listed}\n") + 'commitment_ae_title = "ARCHIVE"\n'
    )
    settings = configuration.load(config)
    box = spooled(settings, pacs)
    (uid,) = box.states()
    pacs.reports = False
    box.deliver()
    answer = reports.take(box.ledger, box.settings, CLOCK, pacs.report(*pacs.asked[0]), caller)
    assert answer.status == (SUCCESS if taken else NOT_AUTHORIZED)
    assert box.states() == {uid: "COMMITTED" if taken else "REQUESTED"}
    assert taken or "add its AE title to 'peers' under [listener]" in answer.words


def test_a_report_from_before_a_restart_is_taken_after_it_though_it_was_asked_again(config: Path, pacs: Pacs) -> None:
    settings = configured(config)
    box = spooled(settings, pacs)
    (uid,) = box.states()
    pacs.reports = False
    box.deliver()
    box.ledger.close()
    box = Box(settings, pacs)
    box.deliver()
    assert len({t for t, _ in pacs.asked}) == 2
    assert reports.take(box.ledger, settings, CLOCK, pacs.report(*pacs.asked[0]), "HOSPITAL") == Answer(SUCCESS)
    assert box.states() == {uid: "COMMITTED"}


def test_a_report_of_before_the_loss_does_not_commit_what_was_sent_since(config: Path, pacs: Pacs) -> None:
    """Asked; asked again after a restart; lost, as the second report says; sent and asked a third time: now the first
    report comes, late by days, and says that all is well."""
    settings = configured(config)
    box = spooled(settings, pacs)
    (uid,) = box.states()
    pacs.reports = False
    box.deliver()
    first = pacs.report(*pacs.asked[0])
    box.ledger.close()
    box = Box(settings, pacs)
    box.deliver()
    lost = Report(pacs.asked[1][0], frozenset(), {uid: 0x0112})
    reports.take(box.ledger, settings, CLOCK, lost, "HOSPITAL")
    assert box.states() == {uid: "QUEUED"}
    due_now(box)
    box.deliver()
    assert box.states() == {uid: "REQUESTED"}
    assert reports.take(box.ledger, settings, CLOCK, first, "HOSPITAL") == Answer(SUCCESS)
    assert box.states() == {uid: "REQUESTED"}
    reports.take(box.ledger, settings, CLOCK, pacs.report(*pacs.asked[2]), "HOSPITAL")
    assert box.states() == {uid: "COMMITTED"}


@pytest.mark.parametrize(("batch", "sizes"), [(2, [2, 2, 1]), (0, [3, 2]), (100, [5])], ids=["2", "per exam", "100"])
def test_commitment_is_asked_for_in_batches_as_configured(
    config: Path, pacs: Pacs, batch: int, sizes: list[int]
) -> None:
    settings = configured(config)
    config.write_text(config.read_text() + f"commitment_batch = {batch}\n")
    settings = configuration.load(config)
    for device, number in (("ecg1", 3), ("ecg2", 2)):
        whose = somebodys_exam(settings, device)
        for _ in range(number):
            record(settings, whose.exam, 50, device)
    box = Box(settings, pacs)
    box.take_in()
    while box.couriers[0].turn() == 0.0:
        pass
    assert set(box.states().values()) == {"COMMITTED"}
    assert sorted((len(uids) for _, uids in pacs.asked), reverse=True) == sizes
    asked = [uid for _, uids in pacs.asked for uid in uids]
    assert sorted(asked) == sorted(box.states())


def test_a_partial_report_commits_what_it_names_and_asks_again_for_the_rest(config: Path, pacs: Pacs) -> None:
    box = spooled(configured(config), pacs, 2)
    pacs.reports = False
    box.deliver()
    transaction, (first, second) = pacs.asked[0]
    reports.take(box.ledger, box.settings, CLOCK, Report(transaction, frozenset([first]), {}), "HOSPITAL")
    assert box.states() == {first: "COMMITTED", second: "STORED"}


def test_a_refused_request_uses_up_its_transaction_uid(config: Path, pacs: Pacs) -> None:
    box = spooled(configured(config), pacs)
    (uid,) = box.states()
    (courier,) = box.couriers
    courier.asking._request = lambda *a: (pacs.asked.append((a[1], ())), Outcome("retry", "0213", "busy"))[1]
    box.deliver()
    assert box.states() == {uid: "STORED"}
    courier.asking._request = pacs.request
    due_now(box)
    box.deliver()
    assert box.states() == {uid: "COMMITTED"}
    assert len({t for t, _ in pacs.asked}) == 2


def test_a_file_that_is_not_what_was_written_is_never_sent_and_never_deleted(config: Path, pacs: Pacs) -> None:
    box = spooled(configured(config), pacs, 2)
    bad = sorted(box.states())[0]
    (path,) = box.settings.places.instances.glob(f"*/{bad}.dcm")
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    box.deliver()
    assert bad not in pacs.stores
    assert len(pacs.stores) == 1
    assert "not what was written" in box.ledger.query("SELECT corrupt FROM instances WHERE uid = ?", bad)[0]["corrupt"]


def test_a_refused_class_is_held_unless_the_device_says_rewrap(config: Path, pacs: Pacs) -> None:
    settings = configured(config, device='iod = "general-32"')
    box = spooled(settings, pacs)
    pacs.refuse_class[TABLE["general-32"].sop_class_uid] = CLASS_REFUSED
    box.deliver()
    (uid,) = box.states()
    assert box.delivery(uid)["held"] == CLASS_REFUSED.words


def test_a_refused_32_bit_class_is_wrapped_again_as_16_bit_and_frees_the_box_when_that_is_committed(
    config: Path, pacs: Pacs
) -> None:
    settings = configured(config, device='iod = "general-32"\nrefused_class = "rewrap"')
    pacs.refuse_class[TABLE["general-32"].sop_class_uid] = CLASS_REFUSED
    box = spooled(settings, pacs)
    (original,) = box.states()
    box.deliver()
    other = next(uid for uid in box.states() if uid != original)
    assert box.delivery(original)["waived"]
    assert box.ledger.query("SELECT settled_at FROM instances WHERE uid = ?", original)[0]["settled_at"] is None
    box.deliver()
    assert pacs.stores == [other]
    assert box.delivery(other)["state"] == "COMMITTED"
    assert all(r["settled_at"] is not None for r in box.ledger.query("SELECT settled_at FROM instances"))
    assert '"what": "rewrap"' in settings.places.audit.read_text()
    free = Box(dataclasses.replace(settings), pacs, retention=0.0)
    free.purger.turn()
    free.purger.turn()
    assert not list(settings.places.instances.iterdir())
    assert not list(settings.places.acquisitions.iterdir())


@pytest.mark.parametrize(
    ("error", "held"), [(OSError(28, "No space left"), False), (Misuse("gone"), False), (ZeroDivisionError(), True)]
)
def test_a_wrapping_again_that_fails_concerns_its_instance_only(
    config: Path, pacs: Pacs, error: Exception, held: bool
) -> None:
    settings = configured(config, device='iod = "general-32"\nrefused_class = "rewrap"')
    box = spooled(settings, pacs, 2)
    first = box.ledger.query("SELECT instance FROM deliveries ORDER BY queued_at")[0]["instance"]
    pacs.refuse[first] = CLASS_REFUSED

    def failing(*_: object) -> str:
        raise error

    box.couriers[0]._rewrap = failing
    box.deliver()
    assert sorted(box.states().values()) == ["COMMITTED", "QUEUED"]
    assert (box.delivery(first)["held"] is not None) == held
    assert held or (box.delivery(first)["attempts"] == 1 and box.delivery(first)["next_try"] > 0)


def test_two_threads_that_wrap_the_same_again_do_not_meet(config: Path, pacs: Pacs) -> None:
    settings = configured(config, device='iod = "general-32"')
    box = spooled(settings, pacs)
    (uid,) = box.states()
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda who: box.rewrap(uid, "pacs", who), "abcd"))
    assert len(set(made)) == 1
    assert len(box.states()) == 2


def troubles(box: Box) -> str:
    return "; ".join(survey.troubles(box.settings, box.ledger, CLOCK, survey.queue(box.ledger)))


def test_an_instance_that_is_refused_for_now_again_and_again_is_a_trouble(config: Path, pacs: Pacs) -> None:
    box = spooled(configured(config), pacs, 2)
    pacs.refuse[sorted(box.states())[0]] = dataclasses.replace(FULL)
    for _ in range(5):
        assert "instances wait" not in troubles(box)
        box.deliver()
        due_now(box)
    assert "1 instances wait for pacs, tried 5 times: out of resources" in troubles(box)


def test_a_peer_that_takes_requests_and_never_reports_is_a_trouble(config: Path, pacs: Pacs) -> None:
    box = spooled(configured(config), pacs)
    pacs.reports = False
    box.deliver()
    assert "instances wait" not in troubles(box)
    for _ in range(2):
        with box.ledger.change() as c:
            c.execute("UPDATE transactions SET requested_at = requested_at - 4000")
        box.deliver()
        due_now(box)
        box.deliver()
    assert "1 instances wait for pacs" in troubles(box)
    assert "no commitment report within 3600 s" in troubles(box)
