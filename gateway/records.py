"""The acquisition's record file: what the device said, on disk before anything else happens to it.

Layout, all little-endian::

    file   := b"GWREC\\x00" version:u16  record*
    record := length:u32 crc32:u32 time:f64 type:u8 payload[length]

``crc32`` covers time, type and payload. ``time`` is monotonic seconds. Payloads by type:

    SAMPLES  group:u8 channels:u16 first:u64 int32[samples][channels]   first = 0-based position in the group
    FRAME    JSON header, one NUL, the encoded bytes
    MARKER   JSON {text, group, sample}, and {concept, samples} if it has them
    GAP      JSON {reason, group, first, samples, seconds}              the position moves on by ``samples``
    BYTES    bytes as received from the device (for replay)
    SYNCED   offset:u64                                                 all before it was on the medium by then
    END      JSON, see :class:`gateway.counts.End`: written last, only once, and when all before it was synced

A file without END was cut off (:mod:`gateway.interrupted`). The writer holds a lock (flock) as long as it lives, so
that "cut off" and "still being written" cannot be confused, not even after kill -9. Version 1 had no SYNCED.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np

from gateway import fsops
from gateway.counts import End, GroupEnd
from gateway.errors import Fatal, Held
from gateway.events import Frame, Gap, Marker, Samples
from gateway.model import Code, from_json, to_json

__all__ = ["End", "GroupEnd", "Record", "Type", "Writer"]  # the rest is asked for by module: records.read
MAGIC = b"GWREC\x00"
VERSION = 2
HEADER = MAGIC + struct.pack("<H", VERSION)
_RECORD = struct.Struct("<IIdB")
_SAMPLES = struct.Struct("<BHQ")
_OFFSET = struct.Struct("<Q")
LONGEST_PAYLOAD = 64 << 20  # bytes; a longer length can only be damage
_BUFFER = 256 << 10
_LATEST = 1e9  # seconds; no boot lasts so long


class Type(IntEnum):
    SAMPLES = 1
    FRAME = 2
    MARKER = 3
    GAP = 4
    BYTES = 5
    END = 6
    SYNCED = 7


_TYPES = frozenset(int(t) for t in Type)
_ANY_TYPE = re.compile(b"[%s]" % bytes(_TYPES))


@dataclass(frozen=True, slots=True)
class Record:
    time: float
    type: Type
    payload: bytes
    end: int  # file offset just behind this record


def pack(kind: Type, time: float, payload: bytes) -> bytes:
    """One record as bytes."""
    return _head(kind, time, payload) + payload


def _head(kind: Type, time: float, first: bytes, rest: bytes = b"") -> bytes:
    """What stands before a payload that comes in two parts; neither is copied."""
    told = struct.pack("<dB", time, kind)
    crc = zlib.crc32(rest, zlib.crc32(first, zlib.crc32(told)))
    return struct.pack("<II", len(first) + len(rest), crc) + told


class Writer:
    """Appends to a new record file and holds its lock; one owner thread. What was appended is on the medium after the
    next :meth:`sync`; never claim more. ``groups`` is :attr:`gateway.model.Facts.streams`.
    """

    def __init__(self, path: Path, groups: int) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, fsops.FILE_MODE)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        self.path = path
        self._buffer, self._size = bytearray(HEADER), 0
        self._synced = 0  # bytes that are on the medium, if no SYNCED record says so yet
        self.end = End([GroupEnd() for _ in range(groups)])
        self.sync()  # alone: a power cut that tears what follows cannot make it a file of another kind
        self._synced = 0
        fsops.sync_folder(path.parent)

    def append(self, event: Samples | Frame | Marker | Gap) -> None:
        """Append one event; it is counted for END."""
        if isinstance(event, (Samples, Gap, Marker)) and event.group >= len(self.end.groups):
            raise Fatal(f"{self.path}: multiplex group {event.group} was never announced")
        kind, payload = _encode(event, self.end)
        self.end.count(event)
        self._put(kind, event.time, payload, event.data if isinstance(event, Frame) else b"")

    def append_bytes(self, data: bytes, time: float) -> None:
        """Append bytes as received, for replay."""
        self._put(Type.BYTES, time, data)

    def sync(self) -> None:
        """Bring everything appended so far to the medium. A failed fsync gives the file up: it is never tried again."""
        self._flush()
        try:
            fsops.sync(self._descriptor, self.path)
        except Fatal:
            self.abandon()
            raise
        self._synced = self._size

    def close(self, reason: str) -> End:
        """Write END, sync, release the lock: from here on the acquisition is kept whole.

        What comes before END is synced before it: a power cut may leave END and tear what was written with it.
        """
        self.sync()
        self._synced = 0
        self.end.reason = reason
        self._put(Type.END, self.end.last_time, self.end.as_json())
        self.sync()
        self.abandon()
        return self.end

    def abandon(self) -> None:
        """Release the file without END, as a crash would."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _put(self, kind: Type, time: float, payload: bytes, rest: bytes = b"") -> None:
        """``rest`` follows ``payload``: a frame, which may be large, and is written from where it is."""
        if self._synced:
            self._buffer += pack(Type.SYNCED, time, _OFFSET.pack(self._synced))
            self._synced = 0
        self._buffer += _head(kind, time, payload, rest) + payload
        if len(self._buffer) + len(rest) >= _BUFFER:
            self._flush(rest)
        else:
            self._buffer += rest

    def _flush(self, rest: bytes = b"") -> None:
        """All or nothing: the file ends with a whole record also when the disk is full, and nothing is in it twice."""
        self._size = fsops.extend(self._descriptor, self._buffer, self._size, rest)
        self._buffer = bytearray()


