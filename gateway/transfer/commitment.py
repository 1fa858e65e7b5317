"""Storage commitment, push model, as the SCU (PS3.4 annex J)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pydicom import Dataset

from gateway.model import InstanceRef
from gateway.transfer import dataset, outcomes
from gateway.transfer.association import dimse
from gateway.transfer.association.dimse import Message, Tag
from gateway.transfer.association.pdu import ProtocolError
from gateway.transfer.outcomes import Failed, Outcome
from gateway.transfer.peers import Peer
from gateway.transfer.requestor import Requestor

log = logging.getLogger(__name__)

PUSH_MODEL = "1.2.840.10008.1.20.1"
PUSH_MODEL_INSTANCE = "1.2.840.10008.1.20.1.1"
REQUEST_COMMITMENT = 1  # Action Type ID
ALL_COMMITTED, FAILURES_EXIST = 1, 2  # Event Type ID
PROCESSING_FAILURE = 0x0110
SUCCESS, NO_SUCH_EVENT, INVALID_ARGUMENT = 0x0000, 0x0113, 0x0115


@dataclass(frozen=True, slots=True)
class Report:
    """What the peer answers for: SOP Instance UIDs it committed, and Failure Reason by UID of those it did not."""

    transaction_uid: str
    committed: frozenset[str]
    failed: dict[str, int]


def request(
    peer: Peer,
    transaction_uid: str,
    instances: Iterable[InstanceRef],
    on_report: Callable[[Report], None],
    linger: float,
) -> Outcome:
    """Ask ``peer`` to commit ``instances`` (N-ACTION); the outcome is that of the request, not of the commitment.

    A report that comes on this association, before or after the N-ACTION response and within ``linger`` seconds
    of it, goes to ``on_report`` before it is answered; if that raises, the peer hears "processing failure" and
    will report again. A report on a new association is the listener's. Raises nothing.
    """
    reported: list[str] = []

    def answer(message: Message) -> int:
        syntax = next(s for s in dataset.SYNTAXES if requestor.context(PUSH_MODEL, s) == message.context_id)
        status = _take(peer, message, syntax, on_report)
        reported.extend([transaction_uid] if status == SUCCESS else [])
        return status

    try:
        with Requestor(peer, dataset.pairs(PUSH_MODEL), on_request=answer) as requestor:
            context = dataset.context(requestor, PUSH_MODEL)
            if context is None:
                return requestor.refusal(PUSH_MODEL, dataset.IMPLICIT)
            message_id = requestor.next_id()
            command = dimse.request(dimse.Field.N_ACTION, message_id, PUSH_MODEL, PUSH_MODEL_INSTANCE, data=True)
            command[Tag.ACTION_TYPE_ID] = REQUEST_COMMITMENT
            requestor.send(context[0], command, dataset.encode(_action(transaction_uid, instances), context[1]))
            response = requestor.response(message_id)
            outcome = outcomes.of_status(outcomes.COMMON, response.status, peer, response.comment)
            if outcome.good:
                _linger(requestor, linger, reported)
            return outcome
    except Failed as failed:
        return failed.outcome


def _linger(requestor: Requestor, seconds: float, reported: list[str]) -> None:
    """The request is accepted: what breaks now is no failure of it, the report will come another way."""
    try:
        requestor.linger(seconds, lambda: bool(reported))
    except Failed as failed:
        log.info("while waiting for the commitment report: %s", failed.outcome.words)


def _action(transaction_uid: str, instances: Iterable[InstanceRef]) -> Dataset:
    """Action Information (PS3.4 table J.3-1); each instance once."""
    action = Dataset()
    action.TransactionUID = transaction_uid
    items = []
    for uid, sop_class_uid in {i.sop_instance_uid: i.sop_class_uid for i in instances}.items():
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class_uid, uid
        items.append(item)
    action.ReferencedSOPSequence = items
    return action


def _take(peer: Peer, message: Message, syntax: str, on_report: Callable[[Report], None]) -> int:
    """The status that answers a report which came on our own association."""
    try:
        information = dataset.decode(message.data or b"", syntax)
        report = read_report(dimse.number(message.command, Tag.EVENT_TYPE_ID), information)
    except ProtocolError as error:
        log.warning("%s sent a commitment report that cannot be read: %s", peer, error.message)
        return INVALID_ARGUMENT
    return answer(str(peer), lambda: on_report(report))


def answer(peer: str, take: Callable[[], None]) -> int:
    """The status after ``take`` was called: success only if it returned, so that nothing is acknowledged unkept."""
    try:
        take()
    except Exception:
        log.exception("the commitment report of %s could not be kept; the peer is told to report again", peer)
        return PROCESSING_FAILURE
    return SUCCESS


def read_report(event_type: int, information: Dataset) -> Report:
    """The report in an N-EVENT-REPORT (PS3.4 table J.3-2). Raises ProtocolError if it is none.

    An instance in both lists counts as failed; a failure without a reason is a processing failure.
    """
    transaction_uid = str(information.get("TransactionUID", "") or "")
    if event_type not in (ALL_COMMITTED, FAILURES_EXIST) or not transaction_uid:
        raise ProtocolError(f"a commitment report of type {event_type} for transaction {transaction_uid or 'none'}")
    failed = {}
    for item in information.get("FailedSOPSequence", None) or ():
        reason = item.get("FailureReason", None)
        failed[_uid(item)] = int(reason) if reason is not None else PROCESSING_FAILURE
    committed = {_uid(item) for item in information.get("ReferencedSOPSequence", None) or ()}
    return Report(transaction_uid, frozenset(committed - set(failed)), failed)


def _uid(item: Dataset) -> str:
    uid = str(item.get("ReferencedSOPInstanceUID", "") or "")
    if not uid:
        raise ProtocolError("a commitment report names an instance without a UID")
    return uid
