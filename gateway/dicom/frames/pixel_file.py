"""One image file as a stream: header, then Pixel Data as frames come; durable and under its name when all is there.

native     one value, of a length that is known (PS3.5 8.1.1)
framed     encapsulated, a fragment for each frame, with a table of where each begins (A.4): the Basic Offset Table, or
           beyond 4 GiB the Extended Offset Table of C.7.6.3, whose places are left open and filled at the end
streamed   encapsulated, one stream that knows of frames itself: one fragment, or several if it is longer than that
"""

from __future__ import annotations

import itertools
import struct
from array import array
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

from pydicom.dataset import Dataset

from gateway import fsops
from gateway.dicom import encode
from gateway.errors import Held

SYNC_EVERY = 32 << 20  # bytes: no single fsync then takes minutes on a slow card
LONGEST = 0xFFFFFFFE  # bytes of one value or fragment
_ITEM, _END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0\0\0\0\0"
_PIXELS = struct.pack("<HH2sH", 0x7FE0, 0x0010, b"OB", 0)
_EXTENDED = (struct.pack("<HH2sH", 0x7FE0, 0x0001, b"OV", 0), struct.pack("<HH2sH", 0x7FE0, 0x0002, b"OV", 0))

Blocks = Iterable[bytes]
Body = Callable[["Steady"], None]


class Steady:
    """A stream that is brought to the medium every so often."""

    def __init__(self, stream: BinaryIO, path: Path) -> None:
        self.stream = stream
        self._path = path
        self._unsynced = 0

    def write(self, data: bytes) -> None:
        self.stream.write(data)
        self._unsynced += len(data)
        if self._unsynced >= SYNC_EVERY:
            self.stream.flush()
            fsops.sync(self.stream.fileno(), self._path)
            self._unsynced = 0


def write(path: Path, head: Dataset, transfer_syntax_uid: str, body: Body) -> int:
    """Write one file, durably, and return its size; an error leaves nothing behind."""
    with fsops.new_file(path) as stream:
        stream.write(encode.beginning(head, transfer_syntax_uid))
        body(Steady(stream, path))
        stream.seek(0, 2)
        return stream.tell()


def native(length: int, blocks: Blocks) -> Body:
    """``blocks`` have ``length`` bytes together; at most LONGEST."""

    def put(file: Steady) -> None:
        file.write(_PIXELS + struct.pack("<I", length + length % 2))
        written = 0
        for block in blocks:
            file.write(block)
            written += len(block)
        _complete(written, length)
        file.write(bytes(length % 2))

    return put


def framed(count: int, largest: int, blocks: Blocks) -> Body:
    """``largest``: bytes that all ``count`` frames together do not exceed."""
    extended = largest + 10 * count > LONGEST

    def put(file: Steady) -> None:
        table = file.stream.tell()
        if extended:
            for start in _EXTENDED:
                file.write(start + struct.pack("<I", 8 * count) + bytes(8 * count))
        file.write(_PIXELS + b"\xff\xff\xff\xff" + _ITEM + struct.pack("<I", 0 if extended else 4 * count))
        if not extended:
            table = file.stream.tell()
            file.write(bytes(4 * count))
        offsets, lengths, at = array("Q"), array("Q"), 0
        for block in blocks:
            padded = len(block) + len(block) % 2
            file.write(b"".join((_ITEM, struct.pack("<I", padded), block, bytes(padded - len(block)))))
            offsets.append(at)
            lengths.append(len(block))
            at += 8 + padded
        _complete(len(offsets), count)
        file.write(_END)
        file.stream.seek(table)
        if extended:
            for start, values in zip(_EXTENDED, (offsets, lengths), strict=True):
                file.write(start + struct.pack("<I", 8 * count) + struct.pack(f"<{count}Q", *values))
        else:
            file.write(struct.pack(f"<{count}I", *offsets))

    return put


def streamed(length: int, blocks: Blocks) -> Body:
    """``blocks`` have ``length`` bytes together, as many as they like."""

    def put(file: Steady) -> None:
        file.write(_PIXELS + b"\xff\xff\xff\xff" + _ITEM + bytes(4))
        left, here = length + length % 2, 0  # bytes still to come, and of them in the fragment that is open
        for block in itertools.chain(blocks, [bytes(length % 2)]):
            at = 0
            while at < len(block):
                if not here:
                    here = min(left, LONGEST)
                    if not here:
                        raise Held("the stream became longer while it was wrapped")
                    file.write(_ITEM + struct.pack("<I", here))
                some = block[at : at + here] if at or here < len(block) else block
                file.write(some)
                at, here, left = at + len(some), here - len(some), left - len(some)
        _complete(left, 0)
        file.write(_END)

    return put


def _complete(found: int, wanted: int) -> None:
    if found != wanted:
        raise Held("the records changed while they were wrapped", "is a second gateway running on this data?")
