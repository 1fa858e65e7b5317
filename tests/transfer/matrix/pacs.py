"""A PACS on a real port: it stores, commits and reports as PS3.4 says, except where a :class:`Hostile` says otherwise.

It keeps what it took as SHA-256 of the data set, so that the judge can compare it with the spool.
"""

from __future__ import annotations

import hashlib
import select
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

import hostile
from hostile import Line
from pydicom import Dataset

from gateway.transfer import dataset, elements
from gateway.transfer.association import dimse, pdu
from gateway.transfer.association.dimse import Field, Message, Tag
from gateway.transfer.association.pdu import AssociateAccept, AssociateRequest, Context, ContextResult, UserInformation
from gateway.transfer.names import IMPLICIT, PUSH_MODEL

NO_SUCH_INSTANCE = 0x0112
ECG = "1.2.840.10008.5.1.4.1.1.9.1.2"


class HangUp(Exception):
    """Close the connection without a word."""


class Call(Line):
    """One connection of the box."""

    asked = AssociateRequest("", "", ())

    def __init__(self, connection: socket.socket) -> None:
        super().__init__(connection)
        self.unanswered: list[Message] = []
        self.committing = (0, IMPLICIT)  # context of the last commitment request, and its transfer syntax

    def syntax(self, context_id: int) -> str:
        return next(c.transfer_syntaxes[0] for c in self.asked.contexts if c.id == context_id)

    def wait(self) -> None:
        """Say nothing until the box ends it."""
        while self.connection.recv(1 << 16):
            pass

    def comes_more(self) -> bool:
        """Whether the box says more within a moment."""
        return bool(self._arrived or select.select([self.connection], [], [], 0.2)[0])

    def be_deaf(self) -> None:
        """Neither read nor say anything, until the test is over."""
        over = select.poll()
        over.register(self.connection, select.POLLRDHUP)
        over.poll(30_000)
        raise HangUp


@dataclass(frozen=True)
class Hostile:
    """What is done instead of what a PACS should do; None = as it should."""

    listens: bool = True
    call: Callable[[Pacs, Call], None] | None = None  # at the connection
    accept: Callable[[Pacs, Call, AssociateRequest], None] | None = None  # instead of A-ASSOCIATE-AC
    pdu: Callable[[Pacs, Call, int], None] | None = None  # before the n-th fragment of each message is looked at
    store: Callable[[Pacs, Call, Message], None] | None = None  # instead of the C-STORE response
    commit: Callable[[Pacs, Call, Message], None] | None = None  # instead of the N-ACTION response and the report
    release: Callable[[Pacs, Call], None] | None = None  # instead of A-RELEASE-RP
    victim: bool = False  # ``store`` concerns one instance only, the oldest in the queue


@dataclass(frozen=True)
class Report:
    """What a commitment report says."""

    transaction: str
    committed: Sequence[str]
    failed: dict[str, int] = field(default_factory=dict)

    def encoded(self, syntax: str = IMPLICIT) -> bytes:
        event = Dataset()
        event.TransactionUID = self.transaction
        event.ReferencedSOPSequence = [_item(uid) for uid in self.committed]
        if self.failed:
            event.FailedSOPSequence = [_item(uid, reason) for uid, reason in self.failed.items()]
        return dataset.encode(event, syntax)

    def pdu(self, context_id: int, syntax: str = IMPLICIT) -> pdu.Data:
        return hostile.event_report(context_id, 2 if self.failed else 1, self.encoded(syntax))


