"""Peers that the box calls, byte by byte, against the requestor's core: association, negotiation, messages, outcomes.

The socket is replaced by one that brings what the peer says, however cut, and that breaks or falls silent. Held of
every input: an outcome or one of the gateway's errors comes out, never another; what is held of a peer has a bound;
what is said of it is one line.
"""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence

from gateway.errors import GatewayError
from gateway.model import InstanceRef
from gateway.transfer import elements
from gateway.transfer.association import dimse, inbox, machine, pdu
from gateway.transfer.association.connection import RECEIVED, Buffer
from gateway.transfer.association.dimse import LARGEST_COMMAND, LARGEST_DATA_SET, RESPONSE, Field, Tag
from gateway.transfer.association.machine import Association, State
from gateway.transfer.association.pdu import ProtocolError
from gateway.transfer.association.reader import HEADER, LARGEST
from gateway.transfer.calling import echo, outcomes, requestor, syntaxes
from gateway.transfer.calling.outcomes import Outcome
from gateway.transfer.calling.peers import Peer
from gateway.transfer.calling.requestor import Requestor
from gateway.transfer.committing import commitment
from gateway.transfer.committing.event_report import Answer, Report
from gateway.transfer.names import CLASSES, EXPLICIT, PUSH_MODEL, SYNTAXES
from gateway.transfer.storing import sending
from tests.fuzz.said import CLASS, REPORTS, USERS, cut, event_report, in_one, message, sample, stream

PEER = Peer("pacs", "PACS", "192.0.2.7", 104, "GATEWAY", timeout=30.0, operations=4)
_PUSH = syntaxes.pairs(PUSH_MODEL)
_ECHO = [(uid, syntax) for uid in CLASSES for syntax in SYNTAXES]
_STORE = [(CLASS, EXPLICIT)]


def accept(pairs: Sequence[tuple[str, str]], user: pdu.UserInformation, result: int = 0) -> pdu.AssociateAccept:
    results = tuple(pdu.ContextResult(2 * i + 1, result, syntax) for i, (_, syntax) in enumerate(pairs))
    return pdu.AssociateAccept("PACS", "GATEWAY", results, user)


def _answer(field: int, status: int, number: int = 1, **more: int | str) -> list[pdu.Data]:
    command = {Tag.COMMAND_FIELD: field | RESPONSE, Tag.MESSAGE_ID_BEING_RESPONDED_TO: number, Tag.STATUS: status}
    extra = {Tag[name.upper()]: value for name, value in more.items()}
    return message(1, command | {Tag.DATA_SET_TYPE: dimse.NO_DATA_SET} | extra)


OPENINGS = {
    len(pairs): (
        *(sample(accept(pairs, user)) for user in USERS * 2),
        sample(accept(pairs, USERS[1], result=3)),
    )
    for pairs in (_PUSH, _ECHO, _STORE)
}
ANSWERS = (
    *(
        sample(*_answer(field, status))
        for field in (Field.C_STORE, Field.C_ECHO, Field.N_ACTION)
        for status in (0, 0xA700, 0xB000, 0xFFFF)
    ),
    sample(*_answer(Field.C_STORE, 0xC000, error_comment="no\nroom " * 40)),
    sample(*_answer(Field.C_STORE, 0, 2), *_answer(Field.C_STORE, 0, 3)),
    sample(in_one(_answer(Field.C_STORE, 0) * 300)),
    *(sample(*event_report(3 if context == 3 else 1, kind, data)) for context, kind, data in REPORTS),
    sample(in_one(event_report(3, *REPORTS[0][1:], size=50))),
    sample(pdu.Data(tuple(pdu.Pdv(1, False, False, b"") for _ in range(50)))),
)
MOST_UNSAID = requestor.UNSAID + LARGEST_COMMAND * 2  # a response names the UIDs it was asked with


class Scripted:
    """A connection that brings ``pieces`` and ends as ``chance`` will have it; what is written goes nowhere."""

    def __init__(self, chance: random.Random, pieces: Iterator[bytes]) -> None:
        self._chance, self._pieces = chance, pieces
        self._next = next(pieces, None)
        self._end = chance.choice(("silence", "closed", "reset"))

    def describe(self) -> str:
        return ""

    def deadline(self) -> float:
        return time.monotonic() + 30.0

    def readable(self, deadline: float) -> bool:
        return self._next is not None or self._end != "silence"

    def receive(self) -> bytes | None:
        data, self._next = self._next, next(self._pieces, None)
        if data is None and self._end == "reset":
            raise ConnectionResetError(104, "Connection reset by peer")
        return data if data is not None else b""

    def write(self, buffers: Sequence[Buffer], hear: Callable[[], None]) -> None:
        if self._next is not None and self._chance.random() < 0.3:
            hear()
        if self._chance.random() < 0.01:
            raise self._chance.choice((TimeoutError(), BrokenPipeError(32, "Broken pipe")))

    def close(self, last_words: bytes = b"") -> None:
        assert len(last_words) <= MOST_UNSAID

    def cut(self) -> None:
        pass


