"""A peer under TLS, through a real connection of loopback: what it says is damaged within TLS, or on the wire itself.

The peer lives in this thread: it says more whenever the box is about to wait. Its handshake is real, or goes wrong at
any byte; then it says what tests.fuzz.requestor's peers do, in records of any size, and ends in each way there is. All
but TLS' own random numbers follows from the seed.

Held of every input: one outcome for each instance, in one line, and nothing else; what is held of the peer has a bound.
"""

from __future__ import annotations

import contextlib
import random
import socket
import ssl
import struct
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the tests' builders import each other by bare names
from authority import Authority

from gateway.model import InstanceRef
from gateway.transfer.association.connection import Connection
from gateway.transfer.calling.peers import Peer, Security
from gateway.transfer.calling.requestor import Requestor
from gateway.transfer.storing import store
from tests.fuzz.requestor import ANSWERS, OPENINGS, a_file, held, line
from tests.fuzz.said import CLASS, cut, stream

PLAIN = (
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    b"\x03\0\0\0\0\x04\0\x01\x01\x01",
    b"\x15\x03\x01\0\x02\x02\x28",
    b"\0" * 99,
)
SLICES = 4096  # bytes read of the box at a time
LARGE = 600_000  # bytes


@cache
def _known() -> tuple[ssl.SSLContext, Security]:
    """The peer's side, and what the box knows of it; made once for each process."""
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority(Path(folder) / "ca")
        signed = authority.sign("pacs")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(signed.certificate, signed.key)
        ca = Path(tempfile.mkstemp(prefix="fuzz-ca-")[1])
        ca.write_bytes(Path(authority.ca).read_bytes())
    return context, Security(str(ca), "", "", "")


@cache
def _instances() -> tuple[InstanceRef, InstanceRef]:
    return a_file(), a_file(LARGE)


class Other:
    """The peer's end of one connection."""

    def __init__(self, chance: random.Random, connection: socket.socket, whole: bytes) -> None:
        self._chance, self._connection = chance, connection
        connection.setblocking(False)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = _known()[0].wrap_bio(self._in, self._out, server_side=True)
        self._pieces = cut(chance, whole)
        self._shaken = self.over = False
        self._harm = chance.choice((0.0, 0.0, 0.0, 0.02, 0.2))
        self._end = chance.choice(("silence", "close_notify", "closed", "reset"))
        self._plain = chance.random() < 0.05

    def more(self) -> None:
        """Take what the box has said, and say the next thing."""
        if self.over:
            return
        self._hear()
        try:
            self._speak()
        except ssl.SSLWantReadError:
            pass
        except (ssl.SSLError, ValueError):  # the box does not like it; its words were heard
            self._finish("closed")
        self._say(self._out.read())

    def _hear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while data := self._connection.recv(SLICES):
                self._in.write(data)
            self._in.write_eof()

    def _speak(self) -> None:
        if self._plain:
            self._say(self._chance.choice(PLAIN))
            self._finish(self._end)
        elif not self._shaken:
            self._tls.do_handshake()
            self._shaken = True
        else:
            with contextlib.suppress(ssl.SSLWantReadError):
                while self._tls.read(1 << 14):
                    pass
            for _ in range(self._chance.randrange(1, 30)):
                if (piece := next(self._pieces, None)) is None:
                    self._finish(self._end)
                    return
                self._tls.write(piece)

    def _say(self, data: bytes) -> None:
        if data and self._chance.random() < self._harm:
            at = self._chance.randrange(len(data))
            match self._chance.randrange(4):
                case 0:
                    data = data[:at]
                case 1:
                    data = data[:at] + bytes((data[at] ^ 1 << self._chance.randrange(8),)) + data[at + 1 :]
                case 2:
                    data = data[:at] + self._chance.randbytes(20) + data[at:]
                case _:
                    data += data
        with contextlib.suppress(OSError):
            self._connection.sendall(data)

    def _finish(self, how: str) -> None:
        self.over = True
        with contextlib.suppress(ssl.SSLError, ValueError):
            if how == "close_notify" and self._shaken:
                self._tls.unwrap()
        self._say(self._out.read())
        if how == "reset":
            self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if how != "silence":
            self._connection.close()


@contextlib.contextmanager
def called(chance: random.Random, whole: bytes) -> Iterator[Peer]:
    """A peer of its own connection; who waits for it is told at once that nothing comes, if nothing will."""
    ready, receive = Connection._ready, Requestor._receive
    others: list[Other] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def at_once(self: Connection, wanted: int, deadline: float) -> int:
            if not others:
                others.append(Other(chance, server.accept()[0], whole))
            for _ in range(3):
                if found := ready(self, wanted, 0.0):
                    return found
                others[0].more()
            return ready(self, wanted, 0.0)

        def watched(self: Requestor) -> None:
            receive(self)
            held(self)

        Connection._ready, Requestor._receive = at_once, watched  # type: ignore[method-assign]
        try:
            yield Peer("pacs", "PACS", "127.0.0.1", port, "GATEWAY", 30.0, 1, chance.choice((1, 4)), _known()[1])
        finally:
            Connection._ready, Requestor._receive = ready, receive  # type: ignore[method-assign]
            for other in others:
                other._connection.close()


def one(chance: random.Random) -> None:
    """One input. Raises whatever must not come out."""
    small, large = _instances()
    instances = [small] * chance.randrange(1, 4) + [large] * (chance.random() < 0.2)
    with called(chance, stream(chance, OPENINGS[1], ANSWERS)) as peer:
        told = list(store.send(peer, instances))
    assert len(told) == len(instances)
    assert {i.sop_class_uid for i, _ in told} == {CLASS}
    for _, outcome in told:
        line(outcome.words)
