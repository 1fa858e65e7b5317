"""The MP4 container around an H.264 stream (ISO/IEC 14496-12, -14, -15), written in front of it and never gone back to.

All frames lie one behind the other in one chunk, so that what must be known of each is its length, its duration and
whether decoding may begin with it: a few bytes per frame, whatever the length of the clip.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SCALE = 90_000  # units of time in a second
AROUND, AROUND_EACH = 256 << 10, 24  # bytes at most in front of the frames: parameters, and what is told of each frame
_UNITY = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_TRACK = 1
_LONG = 0xFFFFFFFF


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One video stream. ``delays``: of each frame, from decoding to display; empty if they come in display order."""

    sequence_set: bytes
    picture_sets: tuple[bytes, ...]
    rows: int
    columns: int
    aspect: tuple[int, int]  # of a pixel, vertical and horizontal
    sizes: NDArray[np.uint32]  # bytes of each frame
    durations: NDArray[np.int64]  # of each frame, in units
    delays: NDArray[np.int64]  # in units
    sync: NDArray[np.uint32]  # 1-based numbers of the frames with which decoding may begin


def box(name: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), name) + body


def full(name: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    return box(name, struct.pack(">I", version << 24 | flags), *parts)


def length(track: Track) -> int:
    """Bytes of the whole file."""
    return len(head(track)) + int(track.sizes.sum(dtype=np.int64))


def head(track: Track) -> bytes:
    """All that stands before the first frame."""
    brand = box(b"ftyp", b"isom", struct.pack(">I", 0x200), b"isomiso2avc1mp41")
    data = int(track.sizes.sum(dtype=np.int64))
    media = struct.pack(">I4sQ", 1, b"mdat", 16 + data)  # always with a 64-bit length: it is as long for all clips
    first = len(brand) + len(_movie(track, 0)) + len(media)
    return brand + _movie(track, first) + media


def sample(units: Sequence[bytes]) -> bytes:
    """One frame: each NAL unit behind its length."""
    return b"".join(part for unit in units for part in (struct.pack(">I", len(unit)), unit))


def _movie(track: Track, first: int) -> bytes:
    lasts = int(track.durations.sum())
    header = full(
        b"mvhd",
        1,
        0,
        struct.pack(">QQIQIH10x", 0, 0, SCALE, lasts, 0x10000, 0x100),
        _UNITY,
        bytes(24),
        struct.pack(">I", _TRACK + 1),
    )
    return box(b"moov", header, _track(track, lasts, first))


def _track(track: Track, lasts: int, first: int) -> bytes:
    wide = round(track.columns * track.aspect[1] / track.aspect[0] * 65536)
    header = full(
        b"tkhd",
        1,
        3,
        struct.pack(">QQI4xQ8xhhh2x", 0, 0, _TRACK, lasts, 0, 0, 0),
        _UNITY,
        struct.pack(">II", min(wide, _LONG), track.rows << 16),
    )
    media = box(
        b"mdia",
        full(b"mdhd", 1, 0, struct.pack(">QQIQHH", 0, 0, SCALE, lasts, 0x55C4, 0)),  # language: undetermined
        full(b"hdlr", 0, 0, struct.pack(">I4s12x", 0, b"vide"), b"video\0"),
        box(
            b"minf",
            full(b"vmhd", 0, 1, bytes(8)),
            box(b"dinf", full(b"dref", 0, 0, struct.pack(">I", 1), full(b"url ", 0, 1))),
            _samples(track, first),
        ),
    )
    edit = b""
    if track.delays.size:  # display begins with the frame that is shown first
        decoded = np.cumsum(track.durations) - track.durations
        early = int((decoded + track.delays).min())
        edit = box(b"edts", full(b"elst", 1, 0, struct.pack(">IQqhh", 1, lasts, early, 1, 0)))
    return box(b"trak", header, edit, media)


def _samples(track: Track, first: int) -> bytes:
    count = len(track.sizes)
    parts = [
        full(b"stsd", 0, 0, struct.pack(">I", 1), _entry(track)),
        full(b"stts", 0, 0, _runs(track.durations)),
        full(b"stss", 0, 0, struct.pack(">I", len(track.sync)), track.sync.astype(">u4").tobytes()),
        full(b"stsc", 0, 0, struct.pack(">IIII", 1, 1, count, 1)),
        full(b"stsz", 0, 0, struct.pack(">II", 0, count), track.sizes.astype(">u4").tobytes()),
        full(b"stco", 0, 0, struct.pack(">II", 1, first)),
    ]
    if track.delays.size:
        parts.insert(2, full(b"ctts", 0, 0, _runs(track.delays)))
    return box(b"stbl", *parts)


def _runs(values: NDArray[np.int64]) -> bytes:
    """Equal values are told once, with their number."""
    starts = np.concatenate(([0], np.flatnonzero(np.diff(values)) + 1))
    counts = np.diff(np.concatenate((starts, [len(values)])))
    table = np.stack((counts, values[starts]), axis=1).astype(">u4")
    return struct.pack(">I", len(table)) + table.tobytes()


def _entry(track: Track) -> bytes:
    """How the frames are coded (14496-15 5.3.4)."""
    told = track.sequence_set
    record = b"\1" + told[1:4] + b"\xff\xe1" + struct.pack(">H", len(told)) + told
    record += bytes([len(track.picture_sets)])
    record += b"".join(struct.pack(">H", len(one)) + one for one in track.picture_sets)
    record += b"\xfd\xf8\xf8\0"  # High Profile tells more: chroma 4:2:0, 8 bits each, no extensions
    return box(
        b"avc1",
        struct.pack(">6xH16xHHII4xH", 1, track.columns, track.rows, 0x480000, 0x480000, 1),
        bytes(32),
        struct.pack(">Hh", 24, -1),
        box(b"avcC", record),
        box(b"pasp", struct.pack(">II", track.aspect[1], track.aspect[0])),
    )
