"""The report of storage commitment: what an N-EVENT-REPORT says (PS3.4 table J.3-2), and how it is answered."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gateway.transfer import elements
from gateway.transfer.association import dimse
from gateway.transfer.association.dimse import Message, Tag
from gateway.transfer.association.pdu import ProtocolError
from gateway.transfer.calling.outcomes import Outcome
from gateway.transfer.elements import Elements

log = logging.getLogger(__name__)

ALL_COMMITTED, FAILURES_EXIST = 1, 2  # Event Type ID
SUCCESS, PROCESSING_FAILURE, NO_SUCH_EVENT, INVALID_ARGUMENT, NOT_AUTHORIZED = 0x0000, 0x0110, 0x0113, 0x0115, 0x0124


@dataclass(frozen=True, slots=True)
class Report:
    """What the peer answers for: SOP Instance UIDs it committed, and Failure Reason by UID of those it did not.

    ``verified_by`` is not empty where nothing was promised, but found out in this way. ``because`` says more of
    failures than their reason does.
    """

    transaction_uid: str
    committed: frozenset[str]
    failed: dict[str, int]
    verified_by: str = ""
    because: Mapping[str, Outcome] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a report is answered with, and what a person should know of it ("" if nothing is odd)."""

    status: int
    words: str = ""


OnReport = Callable[[Report], Answer | None]  # None: kept, success


def take(caller: str, message: Message, syntax: str, on_report: OnReport) -> Answer:
    """The answer to an N-EVENT-REPORT: success only if ``on_report`` returned; nothing is acknowledged unkept."""
    try:
        event_type = dimse.number(message.command, Tag.EVENT_TYPE_ID)
        if event_type not in (ALL_COMMITTED, FAILURES_EXIST):
            return Answer(NO_SUCH_EVENT, f"a report of type {event_type}, which storage commitment does not know")
        report = read_report(elements.read(message.data or b"", syntax))
    except ProtocolError as error:
        return Answer(INVALID_ARGUMENT, f"a commitment report that cannot be read: {error.message}")
    try:
        return on_report(report) or Answer(SUCCESS)
    except Exception:
        log.exception("the commitment report of %s could not be kept; the peer is told to report again", caller)
        return Answer(PROCESSING_FAILURE, "a commitment report that could not be kept; look into the log above")


def read_report(information: Elements) -> Report:
    """The report in Event Information (PS3.4 table J.3-2). Raises ProtocolError if it is none.

    An instance in both lists counts as failed; a failure without a reason is a processing failure.
    """
    transaction_uid = information.uid(elements.TRANSACTION_UID)
    if not transaction_uid:
        raise ProtocolError("a commitment report without a Transaction UID")
    failed = {}
    for item in information.sequences.get(elements.FAILED_SOP_SEQUENCE, ()):
        reason = item.number(elements.FAILURE_REASON)
        failed[_uid(item)] = PROCESSING_FAILURE if reason is None else reason
    committed = {_uid(item) for item in information.sequences.get(elements.REFERENCED_SOP_SEQUENCE, ())}
    return Report(transaction_uid, frozenset(committed - set(failed)), failed)


def _uid(item: Elements) -> str:
    uid = item.uid(elements.SOP_INSTANCE_UID)
    if not uid:
        raise ProtocolError("a commitment report names an instance without a UID")
    return uid