def _encode(event: Samples | Frame | Marker | Gap, end: End) -> tuple[Type, bytes]:
    match event:
        case Samples(data=data, group=group):
            head = _SAMPLES.pack(group, data.shape[1], end.groups[group].samples)
            return Type.SAMPLES, head + data.astype("<i4", copy=False).tobytes()
        case Gap():
            first = end.groups[event.group].samples
            gap = {"reason": event.reason, "group": event.group, "first": first}
            return Type.GAP, json.dumps(gap | {"samples": event.samples, "seconds": event.seconds}).encode()
        case Marker():
            mark: dict[str, Any] = {"text": event.text, "group": event.group, "sample": event.sample}
            if event.samples:
                mark["samples"] = event.samples
            if event.concept is not None:
                mark["concept"] = to_json(event.concept)
            return Type.MARKER, json.dumps(mark).encode()
        case Frame():
            return Type.FRAME, json.dumps({"encoding": event.encoding}).encode() + b"\x00"  # its bytes follow


def decode(record: Record) -> Samples | Frame | Marker | Gap | None:
    """The event that a record holds; None for BYTES, SYNCED and END. Samples share the record's memory."""
    match record.type:
        case Type.SAMPLES:
            group, channels, _first = _SAMPLES.unpack_from(record.payload)
            flat = np.frombuffer(record.payload, "<i4", offset=_SAMPLES.size)
            return Samples(flat.reshape(-1, channels), record.time, group)
        case Type.GAP:
            gap = json.loads(record.payload)
            return Gap(gap["reason"], record.time, gap["samples"], gap["seconds"], gap["group"])
        case Type.MARKER:
            mark = json.loads(record.payload)
            concept = from_json(Code, mark["concept"]) if "concept" in mark else None
            return Marker(mark["text"], record.time, mark["group"], mark["sample"], concept, mark.get("samples", 0))
        case Type.FRAME:
            head, data = record.payload.split(b"\x00", 1)
            return Frame(data, record.time, json.loads(head)["encoding"])
        case _:
            return None


def synced(record: Record) -> int:
    """The offset that a SYNCED record tells."""
    return int(_OFFSET.unpack(record.payload)[0])


def version(path: Path) -> int:
    """The format version; 0 for a file that a power cut left without its header, and so with nothing in it.

    Raises Held if it is no record file or of a newer version: then it is left untouched.
    """
    with path.open("rb") as stream:
        head = stream.read(len(HEADER) + 1)
    if (HEADER.startswith(head[: len(HEADER)]) and len(head) < len(HEADER)) or head == bytes(len(HEADER)):
        return 0
    if head[: len(MAGIC)] != MAGIC:
        raise Held(f"{path} is not a record file of this gateway")
    if (found := int(struct.unpack_from("<H", head, len(MAGIC))[0])) > VERSION:
        raise Held(f"{path} has format version {found}, newer than {VERSION}", "upgrade the gateway")
    return found


def read(path: Path, skip: Sequence[Type] = (), start: int = len(HEADER)) -> Iterator[Record]:
    """The good records in order from the offset ``start``, one in memory at a time; ends silently at a torn tail.

    Raises Held as :func:`version` does.
    """
    if not version(path):
        return
    with path.open("rb", buffering=_BUFFER) as stream:
        stream.seek(start)
        while len(head := stream.read(_RECORD.size)) == _RECORD.size:
            length, crc, time, kind = _RECORD.unpack(head)
            if length > LONGEST_PAYLOAD or kind not in _TYPES:
                return
            payload = stream.read(length)
            if len(payload) < length or zlib.crc32(payload, zlib.crc32(head[8:])) != crc:
                return
            if kind not in skip:
                yield Record(time, Type(kind), payload, stream.tell())


def events(path: Path) -> Iterator[Samples | Frame | Marker | Gap]:
    """What was captured, in order; all else is passed over."""
    for record in read(path, skip=(Type.BYTES, Type.SYNCED, Type.END)):
        event = decode(record)
        if event is not None:
            yield event


def being_written(path: Path) -> bool:
    """Whether a living process still holds the file's lock."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def ending(path: Path) -> End | None:
    """END if the file has one. Reads the tail only when it can."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        stream.seek(max(0, size - (64 << 10)))
        tail = stream.read()
    at = tail.rfind(b'{"frames"')
    if at >= _RECORD.size:
        length, crc, _time, kind = _RECORD.unpack_from(tail, at - _RECORD.size)
        whole = at + length == len(tail) and zlib.crc32(tail[at - 9 :]) == crc
        if whole and kind == Type.END:
            return End.from_json(tail[at:])
    return None


def next_good(path: Path, start: int, beat: Callable[[], None] = lambda: None) -> int | None:
    """Offset of the first whole record at or behind ``start``; a place whose head is impossible is not read further."""
    size = path.stat().st_size
    with path.open("rb", buffering=_BUFFER) as stream:
        for base in range(start, size, _BUFFER):
            beat()
            stream.seek(base)
            piece = stream.read(_BUFFER + _RECORD.size - 1)
            for kind in _ANY_TYPE.finditer(piece, _RECORD.size - 1):
                head = piece[kind.end() - _RECORD.size : kind.end()]
                length, crc, time, _kind = _RECORD.unpack(head)
                behind = base + kind.end()
                if length <= min(LONGEST_PAYLOAD, size - behind) and (time == 0 or 1e-3 < time < _LATEST):
                    stream.seek(behind)
                    if zlib.crc32(stream.read(length), zlib.crc32(head[8:])) == crc:
                        return behind - _RECORD.size
    return None
