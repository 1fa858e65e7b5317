"""Data sets that lie in files without the header of PS3.10, as older programs wrote them: what can be known of them.

Either the 128 bytes of preamble and the prefix are missing, or the File Meta Information too. Then the data set itself
says which instance it is, near its beginning (its elements are in ascending order), and how it is encoded: Explicit or
Implicit VR Little Endian. Only what a person names to be sent is looked at so; in the spool there are no such files.
"""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path

from gateway.model import InstanceRef
from gateway.transfer import part10
from gateway.transfer.names import EXPLICIT, IMPLICIT
from gateway.transfer.part10 import Header

_HEAD = struct.Struct("<HH")
_SHORT = struct.Struct("<H")
_LENGTH = struct.Struct("<I")
_UID = re.compile(rb"([0-9.]{1,64})[ \0]?")
_LONG = frozenset((b"SQ", b"UN"))  # the only ones with a long length that may stand so early
_CLASS, _INSTANCE = 0x0016, 0x0018
_WITHOUT = "it has no header of PS3.10, and does not begin as a data set does"


def is_bare(start: bytes) -> bool:
    """Whether a file that begins so has no preamble and prefix."""
    return start[part10.PREAMBLE : part10.PREAMBLE + 4] != b"DICM"


def instance(path: Path) -> InstanceRef:
    """What identifies the file at ``path`` to a peer. Raises ValueError (what is wrong), or OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        header, size = read(descriptor), os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)
    return InstanceRef(*header.identity, str(path.absolute()), size)


def read(descriptor: int) -> Header:
    """What the open file says of itself; ``offset`` is where its data set begins. Raises ValueError or OSError."""
    size = os.fstat(descriptor).st_size
    start = os.pread(descriptor, part10.LARGEST_HEADER, 0)
    if start[:2] == b"\2\0":  # File Meta Information, with nothing before it
        missing = bytes(part10.PREAMBLE) + b"DICM"
        header = part10.parse(missing + start, len(missing) + size)
        if header is None:
            raise ValueError(f"the header is longer than {part10.LARGEST_HEADER} bytes")
        return Header(*header.identity, header.offset - len(missing))
    return _data_set(start)


def _data_set(start: bytes) -> Header:
    explicit = start[4:6].isalpha() and start[4:6].isupper()
    at, found = 0, dict[int, str]()
    while len(found) < 2:
        if at + 12 > len(start):
            raise ValueError(_WITHOUT)
        group, element = _HEAD.unpack_from(start, at)
        vr = start[at + 4 : at + 6]
        if explicit and vr in _LONG:
            length, at = _LENGTH.unpack_from(start, at + 8)[0], at + 12
        elif explicit:
            length, at = _SHORT.unpack_from(start, at + 6)[0], at + 8
        else:
            length, at = _LENGTH.unpack_from(start, at + 4)[0], at + 8
        if group != 0x0008 or element > _INSTANCE or at + length > len(start):
            raise ValueError(_WITHOUT)
        if element in (_CLASS, _INSTANCE):
            found[element] = _uid(start[at : at + length])
        at += length
    return Header(found[_CLASS], found[_INSTANCE], EXPLICIT if explicit else IMPLICIT, 0)


def _uid(raw: bytes) -> str:
    if (match := _UID.fullmatch(raw)) is None:
        raise ValueError(_WITHOUT)
    return match[1].decode("ascii")
