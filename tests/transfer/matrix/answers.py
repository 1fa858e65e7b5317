"""What comes instead of the C-STORE response, or is said in it."""

from __future__ import annotations

from hostile import response
from transfer.matrix.associations import LAST, accepts_and_says
from transfer.matrix.case import Case, Then
from transfer.matrix.network import ALONE, QUIET, SILENT
from transfer.matrix.pacs import Call, HangUp, Hostile, Pacs

from gateway.transfer.association import dimse, pdu
from gateway.transfer.association.dimse import Field, Message, Tag
from gateway.transfer.association.pdu import Data, Pdv


def answers(status: int, victim: bool = True, keeps: bool = False) -> Hostile:
    """``keeps``: the peer has the instance all the same."""

    def script(pacs: Pacs, call: Call, message: Message) -> None:
        if keeps:
            pacs.take(message)
        call.respond(message, status)

    return Hostile(store=script, victim=victim)


def answers_another(pacs: Pacs, call: Call, message: Message) -> None:
    pacs.take(message)
    call.respond(message, message_id=999)
    call.wait()


def answers_twice(pacs: Pacs, call: Call, message: Message) -> None:
    pacs.take(message)
    call.respond(message)
    call.respond(message)


def answers_in_two_halves(pacs: Pacs, call: Call, message: Message) -> None:
    """The command set in two fragments, each in a PDU of its own: that is allowed."""
    pacs.take(message)
    (whole,) = response(message).pdvs
    call.say(Data((Pdv(whole.context_id, True, False, whole.data[:30]),)))
    call.say(Data((Pdv(whole.context_id, True, True, whole.data[30:]),)))


def answers_with(change: dict[Tag, int | str], victim: bool = False) -> Hostile:
    """The response with other elements in its command set."""

    def script(pacs: Pacs, call: Call, message: Message) -> None:
        pacs.take(message)
        (right,) = response(message).pdvs
        command = dimse.encode(dimse.decode(right.data) | change)
        call.say(Data((Pdv(right.context_id, True, True, command),)))

    return Hostile(store=script, victim=victim)


def sends(words: bytes, hangs_up: bool = False) -> Hostile:
    def script(pacs: Pacs, call: Call, message: Message) -> None:
        pacs.take(message)
        call.say(words)
        if hangs_up:
            raise HangUp
        call.wait()

    return Hostile(store=script)


def sends_half(_: Pacs, call: Call, message: Message) -> None:
    call.say(pdu.encode(response(message))[:-10])
    raise HangUp


def answers_on_another_context(_: Pacs, call: Call, message: Message) -> None:
    (right,) = response(message).pdvs
    call.say(Data((Pdv(255, True, True, right.data),)))
    call.wait()


def endless(fragment: Pdv) -> Hostile:
    def script(_: Pacs, call: Call, message: Message) -> None:
        while True:
            call.say(Data((fragment,)))

    return Hostile(store=script)


def answers_endlessly(pacs: Pacs, call: Call, message: Message) -> None:
    pacs.take(message)
    while True:
        call.respond(message)


def keeps_nothing(pacs: Pacs, call: Call, message: Message) -> None:
    call.respond(message)


NOBODY_ASKED = Data(
    (
        Pdv(
            1,
            True,
            True,
            dimse.encode(
                {
                    Tag.COMMAND_FIELD: Field.C_STORE | dimse.RESPONSE,
                    Tag.MESSAGE_ID_BEING_RESPONDED_TO: 5,
                    Tag.DATA_SET_TYPE: dimse.NO_DATA_SET,
                    Tag.STATUS: 0,
                }
            ),
        ),
    )
)
FINE, HELD, WAITS = Then.COMMITTED, Then.HELD, Then.GOES_LAST

