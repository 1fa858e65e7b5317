"""Frames that are coded one by one, unfolded to Explicit VR Little Endian: one frame in memory, however long the clip.

JPEG-LS comes back to the bit. Baseline and extended JPEG come back as one decoder sees them, in R, G, B: only where the
destination is set so, since another decoder may differ by a step under the same UID. What they lost stays lost, and the
header goes on saying so (PS3.3 C.7.6.1.1.5).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import iter_pixels

from gateway.dicom import encode
from gateway.dicom.reading import open_file
from gateway.errors import Held
from gateway.transfer.lossless import LOSSY_FRAMES, STREAMED
from gateway.transfer.transcoding.explicit import OF_CODING, same_values

_TABLES = (0x7FE00001, 0x7FE00002)
_PIXELS = 0x7FE00010
_LONGEST = 0xFFFFFFFE  # bytes of one value (PS3.5 7.1.1)


def size(source: Path) -> int:
    """Bytes of the pixels when they are unfolded. Raises Held if nobody can tell."""
    try:
        head = dcmread(source, stop_before_pixels=True)
        frame = int(head.Rows) * int(head.Columns) * int(head.SamplesPerPixel) * (int(head.BitsAllocated) // 8)
        return frame * int(head.get("NumberOfFrames") or 1)
    except Exception as error:
        raise Held(f"{source} cannot be read ({error or type(error).__name__})") from error


def unfold(source: Path, target: BinaryIO, beat: Callable[[], None] = lambda: None) -> None:
    """Write ``source`` anew to the empty file ``target``. Raises Held, in words, if that cannot be done."""
    file = open_file(source)
    syntax = str(file.meta.TransferSyntaxUID)
    if syntax not in STREAMED:
        raise Held(f"{source} has transfer syntax {syntax}, which is not unfolded frame by frame")
    if not get_decoder(syntax).is_available:
        raise Held(f"{source} has transfer syntax {syntax}, and no decoder for it is installed here")
    if max(file.dataset.keys()) > _PIXELS:
        raise Held(f"{source} has elements behind its pixels, and is not transcoded")
    if (length := size(source)) > _LONGEST:
        raise Held(f"{source} unfolds to {length >> 20} MiB, more than an uncompressed instance holds")
    try:
        _write(source, target, syntax, length, beat)
    except (Held, OSError):
        raise
    except Exception as error:  # foreign bytes: whatever a decoder trips over means the same to a person
        raise Held(f"{source} cannot be transcoded from {syntax} ({error or type(error).__name__})") from error


def _write(source: Path, target: BinaryIO, syntax: str, length: int, beat: Callable[[], None]) -> None:
    head = dcmread(source, stop_before_pixels=True)
    for tag in _TABLES:
        head.pop(tag, None)
    if int(head.SamplesPerPixel) > 1:
        head.PlanarConfiguration = 0
        if syntax in LOSSY_FRAMES:
            head.PhotometricInterpretation = "RGB"
    target.write(encode.beginning(head))
    vr = b"OB" if int(head.BitsAllocated) <= 8 else b"OW"
    target.write(struct.pack("<HH2sHI", 0x7FE0, 0x0010, vr, 0, length + length % 2))
    begins, written = target.tell(), 0
    for frame in _frames(source, syntax):
        data = frame.tobytes()
        target.write(data)
        written += len(data)
        beat()
    if written != length:
        raise Held(f"{source} unfolds to {written} bytes, and its header speaks of {length}")
    target.write(bytes(length % 2))
    target.flush()
    _compare(source, target, syntax, begins, beat)


def _frames(source: Path, syntax: str) -> Iterator[NDArray[Any]]:
    return iter_pixels(source, raw=syntax not in LOSSY_FRAMES)


def _compare(source: Path, target: BinaryIO, syntax: str, begins: int, beat: Callable[[], None]) -> None:
    """Raises ValueError if a value is another one now, or a frame does not come out again as it was written."""
    old: Dataset = dcmread(source, stop_before_pixels=True)
    target.seek(0)
    same_values(old, dcmread(target, stop_before_pixels=True), OF_CODING, False)
    at = begins
    for frame in _frames(source, syntax):
        data = frame.tobytes()
        if os.pread(target.fileno(), len(data), at) != data:
            raise ValueError("its pixels come out otherwise")
        at += len(data)
        beat()
    target.seek(0, os.SEEK_END)
