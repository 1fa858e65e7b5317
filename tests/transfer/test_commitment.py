"""Storage commitment: however the report comes, it is taken once it is kept, and only then answered."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from pathlib import Path

import hostile
import pytest
from hostile import Line
from listening import served
from orthanc import Orthanc
from pydicom import Dataset
from pynetdicom import AE, build_role
from pynetdicom.sop_class import CTImageStorage, StorageCommitmentPushModel, Verification

from gateway.errors import Retry
from gateway.identifiers import new_uid
from gateway.model import InstanceRef
from gateway.settings import Box
from gateway.settings import Listener as ListenerSettings
from gateway.transfer import dataset, elements
from gateway.transfer.association import dimse
from gateway.transfer.association.dimse import Tag
from gateway.transfer.association.pdu import ProtocolError
from gateway.transfer.calling.peers import Peer
from gateway.transfer.committing import commitment, event_report
from gateway.transfer.committing.event_report import SUCCESS, Answer, Report
from gateway.transfer.committing.listener import Listener
from gateway.transfer.names import EXPLICIT, IMPLICIT
from gateway.transfer.storing import store
from gateway.trial.hospital import Hospital

Ecg = Callable[..., InstanceRef]
Call = Callable[..., Peer]
INSTANCE = "1.2.840.10008.1.20.1.1"


class Inbox(queue.Queue[Report]):
    """Takes reports; ``broken`` makes it fail so many times first."""

    def __init__(self, broken: int = 0) -> None:
        super().__init__()
        self.broken = broken
        self.callers: list[str] = []

    def take(self, report: Report, caller: str = "") -> Answer | None:
        self.callers.append(caller)
        if self.broken:
            self.broken -= 1
            raise OSError("the disk is full")
        self.put(report)
        return Answer(SUCCESS)

    def next(self) -> Report:
        return self.get(timeout=20)


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def listener(inbox: Inbox, box_port: int) -> Iterator[Listener]:
    settings = ListenerSettings(host="127.0.0.1", port=box_port)
    with served(Listener(Box(), settings, ["HOSPITAL", "ORTHANC"], inbox.take)) as listening:
        yield listening


def information(transaction: str, committed: list[str], failed: dict[str, int | None] | None = None) -> Dataset:
    event = Dataset()
    event.TransactionUID = transaction
    event.ReferencedSOPSequence = [_item(uid) for uid in committed]
    if failed:
        event.FailedSOPSequence = [_item(uid) for uid in failed]
        for item, reason in zip(event.FailedSOPSequence, failed.values(), strict=True):
            if reason is not None:
                item.FailureReason = reason
    return event


def _item(uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.9.1.1", uid
    return item


@pytest.mark.parametrize("how", ["same", "before"])
def test_a_report_on_the_same_association_is_taken_before_or_after_the_response(
    how: str, tmp_path: Path, ecg: Ecg, call: Call, inbox: Inbox
) -> None:
    instance, missing, transaction = ecg(), ecg(), new_uid()
    with Hospital(tmp_path / "hospital", report=how) as hospital:
        peer = call(hospital.port)
        assert all(o.good for _, o in store.send(peer, [instance]))
        outcome = commitment.request(peer, transaction, [instance, missing], inbox.take, linger=20.0)
    assert outcome.kind == "done"
    expected = Report(transaction, frozenset({instance.sop_instance_uid}), {missing.sop_instance_uid: 0x0112})
    assert inbox.next() == expected
    assert hospital.reporter.answers == [(transaction, 0)]


def test_a_report_on_a_new_association_is_taken_by_the_listener(
    tmp_path: Path, ecg: Ecg, call: Call, inbox: Inbox, listener: Listener
) -> None:
    instance, transaction = ecg(), new_uid()
    with Hospital(tmp_path / "hospital", report="new") as hospital:
        hospital.callers["GATEWAY"] = ("127.0.0.1", listener.port)
        peer = call(hospital.port)
        assert all(o.good for _, o in store.send(peer, [instance]))
        assert commitment.request(peer, transaction, [instance], inbox.take, linger=0.0).kind == "done"
        assert inbox.next() == Report(transaction, frozenset({instance.sop_instance_uid}), {})
    assert inbox.callers == ["HOSPITAL"]


def test_a_report_that_could_not_be_kept_is_answered_with_a_failure_and_comes_again(
    tmp_path: Path, ecg: Ecg, call: Call, inbox: Inbox, listener: Listener
) -> None:
    inbox.broken = 1
    instance, transaction = ecg(), new_uid()
    with Hospital(tmp_path / "hospital", report="new") as hospital:
        hospital.callers["GATEWAY"] = ("127.0.0.1", listener.port)
        peer = call(hospital.port)
        assert commitment.request(peer, transaction, [instance], inbox.take, linger=0.0).good
        assert inbox.next().failed == {instance.sop_instance_uid: 0x0112}
    assert hospital.reporter.answers[0][1] == 0x0110


def test_orthanc_commits_what_it_has_and_names_what_it_has_not(
    ecg: Ecg, call: Call, inbox: Inbox, listener: Listener, pacs: Orthanc
) -> None:
    instance, missing, transaction = ecg(5000), ecg(), new_uid()
    to = call(pacs.port, pacs.ae_title)
    assert all(o.good for _, o in store.send(to, [instance]))
    assert commitment.request(to, transaction, [instance, missing], inbox.take, linger=0.0).kind == "done"
    expected = Report(transaction, frozenset({instance.sop_instance_uid}), {missing.sop_instance_uid: 0x0112})
    assert inbox.next() == expected
    assert inbox.callers == ["ORTHANC"]


def scripted(*reports: tuple[int, Dataset], answers: list[int]) -> Callable[[Line], None]:
    """Answers the N-ACTION, sends ``reports`` on the same association, and notes how they are answered."""

    def script(line: Line) -> None:
        asked = line.accept()
        message = line.message()
        assert message is not None
        syntax = next(c.transfer_syntaxes[0] for c in asked.contexts if c.id == message.context_id)
        line.respond(message)
        for event_type, event in reports:
            line.say(hostile.event_report(message.context_id, event_type, dataset.encode(event, syntax)))
            answer = line.message()
            if answer is None:
                return
            assert dimse.number(answer.command, Tag.MESSAGE_ID_BEING_RESPONDED_TO) == 7
            answers.append(answer.status)
        line.message()

    return script


def test_a_report_is_answered_with_a_failure_when_it_could_not_be_kept(ecg: Ecg, call: Call) -> None:
    answers, inbox = list[int](), Inbox(broken=1)
    event = (1, information("1.2.3", ["1.2.4"]))
    with hostile.peer(scripted(event, event, answers=answers)) as port:
        assert commitment.request(call(port), "1.2.3", [ecg()], inbox.take, linger=20.0).kind == "done"
    assert answers == [0x0110, 0x0000]
    assert inbox.next() == Report("1.2.3", frozenset({"1.2.4"}), {})


def test_a_report_that_makes_no_sense_is_refused_and_not_taken(ecg: Ecg, call: Call, inbox: Inbox) -> None:
    answers = list[int]()
    events = [(9, information("1.2.3", ["1.2.4"])), (1, information("", ["1.2.4"])), (1, information("1.2.3", [""]))]
    with hostile.peer(scripted(*events, answers=answers)) as port:
        assert commitment.request(call(port), "1.2.3", [ecg()], inbox.take, linger=1.0).kind == "done"
    assert answers == [0x0113, 0x0115, 0x0115]
    assert inbox.empty()


def test_a_peer_that_hangs_up_after_accepting_the_request_has_still_accepted_it(
    ecg: Ecg, call: Call, inbox: Inbox
) -> None:
    def script(line: Line) -> None:
        line.accept()
        message = line.message()
        assert message is not None
        line.respond(message)

    with hostile.peer(script) as port:
        assert commitment.request(call(port), new_uid(), [ecg()], inbox.take, linger=20.0).kind == "done"


@pytest.mark.parametrize(("status", "kind"), [(0x0110, "retry"), (0x0213, "retry"), (0x0122, "hold"), (0x0124, "hold")])
def test_a_refused_request_says_why(status: int, kind: str, ecg: Ecg, call: Call, inbox: Inbox) -> None:
    def script(line: Line) -> None:
        line.accept()
        message = line.message()
        assert message is not None
        line.respond(message, status)
        line.message()

    with hostile.peer(script) as port:
        outcome = commitment.request(call(port), new_uid(), [ecg()], inbox.take, linger=1.0)
    assert (outcome.kind, outcome.code) == (kind, f"{status:04X}")


def test_a_peer_without_commitment_is_held_with_words(ecg: Ecg, call: Call, inbox: Inbox) -> None:
    def script(line: Line) -> None:
        line.accept(refuse=("1.2.840.10008.1.20.1",))
        line.message()

    with hostile.peer(script) as port:
        outcome = commitment.request(call(port), new_uid(), [ecg()], inbox.take, linger=1.0)
    assert (outcome.kind, outcome.code) == ("hold", "class-refused")


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT])
def test_an_instance_in_both_lists_has_failed_and_a_failure_without_reason_is_one(syntax: str) -> None:
    event = dataset.encode(information("1.2.3", ["1.1", "1.2"], {"1.2": 0x0213, "1.3": None}), syntax)
    expected = Report("1.2.3", frozenset({"1.1"}), {"1.2": 0x0213, "1.3": 0x0110})
    assert event_report.read_report(elements.read(event, syntax)) == expected


def test_a_data_set_of_garbage_is_a_protocol_error() -> None:
    with pytest.raises(ProtocolError, match="cannot be read"):
        dataset.decode(b"\x08\x00\x95\x11\xff\xff\xff\x7fgarbage", IMPLICIT)


@pytest.mark.parametrize("role", [True, False], ids=["with role selection", "without"])
def test_the_listener_takes_reports_with_and_without_role_selection(
    role: bool, listener: Listener, inbox: Inbox
) -> None:
    ae = AE("HOSPITAL")
    ae.add_requested_context(StorageCommitmentPushModel)
    roles = [build_role(StorageCommitmentPushModel, scp_role=True)] if role else []
    association = ae.associate("127.0.0.1", listener.port, ae_title="GATEWAY", ext_neg=roles)
    assert association.is_established
    event = information("1.2.3", ["1.2.4"])
    for _ in range(2):  # the same report twice is nothing special here: the ledger knows it
        status, _ = association.send_n_event_report(event, 1, StorageCommitmentPushModel, INSTANCE)
        assert status.Status == 0
        assert inbox.next() == Report("1.2.3", frozenset({"1.2.4"}), {})
    status, _ = association.send_n_event_report(event, 3, StorageCommitmentPushModel, INSTANCE)
    assert status.Status == 0x0113
    association.release()
    assert inbox.empty()


def test_the_listener_answers_an_echo_and_takes_no_instances(listener: Listener) -> None:
    ae = AE("HOSPITAL")
    ae.add_requested_context(Verification)
    ae.add_requested_context(CTImageStorage)
    association = ae.associate("127.0.0.1", listener.port, ae_title="GATEWAY")
    assert association.send_c_echo().Status == 0
    assert [str(c.abstract_syntax) for c in association.rejected_contexts] == [CTImageStorage]
    association.release()


@pytest.mark.parametrize(("calling", "called"), [("STRANGER", "GATEWAY"), ("HOSPITAL", "OTHER")])
def test_the_listener_rejects_strangers_and_calls_for_somebody_else(
    calling: str, called: str, listener: Listener
) -> None:
    ae = AE(calling)
    ae.add_requested_context(Verification)
    association = ae.associate("127.0.0.1", listener.port, ae_title=called)
    assert association.is_rejected


def test_two_listeners_on_one_port_get_a_message_that_says_so(listener: Listener, inbox: Inbox) -> None:
    second = Listener(Box(), ListenerSettings(host="127.0.0.1", port=listener.port), [], inbox.take)
    with pytest.raises(Retry, match=r"cannot use 127.0.0.1:.*or choose others under \[listener\]"):
        second.start()