CASES = {
    # Warnings: the peer has it.
    "warns: 0001H": Case(answers(0x0001, keeps=True), FINE, "0001H: stored, with a warning", told=False),
    "warns: ignored attributes (0107H)": Case(
        answers(0x0107, keeps=True), FINE, "ignored attributes it does not know", told=False
    ),
    "warns: a value out of range (0116H)": Case(
        answers(0x0116, keeps=True), FINE, "a value was out of range", told=False
    ),
    "warns: coerced values (B000H)": Case(answers(0xB000, keeps=True), FINE, "the peer changed values", told=False),
    "warns: discarded elements (B006H)": Case(
        answers(0xB006, keeps=True), FINE, "the peer discarded elements", told=False
    ),
    "warns: no match with the class (B007H)": Case(
        answers(0xB007, keeps=True), FINE, "the data set does not match its SOP class", told=False
    ),
    "warns with a number of its own (BEEFH)": Case(
        answers(0xBEEF, keeps=True), FINE, "a warning of the peer's own", told=False
    ),
    "has it already (0111H)": Case(answers(0x0111, keeps=True), FINE, "the peer has this instance already", told=False),
    # What may pass.
    "is full (A700H)": Case(answers(0xA700), WAITS, "A700H: out of resources: the peer's disk is probably full"),
    "is full for everybody (A701H)": Case(answers(0xA701, victim=False), ALONE, "the peer's disk is probably full"),
    "fails to process (0110H)": Case(answers(0x0110), WAITS, "processing failure in the peer"),
    "is short of resources (0213H)": Case(answers(0x0213), WAITS, "the peer is short of resources"),
    "confuses message numbers (0210H)": Case(answers(0x0210), WAITS, "confused about message numbers"),
    "says it was cancelled (FE00H)": Case(answers(0xFE00), WAITS, "nobody cancelled it; it is sent again"),
    "says pending (FF00H)": Case(answers(0xFF00), WAITS, "it is not stored yet; it is sent again"),
    # What will not.
    "refuses: no match with the class (A900H)": Case(answers(0xA900), HELD, "does not match its SOP class"),
    "refuses: cannot understand (C000H)": Case(answers(0xC000), HELD, "the peer cannot understand the instance"),
    "refuses with a number of its own (C123H)": Case(answers(0xC123), HELD, "C123H: the peer cannot understand"),
    "refuses the class (0122H)": Case(answers(0x0122), HELD, "the peer does not take this kind of object"),
    "refuses: not authorized (0124H)": Case(answers(0x0124), HELD, "ask the peer's administrator to allow this box"),
    "refuses: invalid UID (0117H)": Case(answers(0x0117), HELD, "invalid instance UID"),
    "refuses: conflict of class and instance (0119H)": Case(
        answers(0x0119), HELD, "another kind of object under this UID"
    ),
    "refuses: mistyped argument (0212H)": Case(answers(0x0212), HELD, "mistyped argument"),
    "fails with an unknown number (A800H)": Case(answers(0xA800), HELD, "A800H: an answer the standard does not know"),
    "answers a number of no class (7777H)": Case(answers(0x7777), HELD, "an answer the standard does not know"),
    # Answers that are none.
    "answers another message": Case(Hostile(store=answers_another), ALONE, "it answers message 999, but open is"),
    "answers twice": Case(Hostile(store=answers_twice), FINE, "it answers message", told=False, rounds=4),
    "answers before anything was asked": Case(accepts_and_says(NOBODY_ASKED), ALONE, "it answers message 5"),
    "answers in two fragments": Case(Hostile(store=answers_in_two_halves), FINE),
    "answers as if to a C-ECHO": Case(
        answers_with({Tag.COMMAND_FIELD: Field.C_ECHO | dimse.RESPONSE}), ALONE, "8030H answers a C-STORE"
    ),
    "answers for another instance": Case(
        answers_with({Tag.AFFECTED_SOP_INSTANCE_UID: "1.2.3"}), FINE, "but for instance 1.2.3", told=False
    ),
    "announces a data set that never comes": Case(answers_with({Tag.DATA_SET_TYPE: 1}), ALONE, QUIET, patience=SILENT),
    "answers without a status": Case(
        sends(
            pdu.encode(Data((Pdv(1, True, True, dimse.encode({Tag.COMMAND_FIELD: 0x8001, Tag.DATA_SET_TYPE: 0x101})),)))
        ),
        *(ALONE, "a command without Message Id Being Responded To"),
    ),
    "answers on a context that was not accepted": Case(
        Hostile(store=answers_on_another_context), ALONE, "data on context 255, which was not accepted"
    ),
    "hangs up instead of answering": Case(sends(b"", hangs_up=True), ALONE, "closed the connection without a word"),
    "hangs up within the response": Case(Hostile(store=sends_half), ALONE, "closed the connection without a word"),
    "sends a PDU of 4 GiB": Case(sends(b"\x04\0\xff\xff\xff\xff\0\0"), ALONE, "P-DATA-TF of 4294967295 bytes"),
    "sends a PDU longer than we take": Case(
        sends(b"\x04\0\0\x10\0\0"), ALONE, "P-DATA-TF of 1048576 bytes, more than 131072"
    ),
    "sends a fragment longer than its PDU": Case(sends(b"\x04\0\0\0\0\x06\0\0\0\xff\x01\x03"), ALONE, "says 255 bytes"),
    "sends a PDU shorter than a fragment's header": Case(
        sends(b"\x04\0\0\0\0\x02\0\0"), ALONE, "P-DATA-TF ends within the header of a fragment"
    ),
    "sends an unknown PDU": Case(sends(b"\x2a\0\0\0\0\0"), ALONE, "unknown PDU type 2AH"),
    "sends a command of garbage": Case(
        sends(pdu.encode(Data((Pdv(1, True, True, b"\x08\0\x05\0garbage!"),)))), ALONE, "in a command set"
    ),
    "sends a data set without a command": Case(
        sends(pdu.encode(Data((Pdv(1, False, True, b"\0\0"),)))), ALONE, "a data set before its command"
    ),
    "sends a command without end": Case(
        endless(Pdv(1, True, False, bytes(1 << 14))), ALONE, "a command set of more than 65536 bytes"
    ),
    "answers without end": Case(Hostile(store=answers_endlessly), FINE, "answer", told=False, rounds=4),
    # Lies that only the commitment tells.
    "says stored and keeps nothing": Case(
        Hostile(store=keeps_nothing), Then.SENT_AGAIN, "the peer does not have the instance; it is sent again"
    ),
}
assert LAST is WAITS
