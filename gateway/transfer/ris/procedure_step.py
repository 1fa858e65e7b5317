"""Modality Performed Procedure Step, as the SCU (PS3.4 annex F): N-CREATE when it begins, N-SET when it ends."""

from __future__ import annotations

from pydicom import Dataset

from gateway.transfer import dataset as encoding
from gateway.transfer.association import dimse
from gateway.transfer.association.dimse import Field, Message, Tag
from gateway.transfer.calling import outcomes, syntaxes
from gateway.transfer.calling.outcomes import Failed, Outcome
from gateway.transfer.calling.peers import Peer
from gateway.transfer.calling.requestor import Requestor
from gateway.transfer.names import IMPLICIT

MPPS = "1.2.840.10008.3.1.2.3.3"
PROCESSING_FAILURE = 0x0110


def create(peer: Peer, step_uid: str, dataset: Dataset) -> Outcome:
    """N-CREATE the step ``step_uid``; one that is there already (0111H) is done. Raises nothing."""
    return _say(peer, Field.N_CREATE, step_uid, dataset, outcomes.CREATE_STEP)


def finish(peer: Peer, step_uid: str, dataset: Dataset) -> Outcome:
    """N-SET the step to its final state; the code is A710 where it is final already. Raises nothing."""
    return _say(peer, Field.N_SET, step_uid, dataset, outcomes.SET_STEP)


def _meaning(field: Field, response: Message) -> int:
    """The status; but a processing failure whose Error ID says "may no longer be updated" is taken by that."""
    failed, error_id = response.status == PROCESSING_FAILURE, response.command.get(Tag.ERROR_ID)
    final = field is Field.N_SET and failed and error_id == outcomes.STEP_IS_FINAL
    return outcomes.STEP_IS_FINAL if final else response.status


def _say(peer: Peer, field: Field, step_uid: str, dataset: Dataset, rows: tuple[outcomes.Row, ...]) -> Outcome:
    try:
        with Requestor(peer, syntaxes.pairs(MPPS)) as requestor:
            context = syntaxes.context(requestor, MPPS)
            if context is None:
                return requestor.refusal(MPPS, IMPLICIT)
            message_id = requestor.next_id()
            command = dimse.request(field, message_id, MPPS, step_uid, data=True)
            requestor.send(context[0], command, encoding.encode(dataset, context[1]))
            response = requestor.response(message_id)
            return outcomes.of_status(rows, _meaning(field, response), peer, response.comment)
    except Failed as failed:
        return failed.outcome