def held(one: Requestor) -> None:
    """What is in memory of a peer, after it was heard."""
    association, assembler = one._association, one._assembler
    assert association._reader.waiting <= max(LARGEST.values()) + HEADER + RECEIVED
    assert len(assembler._parts) <= max(LARGEST_COMMAND, LARGEST_DATA_SET)
    assert len(one._inbox) <= inbox.UNREAD
    assert one._inbox.size <= LARGEST_DATA_SET
    assert len(association.out) <= MOST_UNSAID, f"{len(association.out)} bytes wait to be said"


@contextlib.contextmanager
def called(chance: random.Random, whole: bytes) -> Iterator[None]:
    """Whoever calls a peer meets one that says ``whole``."""
    connect, receive = requestor.connect, Requestor._receive

    def watched(self: Requestor) -> None:
        receive(self)
        held(self)

    requestor.connect = lambda _: Scripted(chance, cut(chance, whole))  # type: ignore[assignment,return-value]
    Requestor._receive = watched  # type: ignore[method-assign]
    try:
        yield
    finally:
        requestor.connect, Requestor._receive = connect, receive  # type: ignore[method-assign]


def line(words: str) -> None:
    assert words.isprintable() and len(words) < 1000, f"no line for a log: {words[:200]!r}"


def commit(chance: random.Random, instance: InstanceRef) -> None:
    reports: list[Report] = []

    def take(report: Report) -> Answer | None:
        if chance.random() < 0.1:
            raise OSError(28, "No space left on device")
        reports.append(report)
        return None

    with called(chance, stream(chance, OPENINGS[len(_PUSH)], ANSWERS)):
        outcome = commitment.request(PEER, "1.2.3.4", [instance] * 3, take, 0.001)
    line(outcome.words)
    assert all(r.transaction_uid for r in reports)


def greet(chance: random.Random, _instance: InstanceRef) -> None:
    with called(chance, stream(chance, OPENINGS[len(_ECHO)], ANSWERS)):
        try:
            found = echo.echo(PEER)
        except GatewayError as error:
            line(str(error))
        else:
            assert found.accepted


def store(chance: random.Random, instance: InstanceRef) -> None:
    """Each instance has at most one outcome; those without one still wait."""
    instances = [instance] * chance.randrange(1, 7)
    waiting, told = sending.Waiting(instances), list[Outcome]()
    with called(chance, stream(chance, OPENINGS[len(_STORE)], ANSWERS)):
        try:
            for _, outcome in sending.send_all(PEER, _STORE, waiting, None):
                told.append(outcome)
        except outcomes.Failed as failed:
            told.append(failed.outcome)
            line(failed.outcome.words)
            assert len(told) - 1 + len(waiting) == len(instances)
        else:
            assert len(told) + len(waiting) == len(instances)
    for outcome in told:
        line(outcome.words)


def machine_in_any_state(chance: random.Random, _instance: InstanceRef) -> None:
    """The pure machine, put where an association may be."""
    association, assembler = Association(), dimse.Assembler()
    association.state = chance.choice([s for s in State if s is not State.IDLE])
    try:
        for piece in cut(chance, stream(chance, OPENINGS[len(_STORE)], ANSWERS)):
            for happening in association.receive(piece):
                if isinstance(happening, pdu.Pdv) and (found := assembler.feed(happening)) is not None:
                    line(found.comment)
                    _ = found.answers, found.field & RESPONSE and found.status
                assert not isinstance(happening, machine.Lost)
    except ProtocolError as error:
        line(str(error))
    assert association._reader.waiting <= max(LARGEST.values()) + HEADER + RECEIVED
    assert len(association.out) < 100


SCENES = (commit, commit, greet, store, store, machine_in_any_state)
_instance: InstanceRef | None = None


def one(chance: random.Random) -> None:
    """One input. Raises whatever must not come out."""
    global _instance  # noqa: PLW0603  a file for each process, not for each input
    if _instance is None:
        _instance = a_file()
    chance.choice(SCENES)(chance, _instance)


def a_file(more: int = 0) -> InstanceRef:
    """The smallest DICOM file that the sender takes, and so many bytes ``more``; it lies in memory."""
    meta = b"".join(
        elements._element(tag, vr, value, EXPLICIT)
        for tag, vr, value in (
            (0x0002_0002, b"UI", elements._uid(CLASS)),
            (0x0002_0003, b"UI", elements._uid("1.2.3")),
            (0x0002_0010, b"UI", elements._uid(EXPLICIT)),
        )
    )
    group = elements._element(0x0002_0000, b"UL", len(meta).to_bytes(4, "little"), EXPLICIT)
    data = elements._element(0x0008_0018, b"UI", elements._uid("1.2.3"), EXPLICIT)
    file = os.memfd_create("instance.dcm")
    os.write(file, bytes(128) + b"DICM" + group + meta + data + bytes(more))
    return InstanceRef(CLASS, "1.2.3", EXPLICIT, f"/proc/self/fd/{file}")
