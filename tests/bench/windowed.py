"""A peer that grants an asynchronous operations window, as neither DCMTK nor Orthanc does, and keeps nothing.

``python -m tests.bench.windowed HOST PORT``. (pynetdicom's acceptor can be made to grant one, but needs so long for
each instance that it would hide the link.)
"""

from __future__ import annotations

import contextlib
import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from hostile import Line

from gateway.transfer.association.pdu import AssociateAccept, AssociateRequest, ContextResult, UserInformation

WINDOW = 8


def main(host: str, port: str) -> None:
    server = socket.create_server((host, int(port)))
    while True:
        connection, _ = server.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection, contextlib.suppress(OSError):
            serve(Line(connection))


def serve(line: Line) -> None:
    asked = line.hear()
    if not isinstance(asked, AssociateRequest):
        return  # somebody only looked whether we listen
    results = tuple(ContextResult(c.id, 0, c.transfer_syntaxes[0]) for c in asked.contexts)
    window = (WINDOW, 1) if asked.user.window else None
    line.say(AssociateAccept(asked.called, asked.calling, results, UserInformation(1 << 14, window=window)))
    while (message := line.message()) is not None:
        line.respond(message)


if __name__ == "__main__":
    main(*sys.argv[1:])
