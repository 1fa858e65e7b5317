"""Whoever calls the box and misbehaves is answered in the standard's words and let go; its PACS gets through all along.

Real sockets on loopback. The hostile callers come from 127.0.0.2, the PACS from 127.0.0.1.
"""

from __future__ import annotations

import logging
import socket
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from hostile import Line, event_report
from listening import served
from peers import need

from gateway.settings import Box
from gateway.settings import Listener as ListenerSettings
from gateway.transfer import elements
from gateway.transfer.association import dimse, pdu
from gateway.transfer.association.dimse import Field
from gateway.transfer.association.pdu import Abort, AssociateReject, AssociateRequest, Context, Data, Pdv
from gateway.transfer.calling import echo
from gateway.transfer.calling.peers import Peer
from gateway.transfer.committing.event_report import Report
from gateway.transfer.committing.listener import Listener
from gateway.transfer.committing.reception.admission import Limits
from gateway.transfer.names import IMPLICIT, PUSH_MODEL, VERIFICATION
from gateway.trial.ports import free_port

LIMITS = Limits(associations=6, waiting=8, rate=1000.0, burst=1000, request=0.4, patience=0.4, closing=0.3)
CONTEXTS = (Context(1, VERIFICATION, (IMPLICIT,)), Context(3, PUSH_MODEL, (IMPLICIT,)))
ASKED = AssociateRequest("GATEWAY", "HOSPITAL", CONTEXTS)
RAW = pdu.encode(ASKED)
Script = Callable[[Line], None]


class Kept(list[Report]):
    def take(self, report: Report, caller: str) -> None:
        self.append(report)


@pytest.fixture
def kept() -> Kept:
    return Kept()


def listening(kept: Kept, limits: Limits = LIMITS, addresses: tuple[str, ...] = ()) -> Listener:
    settings = ListenerSettings(host="127.0.0.1", port=free_port(), addresses=addresses)
    return Listener(Box(), settings, ["HOSPITAL"], kept.take, limits)


@pytest.fixture
def listener(kept: Kept, caplog: pytest.LogCaptureFixture) -> Iterator[Listener]:
    caplog.set_level(logging.INFO)
    with served(listening(kept)) as running:
        yield running


def call(listener: Listener, source: str = "127.0.0.2") -> Line:
    address = ("127.0.0.1", listener.port)
    return Line(socket.create_connection(address, timeout=10, source_address=(source, 0)))


def pacs_gets_through(listener: Listener) -> None:
    echo.echo(Peer("box", "GATEWAY", "127.0.0.1", listener.port, "HOSPITAL", 10.0))


def command(field: int, context_id: int = 1, sop_class: str = VERIFICATION, data: bool = False) -> Data:
    asked = dimse.request(Field.C_ECHO, 5, sop_class, data=data) | {dimse.Tag.COMMAND_FIELD: field}
    return Data((Pdv(context_id, True, True, dimse.encode(asked)),))


def established(line: Line) -> None:
    line.say(ASKED)
    assert isinstance(line.hear(), pdu.AssociateAccept)


def first(*words: pdu.Pdu | bytes) -> Script:
    return lambda line: line.say(*words)


def then(*words: pdu.Pdu | bytes) -> Script:
    def script(line: Line) -> None:
        established(line)
        line.say(*words)

    return script


def endless(fragment: Data) -> Script:
    def script(line: Line) -> None:
        established(line)
        line.say(command(Field.N_EVENT_REPORT, 3, PUSH_MODEL, data=True))
        try:
            for _ in range(100):
                line.say(fragment)
        except OSError:
            pass  # it was cut off in the middle, as it should

    return script


def answer_flood(line: Line) -> None:
    """Asks and asks and never takes an answer from its socket."""
    established(line)
    line.connection.settimeout(0.2)
    try:
        while True:
            line.connection.sendall(pdu.encode(command(Field.C_ECHO)) * 100)
    except OSError:
        line.connection.settimeout(10)


def reset(line: Line) -> None:
    line.say(RAW[:20])
    line.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.connection.close()


def half_closed(line: Line) -> None:
    established(line)
    line.connection.shutdown(socket.SHUT_WR)


def title(called: str = "GATEWAY", calling: str = "HOSPITAL", **more: object) -> AssociateRequest:
    return AssociateRequest(called, calling, CONTEXTS, **more)  # type: ignore[arg-type]


