"""A RIS, byte by byte: what the requestor and the worklist make of answers with data sets that are damaged.

Held of every input: scheduled steps, or one of the gateway's errors in one line.
"""

from __future__ import annotations

import random
import warnings

from gateway.errors import GatewayError
from gateway.transfer import dataset
from gateway.transfer.association import dimse, pdu
from gateway.transfer.association.dimse import RESPONSE, Field, Tag
from gateway.transfer.calling import syntaxes
from gateway.transfer.ris import worklist
from gateway.trial import patients
from tests.fuzz.requestor import PEER, accept, called, line
from tests.fuzz.said import USERS, message, sample, stream

_PAIRS = syntaxes.pairs(worklist.FIND)
PENDING, SUCCESS, CANCELLED, OUT_OF_RESOURCES = 0xFF00, 0x0000, 0xFE00, 0xA700


def _answer(context_id: int, status: int, data: bytes | None = None) -> list[pdu.Data]:
    command = {Tag.COMMAND_FIELD: Field.C_FIND | RESPONSE, Tag.MESSAGE_ID_BEING_RESPONDED_TO: 1, Tag.STATUS: status}
    command[Tag.DATA_SET_TYPE] = dimse.NO_DATA_SET if data is None else 1
    return message(context_id, command, data)


OPENINGS = tuple(sample(accept(_PAIRS, user)) for user in USERS)
ANSWERS = (
    *(
        sample(*_answer(2 * number + 1, PENDING, dataset.encode(item, syntax)))
        for number, (_, syntax) in enumerate(_PAIRS)
        for item in patients.items()
    ),
    *(sample(*_answer(1, status)) for status in (SUCCESS, SUCCESS, CANCELLED, OUT_OF_RESOURCES)),
)


def one(chance: random.Random) -> None:
    """One input. Raises whatever must not come out."""
    with called(chance, stream(chance, OPENINGS, ANSWERS)), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's words about odd values
        try:
            steps = worklist.query(PEER)
        except GatewayError as error:
            line(str(error))
        else:
            assert all(isinstance(step.item, dict) for step in steps)
