"""What a server gives back beside the file that it was sent: block by block, neither is ever held whole."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from gateway.errors import Misuse
from gateway.model import InstanceRef
from gateway.transfer import part10


class Unreadable(Exception):
    """The file that was sent cannot be read."""


def difference(parts: Iterator[bytes], one: InstanceRef) -> str:
    """In what the file in ``parts`` differs from the one that was sent; "" if in nothing.

    Only what identifies it is compared of the header: that is the receiver's own. Raises ValueError if it is no DICOM
    file, Unreadable if that is so of what was sent.
    """
    head, header = _begin(parts)
    if header is None or header.identity != (one.sop_class_uid, one.sop_instance_uid, one.transfer_syntax_uid):
        return "another instance, or another transfer syntax,"
    with _reading(one):
        descriptor = os.open(one.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with _reading(one):
            at, size = part10.read(descriptor, one.path).offset, os.fstat(descriptor).st_size
        for data in _chain(head[header.offset :], parts):
            with _reading(one):
                own = os.pread(descriptor, len(data), at)
            if own != data:
                return "another data set"
            at += len(data)
        return "a shorter data set" if at < size else ""
    finally:
        os.close(descriptor)


def _begin(parts: Iterator[bytes]) -> tuple[bytes, part10.Header | None]:
    """The first bytes, and the header in them; None if it is none that a file may have."""
    head = b""
    for part in parts:
        head += part
        if len(head) >= part10.USUAL_HEADER and (header := part10.parse(head, len(head) + 1)) is not None:
            return head, header
        if len(head) > part10.LARGEST_HEADER:
            return head, None
    return head, part10.parse(head, len(head))


@contextlib.contextmanager
def _reading(one: InstanceRef) -> Iterator[None]:
    try:
        yield
    except (OSError, Misuse) as error:
        why = error.strerror if isinstance(error, OSError) else error.message
        raise Unreadable(f"{one.path} cannot be read: {why}") from error


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest
