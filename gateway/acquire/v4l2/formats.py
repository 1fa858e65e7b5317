"""The pixel formats that are taken, by their four-character codes, and a frame without what the device puts around it.

Samples are kept as the device made them: only their order in memory is made that of the encoding's name, and the
padding behind each row is left out, so that wrapping needs to know nothing of the device.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Memory = bytes | memoryview


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """``encoding`` is of :class:`gateway.model.Picture`; ``bits`` of one pixel, 0 if the device compresses."""

    encoding: str
    bits: int


FORMATS = {
    "MJPG": PixelFormat("MJPEG", 0),
    "JPEG": PixelFormat("MJPEG", 0),
    "H264": PixelFormat("H264", 0),
    "YUYV": PixelFormat("YUYV", 16),
    "UYVY": PixelFormat("YUYV", 16),
    "NV12": PixelFormat("NV12", 12),
    "RGB3": PixelFormat("RGB24", 24),
    "BGR3": PixelFormat("RGB24", 24),
}
# What "auto" prefers: what the camera itself compresses asks least of the disk, and H.264 is nobody's first still.
ENCODINGS = ("MJPEG", "YUYV", "NV12", "RGB24", "H264")


def code(name: str) -> int:
    """A four-character code as the kernel's number."""
    return int.from_bytes(name.encode("ascii"), "little")


def name_of(number: int) -> str:
    return number.to_bytes(4, "little").decode("ascii", "replace")


def tidy(data: Memory, fourcc: str, columns: int, rows: int, stride: int) -> bytes | None:
    """A copy of one frame, rows closed up, in the order of the encoding's name; None if it is too short to be one.

    ``stride``: bytes from one row to the next, 0 if compressed. NV12: all rows of Y, then half as many of CbCr.
    """
    form = FORMATS[fourcc]
    if not form.bits:
        return bytes(data) or None
    width = columns if fourcc == "NV12" else columns * form.bits // 8
    lines = rows * 3 // 2 if fourcc == "NV12" else rows
    stride = max(stride, width)
    if len(data) < (lines - 1) * stride + width:
        return None
    if stride == width and fourcc not in _REORDERED:
        return bytes(data[: lines * width])
    padded = np.frombuffer(data, np.uint8, lines * stride if len(data) >= lines * stride else len(data))
    if len(padded) < lines * stride:  # the last row may come without its padding
        padded = np.pad(padded, (0, lines * stride - len(padded)))
    inside = padded.reshape(lines, stride)[:, :width]
    return _ordered(inside, fourcc).tobytes()


_REORDERED = ("UYVY", "BGR3")


def _ordered(rows: NDArray[np.uint8], fourcc: str) -> NDArray[np.uint8]:
    if fourcc == "UYVY":
        return rows.reshape(len(rows), -1, 2)[:, :, ::-1]
    if fourcc == "BGR3":
        return rows.reshape(len(rows), -1, 3)[:, :, ::-1]
    return rows
