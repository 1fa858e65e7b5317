"""The same connection under TLS: records of bounded size instead of one sendmsg."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
from collections.abc import Sequence

from gateway.transfer.association import certificate
from gateway.transfer.association.connection import RECEIVED, Buffer, Connection

RECORDS = 1 << 16  # bytes encrypted at a time: four records


class SecureConnection(Connection):
    """Raises as :class:`Connection` does; ssl.SSLError, an OSError, for what TLS itself says."""

    def __init__(self, host: str, port: int, timeout: float, context: ssl.SSLContext, name: str) -> None:
        """``name`` is what the certificate must be for, if ``context`` looks at it. Returns after the handshake."""
        super().__init__(host, port, timeout)
        try:
            self._tls = context.wrap_socket(self._socket, server_hostname=name, do_handshake_on_connect=False)
            self._socket = self._tls  # it took over the descriptor
            self._shake_hands()
            # Kept here: the peer may have ended the association, and with it all of this, in the piece that accepts it.
            self._version, self._certificate = self._tls.version(), self._tls.getpeercert(binary_form=True) or b""
        except BaseException:
            self._socket.close()
            raise

    def describe(self) -> str:
        try:
            ends = certificate.day(certificate.ends(self._certificate))
        except ValueError:
            return f"{self._version}, nobody can say until when its certificate is valid"
        return f"{self._version}, its certificate is valid until {ends}"

    def certificate(self) -> bytes:
        """The peer's, in DER."""
        return self._certificate

    def receive(self) -> bytes | None:
        self._listened = True
        try:
            return self._tls.recv(RECEIVED)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None

    def close(self, last_words: bytes = b"") -> None:
        with contextlib.suppress(OSError, ValueError):
            if last_words:
                self._tls.send(last_words)
            self._tls.unwrap()  # says close_notify; its answer is not waited for
        self._socket.close()

    def cut(self) -> None:
        with contextlib.suppress(OSError):  # SSLSocket's own would let the owner go on in the clear
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def _send(self, buffers: Sequence[Buffer]) -> int:
        """OpenSSL must be given the same bytes again after it could not take them all: that is so, joined anew."""
        parts, size = [], 0
        for buffer in buffers:
            parts.append(memoryview(buffer)[: RECORDS - size])
            size += len(parts[-1])
            if size == RECORDS:
                break
        try:
            return self._tls.send(b"".join(parts))
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return 0

    def _ready(self, wanted: int, deadline: float) -> int:
        if wanted & select.POLLIN and self._tls.pending():
            return select.POLLIN
        return super()._ready(wanted, deadline)

    def _shake_hands(self) -> None:
        deadline = self.deadline()
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                wanted = select.POLLIN
            except ssl.SSLWantWriteError:
                wanted = select.POLLOUT
            else:
                return
            if not super()._ready(wanted, deadline):
                raise TimeoutError
