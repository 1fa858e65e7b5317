"""The stick as a block device for QEMU: an NBD server on a unix socket in front of a :class:`Flash`, and its power.

Only what QEMU's client needs of the protocol: fixed newstyle handshake, read, write, flush, simple replies.
"""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import threading
from pathlib import Path

from tests.vm.flash import Flash

_MAGIC, _OPTION, _REPLY = 0x4E42444D41474943, 0x49484156454F5054, 0x0003E889045565A9
_EXPORT_NAME, _ABORT, _GO = 1, 2, 7
_ACK, _INFO, _UNSUPPORTED = 1, 3, 0x80000001
_FLAGS = 0x01 | 0x04  # has flags, takes flush
_READ, _WRITE, _DISCONNECT, _FLUSH = 0, 1, 2, 3
_EINVAL = 22


class Plug:
    """Gives ``flash`` at ``path`` until its power fails: at the ``moment``-th write or flush, or :meth:`switch_off`."""

    def __init__(self, flash: Flash, path: Path, moment: int, dice: random.Random) -> None:
        self.off = threading.Event()
        self.requests = 0  # writes and flushes
        self.open_sectors = 0
        self._flash, self._moment, self._dice = flash, moment, dice
        self._power = threading.Lock()
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen(1)
        self._path = path
        self._line: socket.socket | None = None
        threading.Thread(target=self._serve, daemon=True).start()

    def switch_off(self) -> None:
        """Afterwards nothing is acknowledged any more, and the flash is what the power left of it."""
        with self._power:
            if self.off.is_set():
                return
            self.open_sectors = self._flash.lose_power(self._dice)
            self.off.set()
        for one in (self._line, self._server):
            if one is not None:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()
        self._path.unlink(missing_ok=True)

    def _serve(self) -> None:
        with contextlib.suppress(OSError, EOFError):
            self._line, _ = self._server.accept()
            self._greet()
            while self._request():
                pass

    def _greet(self) -> None:
        self._send(struct.pack(">QQH", _MAGIC, _OPTION, 1))
        self._take(4)
        while True:
            _magic, option, length = struct.unpack(">QII", self._take(16))
            self._take(length)
            if option == _EXPORT_NAME:
                self._send(struct.pack(">QH124x", self._flash.size, _FLAGS))
                return
            if option == _GO:
                self._answer(option, _INFO, struct.pack(">HQH", 0, self._flash.size, _FLAGS))
                self._answer(option, _ACK, b"")
                return
            self._answer(option, _ACK if option == _ABORT else _UNSUPPORTED, b"")

    def _answer(self, option: int, kind: int, data: bytes) -> None:
        self._send(struct.pack(">QIII", _REPLY, option, kind, len(data)) + data)

    def _request(self) -> bool:
        _magic, _flags, kind, cookie, offset, length = struct.unpack(">IHHQQI", self._take(28))
        data, error = b"", 0
        if kind == _DISCONNECT:
            return False
        if kind == _READ:
            data = self._flash.read(offset, length)
        elif kind in (_WRITE, _FLUSH):
            arrived = self._take(length) if kind == _WRITE else b""
            if not self._change(kind, offset, arrived):
                self.switch_off()
                return False
        else:
            error = _EINVAL
        self._send(struct.pack(">IIQ", 0x67446698, error, cookie) + data)
        return True

    def _change(self, kind: int, offset: int, data: bytes) -> bool:
        """A write or a flush; False if the power fails in it."""
        with self._power:
            if self.off.is_set():
                return False
            self.requests += 1
            last = self.requests == self._moment
            if kind == _WRITE:
                self._flash.write(offset, data)
                if not last:
                    self._flash.acknowledge()
            elif not last:
                self._flash.flush()
            return not last

    def _take(self, length: int) -> bytes:
        assert self._line is not None
        found = bytearray()
        while len(found) < length:
            piece = self._line.recv(length - len(found))
            if not piece:
                raise EOFError
            found += piece
        return bytes(found)

    def _send(self, data: bytes) -> None:
        assert self._line is not None
        self._line.sendall(data)
