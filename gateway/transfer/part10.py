"""The header of a DICOM file (PS3.10 section 7.1), read without any DICOM library.

Only the File Meta Information is read (always Explicit VR Little Endian): class, UID, transfer syntax, and where
the data set begins. The data set itself goes from the file to the socket unseen.
"""

from __future__ import annotations

import errno
import os
import struct
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import Misuse
from gateway.model import InstanceRef

PREAMBLE = 128
LARGEST_HEADER = 1 << 16  # bytes: private information may stand in the header, but not a picture

_LONG = frozenset((b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"SQ", b"UC", b"UN", b"UR", b"UT", b"SV", b"UV"))
_CLASS, _INSTANCE, _SYNTAX = 0x0002, 0x0003, 0x0010


@dataclass(frozen=True, slots=True)
class Header:
    """``offset`` is where the data set begins, in bytes from the start of the file."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    offset: int


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
    uids = (header.sop_class_uid, header.sop_instance_uid, header.transfer_syntax_uid)
    return InstanceRef(*uids, str(path.absolute()), size)


def read(descriptor: int, name: str) -> Header:
    """The header of the open file ``name``; its position is not moved. Raises Misuse if it is no DICOM file."""
    data = os.pread(descriptor, LARGEST_HEADER, 0)
    try:
        return parse(data)
    except ValueError as error:
        raise Misuse(f"{name} is no DICOM file: {error}", "only Part 10 files can be sent") from error


def parse(data: bytes) -> Header:
    """The header at the start of ``data``. Raises ValueError with what is wrong."""
    if data[PREAMBLE : PREAMBLE + 4] != b"DICM":
        raise ValueError("no DICM after the preamble")
    at, found = PREAMBLE + 4, {}
    while at + 8 <= len(data) and data[at : at + 2] == b"\x02\x00":
        element, vr = int.from_bytes(data[at + 2 : at + 4], "little"), data[at + 4 : at + 6]
        if vr in _LONG:
            if at + 12 > len(data):
                raise ValueError("the header is cut short")
            (length,), at = struct.unpack_from("<I", data, at + 8), at + 12
        else:
            (length,), at = struct.unpack_from("<H", data, at + 6), at + 8
        if at + length > len(data):
            raise ValueError("the header is cut short")
        if element in (_CLASS, _INSTANCE, _SYNTAX):
            found[element] = _uid(data[at : at + length])
        at += length
    if missing := {_CLASS, _INSTANCE, _SYNTAX} - set(found):
        raise ValueError(f"(0002,{min(missing):04X}) is missing in the header")
    return Header(found[_CLASS], found[_INSTANCE], found[_SYNTAX], at)


def _uid(raw: bytes) -> str:
    text = raw.decode("ascii", "replace").strip(" \0")
    if not 1 <= len(text) <= 64 or not set(text) <= set("0123456789."):
        raise ValueError(f"{text!r} in the header is no UID")
    return text


def fill(descriptor: int, block: memoryview, offset: int) -> None:
    """Read exactly ``block`` from ``offset``. Raises OSError if the file ends before."""
    done = 0
    while done < len(block):
        count = os.preadv(descriptor, [block[done:]], offset + done)
        if count == 0:
            raise OSError(errno.EIO, "the file became shorter while it was sent")
        done += count
