"""A RIS, byte by byte: what becomes of its answers to N-CREATE and N-SET of a performed procedure step.

Held of every input: an outcome, in one line. What says that a step is there already, or final, is said by the status of
the very request.
"""

from __future__ import annotations

import random

from pydicom import Dataset

from gateway.transfer import dataset
from gateway.transfer.association.dimse import RESPONSE, Field, Tag
from gateway.transfer.calling import outcomes, syntaxes
from gateway.transfer.ris import procedure_step
from gateway.transfer.ris.procedure_step import MPPS, PROCESSING_FAILURE
from tests.fuzz.requestor import PEER, accept, called, line
from tests.fuzz.said import USERS, Sample, message, sample, stream

UID = "1.2.3.4"
_PAIRS = syntaxes.pairs(MPPS)
STATUSES = (0x0000, 0x0105, 0x0106, 0x0107, PROCESSING_FAILURE, 0x0111, 0x0112, 0x0116, 0x0118, 0x0120, 0x0213, 0xFFFF)


def _step() -> Dataset:
    found = Dataset()
    found.PerformedProcedureStepStatus, found.Modality = "IN PROGRESS", "ECG"
    return found


def _answer(field: int, status: int, data: bytes | None = None, context_id: int = 1, **more: int | str) -> Sample:
    command = {Tag.COMMAND_FIELD: field | RESPONSE, Tag.MESSAGE_ID_BEING_RESPONDED_TO: 1, Tag.STATUS: status}
    command |= {Tag[name.upper()]: value for name, value in more.items()}
    command[Tag.DATA_SET_TYPE] = 0x0101 if data is None else 1
    return sample(*message(context_id, command, data))


STEP = _step()
OPENINGS = (*(sample(accept(_PAIRS, user)) for user in USERS), sample(accept(_PAIRS, USERS[1], result=3)))
ANSWERS = (
    *(_answer(field, status) for field in (Field.N_CREATE, Field.N_SET) for status in STATUSES),
    *(
        _answer(Field.N_CREATE, 0, dataset.encode(STEP, syntax), 2 * number + 1, affected_sop_instance_uid=UID)
        for number, (_, syntax) in enumerate(_PAIRS)
    ),
    *(
        _answer(Field.N_SET, PROCESSING_FAILURE, error_id=error, error_comment="may no\nlonger be updated " * 9)
        for error in (0, outcomes.STEP_IS_FINAL, 0xFFFF)
    ),
    _answer(Field.C_STORE, 0),
    _answer(Field.N_EVENT_REPORT, 0),
)


def one(chance: random.Random) -> None:
    """One input. Raises whatever must not come out."""
    ask = chance.choice((procedure_step.create, procedure_step.finish))
    with called(chance, stream(chance, OPENINGS, ANSWERS)):
        outcome = ask(PEER, UID, STEP)
    assert outcome.kind in ("done", "warned", "retry", "hold")
    line(outcome.words)