class Pacs:
    def __init__(self, ae_title: str) -> None:
        self.ae_title = ae_title
        self.box = 0  # the port that it reports to
        self.hostile = Hostile()
        self.victim = ""
        self.kept: dict[str, str] = {}  # SHA-256 by SOP Instance UID
        self.taken: list[tuple[str, str]] = []  # the same, as it came
        self.offered: list[str] = []  # SOP Instance UIDs of whole C-STORE requests
        self.asked: list[tuple[str, list[str]]] = []  # Transaction UID and what it asked for
        self.owed: list[Report] = []  # reports that come later
        self.answers: list[tuple[str, int | None]] = []  # how the box answered the report on it; None: no association
        self.busy = threading.Semaphore()  # for those that take one association only
        self.rejected = threading.Event()
        self._pool = ThreadPoolExecutor(8)
        self._reporting: list[Future[None]] = []
        self._server = ExitStack()
        self.port = self._server.enter_context(hostile.peer(self._serve))

    def open(self) -> None:
        """Listen, on the port it had."""
        self._server.close()
        self._server.enter_context(hostile.peer(self._serve, self.port))

    def shut(self) -> None:
        """Nothing listens at that port any more, and nobody else gets it meanwhile."""
        self._server.close()
        kept = self._server.enter_context(socket.socket())
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind(("127.0.0.1", self.port))

    def settle(self) -> None:
        """Wait until all reports that it owes are out."""
        while self._reporting:
            wait([reporting := self._reporting.pop(0)], 30)
            reporting.result()

    def close(self) -> None:
        self._server.close()
        self._pool.shutdown()

    def take(self, message: Message) -> None:
        """Keep the instance."""
        uid, digest = named(message), hashlib.sha256(message.data or b"").hexdigest()
        self.taken.append((uid, digest))
        self.kept.setdefault(uid, digest)

    def note(self, call: Call, message: Message) -> Report:
        """The report on what this N-ACTION asks for, as honest as can be."""
        asked = elements.read(message.data or b"", call.syntax(message.context_id))
        items = asked.sequences[elements.REFERENCED_SOP_SEQUENCE]
        uids = [item.uid(elements.SOP_INSTANCE_UID) for item in items]
        self.asked.append((asked.uid(elements.TRANSACTION_UID), uids))
        return self.report(*self.asked[-1])

    def report(self, transaction: str, uids: Sequence[str]) -> Report:
        missing = {uid: NO_SUCH_INSTANCE for uid in uids if uid not in self.kept}
        return Report(transaction, [uid for uid in uids if uid not in missing], missing)

    def respond_and_report(self, call: Call, message: Message, *reports: Report, **how: Any) -> None:
        """On associations of its own, at once after the response."""
        responded = threading.Event()

        def deliver() -> None:
            responded.wait(10)
            for report in reports:
                self.deliver(report, **how)

        self._reporting.append(self._pool.submit(deliver))
        call.respond(message)
        responded.set()

    def deliver(self, report: Report, calling: str = "", source: str = "127.0.0.1", roles: bool = True) -> None:
        """One report on a new association; the box's answer is noted."""
        role = (pdu.Role(PUSH_MODEL, False, True),) if roles else ()
        user = UserInformation(roles=role)
        try:
            with socket.create_connection(("127.0.0.1", self.box), 10, (source, 0)) as connection:
                line = Line(connection)
                line.say(
                    AssociateRequest("GATEWAY", calling or self.ae_title, (Context(1, PUSH_MODEL, (IMPLICIT,)),), user)
                )
                answer = None
                if isinstance(line.hear(), AssociateAccept):
                    line.say(report.pdu(1))
                    answer = line.message()
                    line.say(pdu.ReleaseRequest())
                    line.hear()
        except OSError:
            answer = None
        self.answers.append((report.transaction, answer and answer.status))

    def _serve(self, line: Line) -> None:
        call, how = Call(line.connection), self.hostile
        with suppress(HangUp):
            self._converse(call, how)

    def _converse(self, call: Call, how: Hostile) -> None:
        if how.call is not None:
            how.call(self, call)
            return
        asked = call.hear()
        if not isinstance(asked, AssociateRequest):
            return
        call.asked = asked
        (how.accept or accept)(self, call, asked)
        assembler, number = dimse.Assembler(1 << 26), 0
        while isinstance(arrived := call.hear(), pdu.Data):
            for fragment in arrived.pdvs:
                number += 1
                if how.pdu is not None:
                    how.pdu(self, call, number)
                message = assembler.feed(fragment)
                if message is not None:
                    number = 0
                    self._answer(call, message, how)
        if isinstance(arrived, pdu.ReleaseRequest):
            (how.release or release)(self, call)

    def _answer(self, call: Call, message: Message, how: Hostile) -> None:
        if message.field == Field.C_STORE:
            self.offered.append(named(message))
            concerned = how.store is not None and (not how.victim or named(message) == self.victim)
            (how.store if concerned and how.store else store)(self, call, message)
        elif message.field == Field.N_ACTION:
            (how.commit or commit)(self, call, message)
        elif message.field == Field.N_EVENT_REPORT | dimse.RESPONSE:
            self.answers.append(("on the same association", message.status))
        else:
            call.respond(message)


def named(message: Message) -> str:
    """SOP Instance UID of a C-STORE request."""
    return str(message.command[Tag.AFFECTED_SOP_INSTANCE_UID])


def accept(_: Pacs, call: Call, asked: AssociateRequest, **user: object) -> None:
    """Every context; ``user``: what else to say in the user information."""
    results = tuple(ContextResult(c.id, 0, c.transfer_syntaxes[0]) for c in asked.contexts)
    information = UserInformation(**{"roles": asked.user.roles, "window": asked.user.window} | user)  # type: ignore[arg-type]
    call.say(AssociateAccept(asked.called, asked.calling, results, information))


def store(pacs: Pacs, call: Call, message: Message) -> None:
    pacs.take(message)
    call.respond(message)


def commit(pacs: Pacs, call: Call, message: Message) -> None:
    pacs.respond_and_report(call, message, pacs.note(call, message))


def release(_: Pacs, call: Call) -> None:
    call.say(pdu.ReleaseReply())


def _item(uid: str, reason: int | None = None) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = ECG, uid
    if reason is not None:
        item.FailureReason = reason
    return item
