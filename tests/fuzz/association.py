"""Fuzzes the association core: ``python -m tests.fuzz.association [INPUTS] [SEED]``; its last line says how it went.

Valid PDUs are damaged (bytes changed, cut, doubled, lengths that lie), put in random order, cut into random pieces and
fed to an association in each of its states, and the fragments that come out to the message assembler. Nothing but
ProtocolError may come out, and no buffer may grow beyond what its PDU type may have.
"""

from __future__ import annotations

import random
import sys
import time

from gateway.transfer.association import dimse, pdu
from gateway.transfer.association.machine import Association, State
from gateway.transfer.association.pdu import ProtocolError
from gateway.transfer.association.reader import LARGEST

_USER = pdu.UserInformation(16384, "1.2.3", "V", (pdu.Role("1.2", True, False),), (4, 1), confirmed=b"ok")
_REQUEST = pdu.AssociateRequest("A", "B", (pdu.Context(1, "1.2", ("1.3",)),), _USER)
_COMMAND = dimse.encode({dimse.Tag.COMMAND_FIELD: 0x8001, dimse.Tag.MESSAGE_ID_BEING_RESPONDED_TO: 1} | {
    dimse.Tag.DATA_SET_TYPE: dimse.NO_DATA_SET, dimse.Tag.STATUS: 0, dimse.Tag.ERROR_COMMENT: "none"
})  # fmt: skip
VALID = [
    pdu.encode(p)
    for p in (
        _REQUEST,
        pdu.AssociateAccept("A", "B", (pdu.ContextResult(1, 0, "1.3"),), _USER),
        pdu.AssociateReject(1, 1, 7),
        pdu.Data((pdu.Pdv(1, True, True, _COMMAND),)),
        pdu.Data((pdu.Pdv(1, True, False, _COMMAND[:20]), pdu.Pdv(1, True, True, _COMMAND[20:]))),
        pdu.Data((pdu.Pdv(1, False, True, bytes(40)),)),
        pdu.ReleaseRequest(),
        pdu.ReleaseReply(),
        pdu.Abort(2, 1),
    )
]
STATES = [s for s in State if s is not State.IDLE]


def damaged(chance: random.Random, data: bytes) -> bytes:
    raw = bytearray(data)
    for _ in range(chance.choice((0, 1, 1, 2, 5))):
        at = chance.randrange(len(raw)) if raw else 0
        match chance.randrange(4):
            case 0 if raw:
                raw[at] = chance.randrange(256)
            case 1:
                del raw[at : at + chance.randrange(1, 9)]
            case 2:
                raw[at:at] = raw[at : at + chance.randrange(1, 30)]
            case _:
                raw[at : at + 2] = chance.choice((b"\0\0", b"\xff\xff", b"\x7f\xff", b"\0\1"))
    return bytes(raw)


def one(chance: random.Random) -> None:
    """One input. Raises whatever must not come out."""
    association, assembler = Association(), dimse.Assembler()
    association.state = chance.choice(STATES)
    stream = b"".join(damaged(chance, chance.choice(VALID)) for _ in range(chance.randrange(1, 5)))
    at = 0
    try:
        while at < len(stream):
            step = chance.choice((1, 7, 60, len(stream)))
            for happening in association.receive(stream[at : at + step]):
                if isinstance(happening, pdu.Pdv) and (message := assembler.feed(happening)) is not None:
                    _ = message.answers, message.comment, message.field & dimse.RESPONSE and message.status
            at += step
    except ProtocolError:
        pass
    assert association._reader.waiting <= max(LARGEST.values()) + 6 + len(stream)
    assert len(association.out) < 100


def main(inputs: int, seed: int) -> int:
    chance, began = random.Random(seed), time.monotonic()
    for number in range(inputs):
        before = chance.getstate()
        try:
            one(chance)
        except Exception:
            print(f"input {number} of seed {seed} breaks the core; its generator was at {hash(before)}")
            raise
    print(f"{inputs} inputs, seed {seed}, {time.monotonic() - began:.0f} s: nothing but protocol errors")
    return 0


if __name__ == "__main__":
    arguments = [int(a) for a in sys.argv[1:]]
    sys.exit(main(*arguments, *(100_000, 1)[len(arguments) :]))
