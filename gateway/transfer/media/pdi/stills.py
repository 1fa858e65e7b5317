"""The first frame of an image file as a browser shows it: JPEG as it is, uncoded pixels as PNG, nothing of the rest.

Read with our own elements, so no byte is believed: sizes are held against the file, rows are read a few at a time, and
a picture larger than :data:`LARGEST` pixels a side is averaged down to it while it is read.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.transfer import part10
from gateway.transfer.media.dicomdir.elements import UNDEFINED, Malformed, Window, element_at, tag_at
from gateway.transfer.media.dicomdir.records_table import EXPLICIT_LITTLE
from gateway.transfer.media.pdi.png import png

LARGEST = 1024  # pixels a side
_BASELINE, _EXTENDED = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"
_MOST_PIXELS = 1 << 26  # of a JPEG that is passed on: what a browser still opens
_MOST_BYTES = 16 << 20  # of one
_PIXELS, _ITEM = 0x7FE00010, 0xFFFEE000
_WANTED = frozenset(
    {0x00280002, 0x00280004, 0x00280006, 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280103}
    | {0x00281050, 0x00281051, 0x00281052, 0x00281053, 0x00281101, 0x00281102, 0x00281103}
    | {0x00281201, 0x00281202, 0x00281203}
)
_LONGEST = 1 << 17  # bytes of one wanted value: a palette
_ADOBE_RGB = bytes.fromhex("ffee000e41646f6265006400000000") + b"\x00"  # APP14: three components that are RGB
_FRAME_HEADERS = frozenset({0xC0, 0xC1, 0xC2})  # SOF of what browsers decode


@dataclass(frozen=True, slots=True)
class _Image:
    """Where the pixels lie, and what they mean."""

    values: dict[int, bytes]
    at: int
    length: int

    def number(self, tag: int, default: int = 0) -> int:
        raw = self.values.get(tag, b"")
        return int.from_bytes(raw[:2], "little") if len(raw) >= 2 else default

    def text(self, tag: int) -> str:
        return self.values.get(tag, b"").decode("ascii", "replace").strip("\0 ")

    def decimal(self, tag: int) -> float | None:
        try:
            return float(self.text(tag).split("\\")[0])
        except ValueError:
            return None


def still(descriptor: int) -> tuple[str, bytes] | None:
    """Suffix and bytes of a picture; None if no browser could show one. Raises Malformed, Misuse or OSError."""
    source = Window(descriptor)
    header = part10.read(descriptor, "the instance")
    image = _find(source, header.offset)
    if image is None:
        return None
    if header.transfer_syntax_uid in (_BASELINE, _EXTENDED) and image.length == UNDEFINED:
        coded = _jpeg(_first_frame(source, image.at), image.text(0x00280004))
        return None if coded is None else (".JPG", coded)
    if header.transfer_syntax_uid != EXPLICIT_LITTLE or image.length == UNDEFINED:
        return None
    pixels = _decoded(descriptor, image)
    return None if pixels is None else (".PNG", png(pixels))


def _find(source: Window, at: int) -> _Image | None:
    values: dict[int, bytes] = {}
    while at + 12 <= source.size:
        group, number = struct.unpack("<HH", source.read(at, 4))
        if (tag := group << 16 | number) == _PIXELS:
            return _Image(values, at + 12, int.from_bytes(source.read(at + 8, 4), "little"))
        if tag > _PIXELS:
            return None
        element = element_at(source, at, source.size)
        if tag in _WANTED and element.length <= _LONGEST:
            values[tag] = source.read(element.value, element.length)
        at = element.end
    return None


def _first_frame(source: Window, at: int) -> bytes:
    """The fragments up to the one that ends the JPEG (PS3.5 A.4); the first item is the table of offsets."""
    data = bytearray()
    tag, length = tag_at(source, at)
    at += 8 + length
    while tag == _ITEM and at + 8 <= source.size:
        tag, length = tag_at(source, at)
        if tag != _ITEM or len(data) + length > _MOST_BYTES:
            break
        data += source.read(at + 8, length)
        at += 8 + length
        if data.rstrip(b"\0").endswith(b"\xff\xd9"):
            break
    return bytes(data)


def _jpeg(data: bytes, photometric: str) -> bytes | None:
    """The coded frame, if it is one that browsers show; one that holds RGB without saying so gets told so."""
    if data[:2] != b"\xff\xd8":
        return None
    at, adobe = 2, False
    while at + 10 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        adobe = adobe or (marker == 0xEE and data[at + 4 : at + 9] == b"Adobe")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            rows, columns = struct.unpack_from(">HH", data, at + 5)
            if marker not in _FRAME_HEADERS or data[at + 4] != 8 or not 0 < rows * columns <= _MOST_PIXELS:
                return None
            return data if adobe or photometric != "RGB" else data[:2] + _ADOBE_RGB + data[2:]
        at += 2 + length
    return None


def _decoded(descriptor: int, image: _Image) -> NDArray[np.uint8] | None:
    rows, columns = image.number(0x00280010), image.number(0x00280011)
    samples, bits = image.number(0x00280002, 1), image.number(0x00280100, 8)
    photometric = image.text(0x00280004)
    grey = photometric in ("MONOCHROME1", "MONOCHROME2") and samples == 1 and bits in (8, 16)
    palette = _palette(image) if photometric == "PALETTE COLOR" and samples == 1 and bits in (8, 16) else None
    colour = photometric in ("RGB", "YBR_FULL", "YBR_FULL_422") and samples == 3 and bits == 8
    if not (rows and columns and (grey or colour or palette is not None)):
        return None
    per_pixel = 2 if photometric == "YBR_FULL_422" else samples * bits // 8
    if (photometric == "YBR_FULL_422" and columns % 2) or image.length < rows * columns * per_pixel:
        return None
    step = -(-max(rows, columns) // LARGEST)
    bands = []
    for row in range(0, rows, step):
        band = _band(descriptor, image, row, min(step, rows - row))
        if palette is not None:
            first = int.from_bytes(image.values[0x00281101][2:4], "little")
            band = palette[np.clip(band.astype(np.int64) - first, 0, len(palette) - 1)]
        bands.append(_averaged(band, step))
    whole = np.stack(bands)
    return _grey(whole, image) if grey else _rgb(whole, photometric)


def _band(descriptor: int, image: _Image, row: int, count: int) -> NDArray[np.generic]:
    """Rows ``row`` and following: shape (count, columns) or (count, columns, 3)."""
    rows, columns = image.number(0x00280010), image.number(0x00280011)
    if image.number(0x00280002, 1) == 1:
        bits = image.number(0x00280100, 8)
        raw = np.frombuffer(
            _read(descriptor, image.at, row * columns * bits // 8, count * columns * bits // 8), f"<u{bits // 8}"
        )
        return _signed(raw, image).reshape(count, columns)
    if image.text(0x00280004) == "YBR_FULL_422":
        raw = np.frombuffer(_read(descriptor, image.at, row * columns * 2, count * columns * 2), "u1")
        pairs = raw.reshape(count, columns // 2, 4)
        chroma = np.repeat(pairs[:, :, 2:], 2, axis=1)
        return np.concatenate((pairs[:, :, :2].reshape(count, columns, 1), chroma), axis=2)
    if image.number(0x00280006) == 1:  # one plane after the other
        planes = [_read(descriptor, image.at, (p * rows + row) * columns, count * columns) for p in range(3)]
        return np.stack([np.frombuffer(plane, "u1").reshape(count, columns) for plane in planes], axis=2)
    raw = np.frombuffer(_read(descriptor, image.at, row * columns * 3, count * columns * 3), "u1")
    return raw.reshape(count, columns, 3)


def _signed(raw: NDArray[np.generic], image: _Image) -> NDArray[np.generic]:
    """Stored values without what stands above Bits Stored, with their sign."""
    width = 8 * raw.dtype.itemsize
    unused = width - min(max(image.number(0x00280101, width), 1), width)
    wide = raw.astype(np.int32) << (32 - width + unused)
    if image.number(0x00280103):
        return wide >> (32 - width + unused)
    return wide.view(np.uint32) >> (32 - width + unused)


def _read(descriptor: int, start: int, at: int, count: int) -> bytes:
    found = os.pread(descriptor, count, start + at)
    if len(found) < count:
        raise Malformed("the pixels end before they should")
    return found


def _averaged(band: NDArray[np.generic], step: int) -> NDArray[np.float32]:
    """One row of means over squares of ``step`` pixels."""
    columns = band.shape[1]
    starts = np.arange(0, columns, step)
    counts = np.minimum(starts + step, columns) - starts
    sums = np.add.reduceat(band.astype(np.float32).sum(axis=0), starts, axis=0)
    shape = (-1,) + (1,) * (sums.ndim - 1)
    found: NDArray[np.float32] = sums / (counts.reshape(shape) * band.shape[0])
    return found


def _grey(values: NDArray[np.float32], image: _Image) -> NDArray[np.uint8]:
    """By the window the file states (PS3.3 C.11.2), else the whole range."""
    center, width = image.decimal(0x00281050), image.decimal(0x00281051)
    if center is not None and width is not None and width >= 1:
        slope, intercept = image.decimal(0x00281053), image.decimal(0x00281052)
        scaled = values * (1.0 if slope is None else slope) + (intercept or 0.0)
        low, high = center - width / 2, center + width / 2
    elif image.number(0x00280100, 8) == 8 and not image.number(0x00280103):
        scaled, low, high = values, 0.0, 255.0
    else:
        scaled = values
        low, high = (float(v) for v in np.percentile(values, (0.5, 99.5)))
    shown = np.nan_to_num(np.clip((scaled - low) / max(high - low, 1e-9), 0, 1))
    if image.text(0x00280004) == "MONOCHROME1":
        shown = 1 - shown
    found: NDArray[np.uint8] = (shown * 255 + 0.5).astype(np.uint8)
    return found


def _rgb(values: NDArray[np.float32], photometric: str) -> NDArray[np.uint8]:
    if photometric.startswith("YBR"):  # PS3.3 C.7.6.3.1.2
        y, blue, red = (values[..., n] for n in range(3))
        blue, red = blue - 128, red - 128
        values = np.stack((y + 1.402 * red, y - 0.344136 * blue - 0.714136 * red, y + 1.772 * blue), axis=-1)
    found: NDArray[np.uint8] = np.clip(values + 0.5, 0, 255).astype(np.uint8)
    return found


def _palette(image: _Image) -> NDArray[np.float32] | None:
    """Colours of a palette, shape (entries, 3), 0 to 255 (PS3.3 C.7.9)."""
    columns = []
    for descriptor, data in ((0x00281101, 0x00281201), (0x00281102, 0x00281202), (0x00281103, 0x00281203)):
        described = image.values.get(descriptor, b"")
        if len(described) != 6:
            return None
        count, _first, bits = struct.unpack("<HHH", described)
        raw = image.values.get(data, b"")
        kind, top = ("<u1", 255.0) if bits == 8 and len(raw) < 2 * (count or 65536) else ("<u2", 65535.0)
        entries = np.frombuffer(raw[: (count or 65536) * int(kind[-1])], kind)
        if bits == 8 and kind == "<u2":
            top = 255.0 if entries.max(initial=0) < 256 else 65535.0
        columns.append(entries.astype(np.float32) * (255.0 / top))
    shortest = min(len(column) for column in columns)
    return np.stack([column[:shortest] for column in columns], axis=1) if shortest else None
