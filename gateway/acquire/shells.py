"""The shells of the transports: each owns a line to a device and does nothing else.

All raise Retry, in words for a person, when the line is not there or goes away.
"""

from __future__ import annotations

import contextlib
import errno
from typing import Protocol

import serial

from gateway.acquire.adapter import Serial
from gateway.errors import Retry

_MOST = 64 << 10  # bytes in one read


class Shell(Protocol):
    """A line to a device. ``read`` waits at most ``timeout`` seconds and then gives b""."""

    def open(self) -> None: ...

    def read(self, timeout: float) -> bytes: ...

    def write(self, data: bytes) -> None: ...

    def close(self) -> None: ...


class SerialShell:
    """A serial port, opened exclusively."""

    def __init__(self, line: Serial, port: str) -> None:
        self._line = line
        self._path = port
        self._port: serial.Serial | None = None

    def open(self) -> None:
        line = self._line
        try:
            self._port = serial.Serial(
                self._path,
                line.baud,
                line.bits,
                line.parity,
                line.stop_bits,
                timeout=0.1,
                write_timeout=2,
                exclusive=True,
            )
        except (OSError, ValueError) as error:  # pyserial's own error is an OSError
            raise self._not_opened(error) from error

    def _not_opened(self, error: Exception) -> Retry:
        number = getattr(error, "errno", None)
        if number in (errno.ENOENT, errno.ENXIO, errno.ENODEV):
            return Retry(
                f"the port {self._path} does not exist",
                "plug the device in; if it is, correct 'port' in the configuration (ls -l /dev/serial/by-id)",
            )
        if number in (errno.EACCES, errno.EPERM):
            return Retry(
                f"no permission to open the port {self._path}",
                "add the user to the group that owns it: sudo usermod -aG dialout USER, then log in again",
            )
        if number in (errno.EBUSY, errno.EAGAIN) or "lock" in str(error).lower():
            return Retry(f"the port {self._path} is in use by another program", "stop it (ModemManager, a terminal)")
        return Retry(f"the port {self._path} cannot be opened ({error})", "is it the serial port of the device?")

    def read(self, timeout: float) -> bytes:
        try:
            assert self._port is not None
            if self._port.timeout != timeout:  # setting it writes the line's parameters anew
                self._port.timeout = timeout
            first: bytes = self._port.read(1)
            if not first:
                return b""
            waiting = min(self._port.in_waiting, _MOST)
            return first + (bytes(self._port.read(waiting)) if waiting else b"")
        except (OSError, TypeError) as error:  # TypeError: pyserial reads a port that was closed meanwhile
            raise self._lost(error) from error

    def write(self, data: bytes) -> None:
        try:
            assert self._port is not None
            self._port.write(data)
        except OSError as error:
            raise self._lost(error) from error

    def close(self) -> None:
        if self._port is not None:
            with contextlib.suppress(OSError):  # a port that was pulled out cannot say goodbye
                self._port.close()
            self._port = None

    def _lost(self, error: Exception) -> Retry:
        return Retry(f"the connection to {self._path} was lost ({error})", "check the cable and the device's power")
