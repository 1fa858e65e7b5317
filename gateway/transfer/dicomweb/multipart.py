"""multipart/related of DICOM instances (PS3.18 8.6.1.2, RFC 2387): made from files, and read back, as streams."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from email.message import Message
from pathlib import Path

from gateway.errors import Misuse
from gateway.model import InstanceRef
from gateway.transfer import part10
from gateway.transfer.association.connection import Buffer
from gateway.transfer.calling.throttle import Throttle

BLOCK = 1 << 18  # bytes read at a time: the memory of one upload
_HEADER = b"Content-Type: application/dicom\r\n\r\n"
_LONGEST_PREAMBLE = 1 << 14  # bytes before a part's data
Report = Callable[[InstanceRef, int], None]  # instance, bytes of it that are out


class Unreadable(Exception):
    """An instance's file cannot be sent to its end."""

    def __init__(self, instance: InstanceRef, why: str) -> None:
        super().__init__(why)
        self.instance = instance
        self.why = why


class Upload:
    """A body with ``instances``, straight from their files; what they are and how long was looked at before."""

    def __init__(
        self,
        instances: Sequence[InstanceRef],
        block: memoryview,
        report: Report | None,
        throttle: Throttle | None = None,
    ) -> None:
        """Raises Unreadable if a file cannot be opened, or is not what it should be."""
        self._throttle = throttle
        self._boundary = os.urandom(24).hex().encode()  # long and random: it stands in no file
        self._block = block
        self._report = report
        self._files = [(one, _size(one)) for one in instances]
        around = sum(len(self._opening(number == 0)) for number in range(len(self._files)))
        self.length = around + sum(size for _, size in self._files) + len(self._closing())

    @property
    def content_type(self) -> str:
        return f'multipart/related; type="application/dicom"; boundary={self._boundary.decode()}'

    def blocks(self) -> Iterator[Buffer]:
        """The body. Raises Unreadable if a file fails, or has become shorter, on the way."""
        for number, (instance, size) in enumerate(self._files):
            yield self._opening(number == 0)
            sent = 0
            for block in self._file(instance, size):
                if self._throttle is not None:
                    self._throttle.take(len(block))
                yield block
                sent += len(block)
                if self._report is not None:
                    self._report(instance, sent)
        yield self._closing()

    def _opening(self, first: bool) -> bytes:
        return (b"" if first else b"\r\n") + b"--" + self._boundary + b"\r\n" + _HEADER

    def _closing(self) -> bytes:
        return b"\r\n--" + self._boundary + b"--\r\n"

    def _file(self, instance: InstanceRef, size: int) -> Iterator[memoryview]:
        try:
            descriptor = os.open(instance.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise Unreadable(instance, error.strerror or str(error)) from error
        try:
            for at in range(0, size, len(self._block)):
                block = self._block[: min(len(self._block), size - at)]
                try:
                    part10.fill(descriptor, block, at)
                except OSError as error:
                    raise Unreadable(instance, error.strerror or str(error)) from error
                yield block
        finally:
            os.close(descriptor)


def _size(instance: InstanceRef) -> int:
    """Bytes of the instance's file. Raises Unreadable if it is not the one."""
    try:
        found = part10.instance(Path(instance.path))
    except Misuse as error:
        raise Unreadable(instance, error.message) from error
    wanted = (instance.sop_class_uid, instance.sop_instance_uid, instance.transfer_syntax_uid)
    if (found.sop_class_uid, found.sop_instance_uid, found.transfer_syntax_uid) != wanted:
        raise Unreadable(instance, "it holds another instance than it should")
    return found.size


def only_part(headers: Message, read: Callable[[], bytes]) -> Iterator[bytes]:
    """The data of the first part of a multipart answer, as it comes. Raises ValueError if that is none.

    ``read`` gives the next bytes of the body, b"" at its end. What follows the part is not read.
    """
    boundary = headers.get_param("boundary")
    if headers.get_content_maintype() != "multipart" or not isinstance(boundary, str) or not 1 <= len(boundary) <= 200:
        raise ValueError(f"{headers.get_content_type()} instead of multipart/related")
    marker = b"--" + boundary.encode("latin-1", "replace")
    pending = bytearray()
    while (head := re.search(re.escape(marker) + rb"[ \t]*\r\n(?:[^\r\n]+\r\n)*\r\n", pending)) is None:
        data = read()
        if not data or len(pending) > _LONGEST_PREAMBLE:
            raise ValueError("no part begins in it")
        pending += data
    del pending[: head.end()]
    end = b"\r\n" + marker
    while (at := pending.find(end)) < 0:
        if len(pending) > len(end):
            yield bytes(pending[: -len(end)])
            del pending[: -len(end)]
        data = read()
        if not data:
            raise ValueError("it ends in the middle of the part")
        pending += data
    yield bytes(pending[:at])