RELEASED = pdu.ReleaseReply()
CLOSED: tuple[pdu.Pdu, ...] = ()
# what the caller does, what it hears before the connection ends (None: whatever), what the log says
CASES: dict[str, tuple[Script, tuple[pdu.Pdu, ...] | None, str]] = {
    **{
        f"silence after byte {n} of the request": (first(RAW[:n]), CLOSED, "did not ask for an association")
        for n in (0, 1, 5, 6, 7, 79, 80, 120, len(RAW) - 1)
    },
    "speaks http": (first(b"GET / HTTP/1.1\r\n\r\n"), (Abort(0, 0),), "unknown PDU type 47H"),
    "4 GiB announced": (first(b"\x01\0\xff\xff\xff\xff"), (Abort(0, 0),), "4294967295 bytes, more than"),
    "request too long": (first(b"\x01\0\0\x01\0\0"), (Abort(0, 0),), "65536 bytes, more than"),
    "accepts uninvited": (first(pdu.AssociateAccept("A", "B", ())), (Abort(0, 0),), "A-ASSOCIATE-AC while waiting"),
    "rejects uninvited": (first(AssociateReject(1, 1, 1)), (Abort(0, 0),), "A-ASSOCIATE-RJ while waiting"),
    "data before the request": (first(command(Field.C_ECHO)), (Abort(0, 0),), "P-DATA-TF while waiting"),
    "release before the request": (first(pdu.ReleaseRequest()), (Abort(0, 0),), "A-RELEASE-RQ while waiting"),
    "abort before the request": (first(Abort(0, 0)), CLOSED, "aborted by the caller"),
    "called by another name": (first(title("OTHER")), (AssociateReject(1, 1, 7),), "it calls OTHER, but this box is"),
    "a stranger": (first(title(calling="STRANGER")), (AssociateReject(1, 1, 3),), "add it to 'peers'"),
    "a title with a line break": (first(title(calling="A\nB")), (AssociateReject(1, 1, 3),), "A?B at 127.0.0.2"),
    "another version": (first(title(version=2)), (AssociateReject(1, 2, 2),), "not version 1"),
    "another application": (first(title(application_context="1.2")), (AssociateReject(1, 1, 2),), "not DICOM"),
    "no context": (first(AssociateRequest("GATEWAY", "HOSPITAL", ())), (Abort(2, 6),), "0 presentation contexts"),
    "tiny PDUs": (first(title(user=pdu.UserInformation(7))), (Abort(2, 6),), "maximum PDU length of 7 bytes"),
    "asks twice": (then(ASKED), (Abort(2, 2),), "A-ASSOCIATE-RQ while established"),
    "a release nobody asked": (then(RELEASED), (Abort(2, 2),), "A-RELEASE-RP while established"),
    "data on another context": (then(command(Field.C_ECHO, 9)), (Abort(2, 6),), "context 9, which was not accepted"),
    "an answer nobody asked for": (then(command(0x8030)), (Abort(2, 6),), "a response 8030H"),
    "a command of garbage": (then(Data((Pdv(1, True, True, b"\x08\0garbage"),))), (Abort(2, 6),), "command set"),
    "a fragment longer than its PDU": (then(b"\x04\0\0\0\0\x06\0\0\0\xff\x01\x03"), (Abort(2, 6),), "says 255 bytes"),
    "half a message": (then(command(Field.C_STORE, data=True)), (Abort(0, 0),), "no whole message"),
    "half a PDU": (then(pdu.encode(command(Field.C_ECHO))[:-1]), (Abort(0, 0),), "no whole message"),
    "endless data": (endless(Data((Pdv(3, False, False, bytes(1 << 14)),))), None, "data set of more than"),
    "endless nothing": (endless(Data((Pdv(3, False, False, b""),))), (Abort(0, 0),), "no whole message"),
    "never listens": (answer_flood, None, "no whole message within"),
    "resets the connection": (reset, None, "the connection broke"),
    "half-closes the connection": (half_closed, CLOSED, "hung up without a word"),
    "aborts": (then(Abort(0, 0)), CLOSED, "aborted by the caller"),
    "data after the release": (then(pdu.ReleaseRequest(), command(Field.C_ECHO)), (RELEASED,), "released"),
    "a message too many": (then(command(Field.C_ECHO), pdu.ReleaseRequest()), None, "C-ECHO; released"),
}


