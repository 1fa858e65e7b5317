"""HTTP/1.1 (RFC 9112) on one connection that is kept: requests of known length, as streams; answers that are bounded.

The connection is the association's own (progress time-outs, and the peer is heard while we write): a server that says
"too large" or "not authorized" at the first bytes is understood then, and not after 200 MB or never. ``http.client``
reads the answers; its own sending part would only hear them at the end.
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import re
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from email.message import Message

from gateway.transfer.association.connection import Buffer, Connection
from gateway.transfer.calling import outcomes, tls
from gateway.transfer.calling.outcomes import Failed, Outcome
from gateway.transfer.calling.peers import Peer
from gateway.transfer.dicomweb.stream import HEADERS, READ, Reader, Stream, TooMuch, decoded, whole

MOST = 4 << 20  # bytes of an answer that is kept whole
_SLOWEST = 10_000  # bytes a second: what comes slower is no progress
_INTERIM = re.compile(rb"HTTP/1\.[01] 1\d\d[^\r\n]*\r?\n(?:[^\r\n]+\r?\n)*\r?\n")
_BEGINS_INTERIM = re.compile(rb"HTTP/1\.[01] 1")
_LONGEST_INTERIM = 4096
# What is wrong with an answer, by http.client's exception. The server's own bytes may say anything: not quoted.
_NOT_HTTP = {
    "BadStatusLine": "no status line",
    "UnknownProtocol": "another protocol",
    "LineTooLong": "a line without an end",
    "HTTPException": "headers without an end",
}


@dataclass(frozen=True, slots=True)
class Request:
    """``blocks`` makes the body anew whenever it is asked; it has exactly ``length`` bytes."""

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int = 0
    blocks: Callable[[], Iterable[Buffer]] = tuple


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. ``early``: it came before the request was out, the rest of which was not sent."""

    status: int
    headers: Message
    body: bytes
    early: bool = False

    @property
    def media_type(self) -> str:
        return self.headers.get_content_type() if self.headers.get("Content-Type") else ""


Take = Callable[[int, Message, Callable[[], bytes]], None]  # status, headers, the next bytes of the body (b"" = end)


class _Answered(Exception):
    """The server's answer has begun while the request was still being sent."""


class _Stale(Exception):
    """A kept connection that the server has closed meanwhile: nothing of this request was answered."""


class Line:
    """All methods raise Failed with the cause in words. Owned by one thread."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self._connection: Connection | None = None
        self._inbox = bytearray()

    def exchange(self, request: Request, take: Take | None = None, most: int = MOST) -> Answer:
        """Send ``request`` and return its answer; ``take`` gets the body of a 2xx as it comes, at most ``most`` bytes.

        What making the body raises is passed on; the connection is closed then.
        """
        for _ in range(2):
            kept = self._connection is not None
            try:
                return self._once(request, take, most, kept)
            except _Stale:
                self.close()
            except BaseException:
                self.close()
                raise
        raise AssertionError  # a connection made now is not stale

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        self._inbox.clear()

    def tls(self) -> str:
        """Which TLS, and until when the server's certificate is valid, for a person; "" without TLS."""
        return self._connection.describe() if self._connection is not None else ""

    def _once(self, request: Request, take: Take | None, most: int, kept: bool) -> Answer:
        connection = self._connection or self._connect()
        early = False
        try:
            if kept and connection.readable(time.monotonic()) and connection.receive() is not None:
                raise _Stale  # what comes before anything was asked is the end, or nothing that we want
            self._write(connection, request)
        except _Answered:
            early = True
        except OSError as error:
            self._last_words(connection)
            if not self._inbox:
                if kept and not isinstance(error, TimeoutError):
                    raise _Stale from error
                raise self._broken(error, "while it is sent to") from error
            early = True
        stream = Stream(connection, self._inbox, self.peer.timeout, most)
        try:
            answer, closing = self._read(stream, request.method, take, most, early)
        except http.client.IncompleteRead as error:
            raise self._lost("in the middle of its answer") from error
        except (http.client.HTTPException, ValueError, zlib.error) as error:
            if stream.silent:
                if kept and not early:
                    raise _Stale from error
                raise self._lost("instead of an answer") from error
            wrong = _NOT_HTTP.get(type(error).__name__, "a length or a coding that there is not")
            words = f"{self.peer} answers with something that is not HTTP ({wrong})"
            hint = "is the port right, and does it want https?" if self.peer.security is None else "is the port right?"
            raise Failed(Outcome("retry", "protocol", f"{words}; {hint}")) from error
        except OSError as error:
            if kept and stream.silent and not early and not isinstance(error, TimeoutError):
                raise _Stale from error
            raise self._broken(error, "while its answer is awaited") from error
        if early or closing or self._inbox:
            self.close()
        return answer

    def _connect(self) -> Connection:
        peer = self.peer
        try:
            if peer.security is not None:
                self._connection = tls.connect(peer, peer.security)
            else:
                self._connection = Connection(peer.host, peer.port, peer.timeout)
        except Failed as failed:
            if failed.outcome.code != "tls-plain":
                raise
            words = f"{peer} does not speak TLS at that port; is the port right?"
            raise Failed(Outcome("retry", "tls-plain", words)) from failed
        except OSError as error:
            raise self._broken(error, "while connecting") from error
        self._inbox.clear()
        return self._connection

    def _write(self, connection: Connection, request: Request) -> None:
        def hear() -> None:
            self._hear(connection)

        lines = [f"{request.method} {request.target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in request.headers.items()]
        head: list[Buffer] = [("\r\n".join(lines) + "\r\n\r\n").encode("ascii")]
        for block in request.blocks():
            connection.write([*head, block], hear)
            head = []
        if head:
            connection.write(head, hear)

    def _hear(self, connection: Connection) -> None:
        """What the server says while we send: an interim answer is dropped, all else ends the sending."""
        data = connection.receive()
        if data is None:
            return
        self._inbox += data
        while found := _INTERIM.match(self._inbox):
            del self._inbox[: found.end()]
        if not data and not self._inbox:
            raise ConnectionResetError(errno.ECONNRESET, "closed")
        if not data or not _perhaps_interim(self._inbox):
            raise _Answered

    def _last_words(self, connection: Connection) -> None:
        """It may have said why before it dropped the connection."""
        with contextlib.suppress(OSError):
            while (data := connection.receive()) and len(self._inbox) < HEADERS:
                self._inbox += data

    def _read(self, stream: Stream, method: str, take: Take | None, most: int, early: bool) -> tuple[Answer, bool]:
        """The answer, and whether the connection ends with it."""
        reader = Reader(stream, READ)
        response = http.client.HTTPResponse(reader, method=method)  # type: ignore[arg-type]
        response.begin()
        while 100 <= response.status < 200:
            response = http.client.HTTPResponse(reader, method=method)  # type: ignore[arg-type]
            response.begin()
        closing = response.will_close
        parts = decoded(whole(response), response.headers.get("Content-Encoding", "identity").strip().lower(), most)
        if take is not None and 200 <= response.status < 300:
            stream.allow(most / _SLOWEST)
            take(response.status, response.headers, lambda: next(parts, b""))
            body, unread = b"", next(parts, b"") != b""
        else:
            body, unread = b"".join(parts), False
        return Answer(response.status, response.headers, body, early), closing or unread or reader.more()

    def _broken(self, error: OSError, when: str) -> Failed:
        if isinstance(error, TimeoutError) and when != "while connecting":
            words = f"{self.peer} makes no progress for {self.peer.timeout:g} s {when}; is the server well?"
            return Failed(Outcome("retry", "silent", words))
        if isinstance(error, TooMuch):
            return Failed(Outcome("retry", "protocol", f"{self.peer} answers without an end; is it a DICOMweb server?"))
        return Failed(outcomes.unreachable(self.peer, error, when))

    def _lost(self, when: str) -> Failed:
        words = f"{self.peer} closed the connection {when}; look into its log"
        return Failed(Outcome("retry", "lost", words))


def _perhaps_interim(data: bytearray) -> bool:
    """Whether this may become an interim answer (1xx), which is no answer yet."""
    if len(data) < len(b"HTTP/1.1 1"):
        return any(start.startswith(data) for start in (b"HTTP/1.1 1", b"HTTP/1.0 1"))
    return bool(_BEGINS_INTERIM.match(data)) and len(data) < _LONGEST_INTERIM
