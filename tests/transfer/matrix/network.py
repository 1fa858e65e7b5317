"""What happens before DICOM is spoken, or to the connection under it."""

from __future__ import annotations

import socket
import struct

from hostile import response
from transfer.matrix.case import Case, Then
from transfer.matrix.pacs import Call, HangUp, Hostile, Pacs

from gateway.transfer.association import pdu
from gateway.transfer.association.dimse import Message
from gateway.transfer.association.pdu import AssociateAccept, AssociateRequest, ContextResult

SILENT = 0.3  # seconds until the sender calls a peer silent
PATIENT = 1.0  # the same, where the peer must answer something else meanwhile on a machine that is busy


def never_speaks(_: Pacs, call: Call) -> None:
    call.wait()


def hangs_up(_: Pacs, call: Call) -> None:
    call.hear()


def says(words: bytes) -> Hostile:
    def script(_: Pacs, call: Call) -> None:
        call.hear()
        call.say(words)
        call.wait()

    return Hostile(call=script)


def resets(_: Pacs, call: Call, number: int) -> None:
    """What is left of a peer that lost power and came back."""
    if number == 2:
        call.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise HangUp


def vanishes(_: Pacs, call: Call, number: int) -> None:
    """Half-open: the peer is gone, and nothing says so."""
    if number == 3:
        call.be_deaf()


def stops_within_the_acceptance(bytes_said: int) -> Hostile:
    def script(_: Pacs, call: Call, asked: AssociateRequest) -> None:
        results = tuple(ContextResult(c.id, 0, c.transfer_syntaxes[0]) for c in asked.contexts)
        call.say(pdu.encode(AssociateAccept(asked.called, asked.calling, results))[:bytes_said])
        call.wait()

    return Hostile(accept=script)


def stops_within_the_response(bytes_said: int) -> Hostile:
    def script(pacs: Pacs, call: Call, message: Message) -> None:
        pacs.take(message)
        call.say(pdu.encode(response(message))[:bytes_said])
        call.wait()

    return Hostile(store=script)


def drips_forever(_: Pacs, call: Call, message: Message) -> None:
    """Fragments with nothing in them: progress of a kind, but never an answer."""
    empty = pdu.encode(pdu.Data((pdu.Pdv(message.context_id, True, False, b""),)))
    while True:
        call.say(empty * 200)


def floods_and_never_reads(_: Pacs, call: Call, number: int) -> None:
    if number == 3:
        empty = pdu.encode(pdu.Data((pdu.Pdv(1, True, False, b""),)))
        while True:
            call.say(empty * 200)


ALONE = Then.LEFT_ALONE
QUIET = "says nothing for"

CASES = {
    "nothing listens": Case(Hostile(listens=False), ALONE, "nothing listens at that port; is the peer running"),
    "accepts the connection and never speaks": Case(Hostile(call=never_speaks), ALONE, QUIET, patience=SILENT),
    "hangs up at the association request": Case(Hostile(call=hangs_up), ALONE, "closed the connection without a word"),
    "answers in HTTP": Case(
        says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), ALONE, "it answers in HTTP: is this the port of a web server?"
    ),
    "answers with a TLS alert": Case(says(b"\x15\x03\x01\x00\x02\x02\x46"), ALONE, "set tls = true for it"),
    "answers as an SSH server": Case(says(b"SSH-2.0-OpenSSH_9.2p1\r\n"), ALONE, "unknown PDU type 53H"),
    "answers with zeros": Case(says(bytes(64)), ALONE, "unknown PDU type 00H"),
    "loses power while an instance comes, and is back": Case(
        Hostile(pdu=resets), ALONE, "closed the connection without a word"
    ),
    "vanishes while an instance comes (TCP half-open)": Case(
        Hostile(pdu=vanishes), Then.GOES_LAST, QUIET, patience=PATIENT, big=True
    ),
    "floods the line while it should read": Case(
        Hostile(pdu=floods_and_never_reads), Then.GOES_LAST, QUIET, patience=PATIENT, big=True
    ),
    "drips empty fragments instead of an answer": Case(Hostile(store=drips_forever), ALONE, QUIET, patience=SILENT),
    **{
        f"stops within the acceptance, after {what}": Case(
            stops_within_the_acceptance(number), ALONE, QUIET, patience=SILENT, rounds=1
        )
        for number, what in (
            (1, "the PDU type"),
            (4, "half of its length"),
            (6, "the PDU header"),
            (40, "half of the fixed fields"),
            (76, "an item header"),
            (-1, "all but its last byte"),
        )
    },
    **{
        f"stops within the response, after {what}": Case(
            stops_within_the_response(number), ALONE, QUIET, patience=SILENT, rounds=1
        )
        for number, what in (
            (1, "the PDU type"),
            (5, "all but the last byte of the length"),
            (6, "the PDU header"),
            (9, "half of the fragment's length"),
            (12, "the fragment's header"),
            (20, "half of an element of the command"),
            (-1, "all but its last byte"),
        )
    },
}
