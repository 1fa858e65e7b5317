"""An instance on its way from its file to the socket, in blocks, with nothing decoded.

A block is read into a buffer that the sender keeps (preadv) and goes out with the headers of its P-DATA-TF between its
slices (sendmsg), so one pair of system calls moves sixteen PDUs of the usual size. sendfile(2) was measured beside it:
it needs a pair for each PDU, gains nothing where PDUs are large, and loses a third where they are small. A mapped file
would turn a bad sector, or a file that is cut short, into the death of the process.

A file whose hash is known is compared with it on the way, so that it is read once and what was looked at is what goes
out. Its last block is not given away before the hash of all is right: of a damaged file no peer has a whole message. A
small one is known before a byte of it is sent.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from gateway.errors import Misuse
from gateway.model import InstanceRef
from gateway.transfer import part10
from gateway.transfer.association import dimse
from gateway.transfer.association.connection import Buffer
from gateway.transfer.calling.outcomes import Outcome
from gateway.transfer.storing.hashing import Hashing

BLOCK = 1 << 18  # bytes read at a time: the memory of one association

Report = Callable[[int], None]  # hears of bytes of the data set that are out


class Damaged(Exception):
    """The file is not what was written."""


class InstanceFile:
    """An open file whose header is what ``instance`` says; its first bytes lie in ``block``.

    ``block`` belongs to this file until its last block went out.
    """

    def __init__(self, instance: InstanceRef, block: memoryview, hashing: Hashing) -> None:
        """Raises Misuse (what is wrong with the file) or OSError."""
        self.instance = instance
        self._hashing = hashing
        self._block = block
        self._descriptor = os.open(instance.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._size = os.lseek(self._descriptor, 0, os.SEEK_END)
            self._filled = min(len(block), self._size)
            part10.fill(self._descriptor, block[: self._filled], 0)
            self._digest = hashlib.sha256() if instance.sha256 else None
            if self.is_small:
                self._hash(block[: self._size])
            header = _header(self._descriptor, bytes(block[: min(self._filled, part10.USUAL_HEADER)]), self._size)
            if header.identity != (instance.sop_class_uid, instance.sop_instance_uid, instance.transfer_syntax_uid):
                raise Misuse("it holds another instance than it should")
            if header.offset >= self._size:
                raise Misuse("it ends after its header")
            self._offset = header.offset
        except ValueError as error:
            self.close()
            raise Misuse(f"it is no DICOM file: {error}") from error
        except BaseException:
            self.close()
            raise

    @property
    def is_small(self) -> bool:
        """Whether all of it has been read."""
        return self._filled == self._size

    def address(self, context_id: int, message_id: int, fragment: int) -> None:
        """Make the first block of the C-STORE-RQ; all of it goes in P-DATA-TF with at most ``fragment`` bytes each."""
        self.message_id, self._context_id, self._fragment = message_id, context_id, fragment
        command = dimse.store(message_id, self.instance.sop_class_uid, self.instance.sop_instance_uid)
        ready = self._filled - self._offset
        if self._filled < self._size:  # what does not fill a fragment is read again, at the start of the next block
            ready = ready // fragment * fragment
        self._sent = ready
        data = self._block[self._offset : self._offset + ready]
        self._first = dimse.fragments(context_id, True, command, fragment)
        self._first += dimse.fragments(context_id, False, data, fragment, self._offset + ready == self._size)

    def blocks(self, report: Report | None = None) -> Iterator[list[Buffer]]:
        """The C-STORE-RQ, block by block. Raises OSError if the file cannot be read to its end; Damaged before it."""
        if not self.is_small:
            self._hash(self._block[: self._offset + self._sent])
        yield self._first
        total = self._size - self._offset
        whole = max(1, len(self._block) // self._fragment) * self._fragment
        sent = self._sent
        while True:
            if report is not None:
                report(sent)
            if sent == total:
                return
            self._hashing.settle()
            data = self._block[: min(whole, total - sent)]
            part10.fill(self._descriptor, data, self._offset + sent)
            sent += len(data)
            self._hash(data)
            if sent == total:
                self.compare()
            yield dimse.fragments(self._context_id, False, data, self._fragment, sent == total)

    def compare(self) -> None:
        """What was read of it, all of it, is what was written. Raises Damaged."""
        if self._digest is not None:
            self._hashing.settle()
            if self._digest.hexdigest() != self.instance.sha256:
                raise Damaged

    def _hash(self, data: memoryview) -> None:
        if self._digest is not None:
            self._hashing.feed(self._digest, data)

    def close(self) -> None:
        self._hashing.settle()
        os.close(self._descriptor)


def compare(instance: InstanceRef, beat: Callable[[], None]) -> None:
    """Read the whole file for nothing else. Raises Damaged or OSError."""
    if not instance.sha256:
        return
    digest = hashlib.sha256()
    with Path(instance.path).open("rb", buffering=0) as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
            beat()
    if digest.hexdigest() != instance.sha256:
        raise Damaged


def damaged(instance: InstanceRef) -> Outcome:
    """The peer has no whole message of it: it was known before, or the association is aborted within."""
    words = f"{Path(instance.path).name} is not sent: it is not what was written; check the disk"
    return Outcome("hold", "file-damaged", words)


def unreadable(instance: InstanceRef, why: str | None) -> Outcome:
    words = f"{Path(instance.path).name} cannot be sent: {why}; check the disk, the file is kept as it is"
    return Outcome("hold", "file-unreadable", words)


def _header(descriptor: int, start: bytes, size: int) -> part10.Header:
    """Raises ValueError, or Misuse with the same meaning."""
    if start[part10.PREAMBLE : part10.PREAMBLE + 4] != b"DICM":
        from gateway.transfer import bare  # noqa: PLC0415 - a person may send such files, the spool has none

        return bare.read(descriptor)
    return part10.parse(start, size) or part10.read(descriptor, "the file")
