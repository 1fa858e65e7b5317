"""The header of a DICOM file (PS3.10 section 7.1), read without any DICOM library.

Only the File Meta Information is read (always Explicit VR Little Endian): class, UID, transfer syntax, and where
the data set begins. The data set itself goes from the file to the socket unseen.
"""

from __future__ import annotations

import errno
import os
import re
import struct
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import Misuse
from gateway.model import InstanceRef

PREAMBLE = 128
USUAL_HEADER = 1 << 12  # bytes that are looked at first
LARGEST_HEADER = 1 << 16  # bytes: private information may stand in the header, but not a picture

_LONG = frozenset((b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"SQ", b"UC", b"UN", b"UR", b"UT", b"SV", b"UV"))
_CLASS, _INSTANCE, _SYNTAX = 0x0002, 0x0003, 0x0010
_WANTED = frozenset((_CLASS, _INSTANCE, _SYNTAX))
_ELEMENT = struct.Struct("<HH2sH")  # group, element, VR, length (of most)
_UID = re.compile(rb"[0-9.]{1,64}")


@dataclass(frozen=True, slots=True)
class Header:
    """``offset`` is where the data set begins, in bytes from the start of the file."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    offset: int

    @property
    def identity(self) -> tuple[str, str, str]:
        """SOP Class UID, SOP Instance UID, Transfer Syntax UID."""
        return self.sop_class_uid, self.sop_instance_uid, self.transfer_syntax_uid


def instance(path: Path) -> InstanceRef:
    """What identifies the file at ``path`` to a peer. Raises Misuse if it is no DICOM file, or cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise Misuse(f"{path} cannot be read: {error.strerror}", "check the path and its permissions") from error
    try:
        header = read(descriptor, str(path))
        size = os.fstat(descriptor).st_size
    except OSError as error:
        raise Misuse(f"{path} cannot be read: {error.strerror}", "name a DICOM file") from error
    finally:
        os.close(descriptor)
    return InstanceRef(*header.identity, str(path.absolute()), size)


def read(descriptor: int, name: str) -> Header:
    """The header of the open file ``name``; its position is not moved. Raises Misuse if it is no DICOM file."""
    size = os.fstat(descriptor).st_size
    try:
        for length in (USUAL_HEADER, LARGEST_HEADER):
            if (header := parse(os.pread(descriptor, length, 0), size)) is not None:
                return header
        raise ValueError(f"the header is longer than {LARGEST_HEADER} bytes")
    except ValueError as error:
        raise Misuse(f"{name} is no DICOM file: {error}", "only Part 10 files can be sent") from error


def parse(data: bytes, size: int) -> Header | None:
    """The header at the start of ``data``, the first bytes of a file of ``size``; None if it goes on after them.

    Raises ValueError with what is wrong.
    """
    if data[PREAMBLE : PREAMBLE + 4] != b"DICM":
        raise ValueError("no DICM after the preamble")
    at, found, there = PREAMBLE + 4, {}, len(data)
    while True:
        if at + 12 > there and there < size:
            return None
        if at + 8 > there:
            break
        group, element, vr, length = _ELEMENT.unpack_from(data, at)
        if group != 2:
            break
        at += 8
        if vr in _LONG:
            if at + 4 > there:
                raise ValueError("the header is cut short")
            length, at = int.from_bytes(data[at : at + 4], "little"), at + 4
        if at + length > size:
            raise ValueError("the header is cut short")
        if at + length > there:
            return None
        if element in _WANTED:
            found[element] = _uid(data[at : at + length])
        at += length
    if missing := _WANTED - found.keys():
        raise ValueError(f"(0002,{min(missing):04X}) is missing in the header")
    return Header(found[_CLASS], found[_INSTANCE], found[_SYNTAX], at)


def _uid(raw: bytes) -> str:
    text = raw.strip(b" \0")
    if not _UID.fullmatch(text):
        raise ValueError(f"{text.decode('ascii', 'replace')!r} in the header is no UID")
    return text.decode("ascii")


def fill(descriptor: int, block: memoryview, offset: int) -> None:
    """Read exactly ``block`` from ``offset``. Raises OSError if the file ends before."""
    done = 0
    while done < len(block):
        count = os.preadv(descriptor, [block[done:]], offset + done)
        if count == 0:
            raise OSError(errno.EIO, "the file became shorter while it was sent")
        done += count
