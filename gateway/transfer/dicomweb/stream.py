"""The answer's bytes as they come: each answer has an end in time and in size, whatever the server does."""

from __future__ import annotations

import http.client
import io
import time
import zlib
from collections.abc import Iterator

from gateway.transfer.association.connection import Connection

HEADERS = 1 << 18  # bytes of headers, interim answers and chunk frames beside the body
READ = 1 << 16


class TooMuch(OSError):
    """More bytes than an answer may have."""


class Stream(io.RawIOBase):
    """What the server sends, until its answer has taken too long or grown too large."""

    def __init__(self, connection: Connection, inbox: bytearray, timeout: float, most: int) -> None:
        self._connection = connection
        self._inbox = inbox
        self._timeout = timeout
        self._left = most + HEADERS
        self._until = time.monotonic() + timeout
        self._begun = False
        self.over = False  # the answer is complete: nothing more is read

    @property
    def silent(self) -> bool:
        """Not one byte came."""
        return not self._begun

    def allow(self, seconds: float) -> None:
        """The body is long: so much more time in all."""
        self._until += seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = b"" if self.over else self._next(len(buffer))
        if data and not self._begun:
            self._begun, self._until = True, time.monotonic() + self._timeout
        self._left -= len(data)
        if self._left < 0:
            raise TooMuch
        buffer[: len(data)] = data
        return len(data)

    def _next(self, most: int) -> bytes:
        while not self._inbox:
            progress = time.monotonic() + self._timeout
            if not self._connection.readable(min(progress, self._until)):
                raise TimeoutError
            data = self._connection.receive()
            if data is not None:
                self._inbox += data
                break
        found = bytes(self._inbox[:most])
        del self._inbox[:most]
        return found


class Reader(io.BufferedReader):
    """The stream, buffered, and all that http.client wants of a socket."""

    def makefile(self, _mode: str) -> io.BufferedReader:
        return self

    def close(self) -> None:
        """Each answer closes its file, an interim one too: the stream goes on."""

    def more(self) -> bool:
        """Whether more came than belongs to the answer."""
        self.raw.over = True  # type: ignore[attr-defined]
        return bool(self.peek(1))


def whole(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """The body as it comes. Raises IncompleteRead if it ends too early."""
    while data := response.read(READ):
        yield data
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)


def decoded(coded: Iterator[bytes], encoding: str, most: int) -> Iterator[bytes]:
    """At most ``most`` bytes without their content coding: we ask for none, and some servers compress all the same."""
    left = most
    decoder = zlib.decompressobj(zlib.MAX_WBITS | 32) if encoding in ("gzip", "x-gzip", "deflate") else None
    if decoder is None and encoding not in ("", "identity"):
        raise ValueError(f"content encoding {encoding}")
    for part in coded:
        pending = part
        while pending:
            data, pending = pending, b""
            if decoder is not None:
                data = decoder.decompress(data, READ)
                pending = decoder.unconsumed_tail
            left -= len(data)
            if left < 0:
                raise TooMuch
            if data:
                yield data
    if decoder is not None and not decoder.eof:
        raise http.client.IncompleteRead(b"")
