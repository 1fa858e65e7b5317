"""Storage commitment, push model, as the SCU (PS3.4 annex J)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from gateway.model import InstanceRef
from gateway.transfer import elements
from gateway.transfer.association import dimse
from gateway.transfer.association.dimse import Message, Tag
from gateway.transfer.calling import outcomes, syntaxes
from gateway.transfer.calling.outcomes import Failed, Outcome
from gateway.transfer.calling.peers import Peer
from gateway.transfer.calling.requestor import Requestor
from gateway.transfer.committing import event_report
from gateway.transfer.committing.event_report import Answer, OnReport, Report
from gateway.transfer.names import IMPLICIT, PUSH_MODEL

log = logging.getLogger(__name__)

PUSH_MODEL_INSTANCE = "1.2.840.10008.1.20.1.1"
REQUEST_COMMITMENT = 1  # Action Type ID


def request(
    peer: Peer,
    transaction_uid: str,
    instances: Iterable[InstanceRef],
    on_report: OnReport,
    linger: float,
    elsewhere: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Ask ``peer`` to commit ``instances`` (N-ACTION); the outcome is that of the request, not of the commitment.

    A report that comes on this association, before or after the N-ACTION response and within ``linger`` seconds
    of it, goes to ``on_report`` before it is answered; if that raises, the peer hears "processing failure" and
    will report again. A report on a new association is the listener's: ``elsewhere()`` says that it came, and that
    nobody need wait any more. Raises nothing.
    """
    reported: list[str] = []

    def keep(report: Report) -> Answer | None:
        answer = on_report(report)
        reported.append(report.transaction_uid)
        return answer

    def answer(message: Message, syntax: str) -> int:
        answered = event_report.take(str(peer), message, syntax, keep)
        if answered.words:
            log.warning("%s sent %s", peer, answered.words)
        return answered.status

    try:
        with Requestor(peer, syntaxes.pairs(PUSH_MODEL), on_request=answer) as requestor:
            context = syntaxes.context(requestor, PUSH_MODEL)
            if context is None:
                return requestor.refusal(PUSH_MODEL, IMPLICIT)
            message_id = requestor.next_id()
            command = dimse.request(dimse.Field.N_ACTION, message_id, PUSH_MODEL, PUSH_MODEL_INSTANCE, data=True)
            command[Tag.ACTION_TYPE_ID] = REQUEST_COMMITMENT
            asked = {i.sop_instance_uid: (i.sop_class_uid, i.sop_instance_uid) for i in instances}  # each once
            requestor.send(context[0], command, elements.action(transaction_uid, asked.values(), context[1]))
            response = requestor.response(message_id)
            outcome = outcomes.of_status(outcomes.COMMON, response.status, peer, response.comment)
            log.info("%s is asked to commit to %d instances: %s", peer, len(asked), outcome.words)
            if outcome.good:
                _linger(requestor, linger, lambda: transaction_uid in reported or elsewhere())
            return outcome
    except Failed as failed:
        return failed.outcome


def _linger(requestor: Requestor, seconds: float, enough: Callable[[], bool]) -> None:
    """The request is accepted: what breaks now is no failure of it, the report will come another way."""
    try:
        requestor.linger(seconds, enough)
    except Failed as failed:
        log.info("while waiting for the commitment report: %s", failed.outcome.words)
