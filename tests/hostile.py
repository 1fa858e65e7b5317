"""Peers that behave badly, byte by byte: what a script says instead of a PACS."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

from gateway.transfer.association import dimse, pdu
from gateway.transfer.association.dimse import Field, Tag
from gateway.transfer.association.pdu import AssociateAccept, AssociateRequest, ContextResult, Pdv, UserInformation
from gateway.transfer.association.reader import Reader


class Line:
    """The peer's end of one connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._reader = Reader()
        self._arrived: list[pdu.Pdu] = []
        self._assembler = dimse.Assembler()

    def hear(self) -> pdu.Pdu | None:
        """The next PDU, or None at the end of the connection."""
        while not self._arrived:
            data = self.connection.recv(1 << 16)
            if not data:
                return None
            self._arrived += self._reader.feed(data)
        return self._arrived.pop(0)

    def say(self, *pdus: pdu.Pdu | bytes) -> None:
        for each in pdus:
            self.connection.sendall(each if isinstance(each, bytes) else pdu.encode(each))

    def accept(
        self, max_length: int = 1 << 14, refuse: tuple[str, ...] = (), refuse_syntax: tuple[str, ...] = ()
    ) -> AssociateRequest:
        """Accept every context but those of the classes and of the transfer syntaxes that are to be refused."""
        asked = self.hear()
        assert isinstance(asked, AssociateRequest)
        results = tuple(
            ContextResult(
                c.id,
                3 if c.abstract_syntax in refuse else 4 if c.transfer_syntaxes[0] in refuse_syntax else 0,
                c.transfer_syntaxes[0],
            )
            for c in asked.contexts
        )
        self.say(AssociateAccept(asked.called, asked.calling, results, UserInformation(max_length)))
        return asked

    def message(self) -> dimse.Message | None:
        """The next whole message; None when the peer releases (answered) or ends the association."""
        while True:
            arrived = self.hear()
            if isinstance(arrived, pdu.ReleaseRequest):
                self.say(pdu.ReleaseReply())
                return None
            if not isinstance(arrived, pdu.Data):
                return None
            for fragment in arrived.pdvs:
                if (message := self._assembler.feed(fragment)) is not None:
                    return message

    def respond(self, message: dimse.Message, status: int = 0, message_id: int | None = None) -> None:
        self.say(response(message, status, message_id))


def response(message: dimse.Message, status: int = 0, message_id: int | None = None) -> pdu.Data:
    """The response to ``message``, or a lie about which message it answers."""
    command: dict[Tag, int | str] = {
        Tag.COMMAND_FIELD: message.field | dimse.RESPONSE,
        Tag.MESSAGE_ID_BEING_RESPONDED_TO: message_id or dimse.number(message.command, Tag.MESSAGE_ID),
        Tag.DATA_SET_TYPE: dimse.NO_DATA_SET,
        Tag.STATUS: status,
    }
    return pdu.Data((Pdv(message.context_id, True, True, dimse.encode(command)),))


def event_report(context_id: int, event_type: int, information: bytes, message_id: int = 7) -> pdu.Data:
    """An N-EVENT-REPORT-RQ of storage commitment."""
    uids = ("1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1")
    command = dimse.request(Field.N_EVENT_REPORT, message_id, *uids, data=True)
    command[Tag.EVENT_TYPE_ID] = event_type
    return pdu.Data(
        (Pdv(context_id, True, True, dimse.encode(command)), Pdv(context_id, False, True, information)),
    )


@contextlib.contextmanager
def peer(script: Callable[[Line], None], port: int = 0) -> Iterator[int]:
    """A server on 127.0.0.1 that plays ``script`` on each connection; gives its port. Errors of the script show."""
    server = socket.create_server(("127.0.0.1", port))
    ended, failures = threading.Event(), list[BaseException]()
    lines: list[threading.Thread] = []
    open_now: list[socket.socket] = []

    def play(connection: socket.socket) -> None:
        with connection:
            try:
                script(Line(connection))
            except OSError:
                pass  # the other side may hang up at any moment
            except BaseException as error:
                failures.append(error)

    def serve() -> None:
        while not ended.is_set():
            try:
                connection, _ = server.accept()
            except OSError:
                return  # it was shut down
            connection.settimeout(20)
            open_now.append(connection)
            lines.append(threading.Thread(target=play, args=(connection,), daemon=True))
            lines[-1].start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        ended.set()
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        for connection in open_now:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for line in lines:
            line.join(5)
        server.close()
    if failures:
        raise failures[0]