@pytest.mark.parametrize("case", CASES)
def test_each_bad_caller_is_answered_named_and_let_go_and_the_pacs_gets_through(
    case: str, listener: Listener, kept: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    script, expected, words = CASES[case]
    line = call(listener)
    script(line)
    pacs_gets_through(listener)
    if line.connection.fileno() >= 0:
        heard = list(iter(line.hear, None)) if expected is not None else []
        assert expected is None or tuple(heard) == expected
    while not any(words in r.message for r in caplog.records):  # pytest's time-out ends it
        pacs_gets_through(listener)
    told = [r.message for r in caplog.records if "127.0.0.2" in r.message]
    assert len(told) == 1 and "\n" not in told[0]
    assert not kept
    line.connection.close()


@pytest.mark.parametrize("field", [Field.C_STORE, Field.C_FIND, Field.N_ACTION, Field.N_SET, 0x0110, 0x7777])
def test_what_the_box_does_not_do_is_refused_and_the_association_goes_on(field: int, listener: Listener) -> None:
    line = call(listener)
    established(line)
    for asked, status in ((command(field), 0x0211), (command(Field.C_ECHO), 0x0000)):
        line.say(asked)
        message = line.message()
        assert message is not None
        assert (message.status, message.answers) == (status, 5)
    line.connection.close()


@pytest.mark.parametrize("information", [b"", b"garbage", elements.action("", [], IMPLICIT), bytes(2) + b"\xff" * 500])
def test_a_report_that_cannot_be_read_is_refused_and_not_taken(
    information: bytes, listener: Listener, kept: Kept
) -> None:
    line = call(listener)
    established(line)
    line.say(event_report(3, 1, information))
    message = line.message()
    assert message is not None and message.status == 0x0115
    assert not kept
    line.connection.close()


def test_many_requests_ahead_are_answered_one_by_one_in_their_order(listener: Listener, kept: Kept) -> None:
    line = call(listener)
    established(line)
    line.say(*[event_report(3, 1, elements.action(f"1.{n}", [("1.2", f"2.{n}")], IMPLICIT), n) for n in range(1, 300)])
    answers = [line.message() for _ in range(1, 300)]
    assert [m and (m.answers, m.status) for m in answers] == [(n, 0) for n in range(1, 300)]
    assert [r.transaction_uid for r in kept] == [f"1.{n}" for n in range(1, 300)]
    line.connection.close()


def test_a_storm_of_connections_leaves_the_box_answering_its_pacs(
    listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    with ExitStack() as stack:
        for _ in range(30):
            for _ in range(10):
                stack.callback(call(listener).connection.close)
            pacs_gets_through(listener)
            assert len(listener._calls) <= LIMITS.waiting + LIMITS.associations + 1
    told = [r for r in caplog.records if "127.0.0.2" in r.message]
    assert len(told) <= 15


def test_no_address_keeps_all_associations_and_one_that_calls_too_often_is_put_off(kept: Kept) -> None:
    with served(listening(kept, Limits(associations=4, rate=0.0, burst=4))) as running, ExitStack() as stack:
        answers = []
        for _ in range(6):
            line = call(running)
            stack.callback(line.connection.close)
            line.say(ASKED)
            answers.append(line.hear())
        assert [isinstance(a, pdu.AssociateAccept) for a in answers] == [True] * 2 + [False] * 4
        assert answers[2:] == [AssociateReject(2, 3, 2)] * 2 + [AssociateReject(2, 3, 1)] * 2
        pacs_gets_through(running)


def test_strangers_who_keep_all_associations_make_way_for_the_pacs(kept: Kept) -> None:
    """Of whom has most the one goes that has been silent for longest; it is told so."""
    with served(listening(kept, Limits(associations=4))) as running, ExitStack() as stack:
        lines = [call(running, source) for source in ("127.0.0.2", "127.0.0.2", "127.0.0.3", "127.0.0.3")]
        for line in lines:
            stack.callback(line.connection.close)
            established(line)
        pacs_gets_through(running)
        assert lines[0].hear() == Abort(0, 0)
        for line in lines[1:]:
            line.say(command(Field.C_ECHO))
            assert line.message() is not None


def test_an_address_that_is_not_listed_gets_no_association(kept: Kept) -> None:
    with served(listening(kept, addresses=("127.0.0.1/32",))) as running:
        line = call(running)
        line.say(ASKED)
        assert line.hear() == AssociateReject(1, 1, 1)
        line.connection.close()
        pacs_gets_through(running)


def test_dcmtk_echoes_and_hears_why_it_may_not(listener: Listener) -> None:
    program = need("echoscu")
    right = [program, "-aet", "HOSPITAL", "-aec", "GATEWAY", "127.0.0.1", str(listener.port)]
    assert subprocess.run(right, check=False, capture_output=True, timeout=30).returncode == 0
    wrong = [program, "-aet", "STRANGER", *right[3:]]
    said = subprocess.run(wrong, check=False, capture_output=True, text=True, timeout=30)
    assert said.returncode != 0
    assert "Calling AE Title Not Recognized" in said.stdout + said.stderr
