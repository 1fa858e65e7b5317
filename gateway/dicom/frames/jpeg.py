"""What a JPEG frame of a camera says of itself (ISO/IEC 10918-1 annex B), and whether it is all there.

Nothing is decoded. The entropy-coded data is only searched for where it ends. Cameras leave out the Huffman tables, as
the AVI1 form of Motion JPEG does: the usual ones (annex K.3) are then put in, since DICOM wants an interchange format.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

_SOI, _EOI, _SOS, _DHT, _APP14 = 0xD8, 0xD9, 0xDA, 0xC4, 0xEE
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
BASELINE, EXTENDED = 0xC0, 0xC1
_PROCESSES = {0xC2: "progressive", 0xC3: "lossless", 0xC9: "arithmetic", 0xCA: "arithmetic", 0xCB: "arithmetic"}
_MARKER = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]")  # in entropy-coded data: neither stuffing nor a restart
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})


class Malformed(ValueError):
    """Why a frame cannot be used, as what follows "the frame"."""


@dataclass(frozen=True, slots=True)
class Jpeg:
    """``sampling``: horizontal and vertical, of each component. ``length``: of the whole, End of Image included."""

    process: int  # the SOF marker
    precision: int
    rows: int
    columns: int
    sampling: tuple[tuple[int, int], ...]
    photometric: str  # as DICOM calls it (PS3.5 8.2.1)
    tables_at: int  # where Huffman tables must be put in; 0: it has them
    length: int

    @property
    def alike(self) -> tuple[object, ...]:
        """What all frames of an instance have in common."""
        return self.process, self.precision, self.rows, self.columns, self.sampling, self.photometric


def parse(data: bytes) -> Jpeg:
    """Raises Malformed for what is no whole JPEG image of one of the two sequential Huffman processes."""
    if not data.startswith(b"\xff\xd8"):
        raise Malformed("does not begin as a JPEG image")
    at, frame, adobe, tables_at, has_tables, scans = 2, b"", -1, 0, False, 0
    process = 0
    while True:
        kind, at = _marker(data, at)
        if kind == _EOI:
            break
        if kind in _STANDALONE:
            continue
        if kind == _SOI:
            raise Malformed("has a second image within it")
        body, behind = _segment(data, at)
        if kind in _FRAMES:
            if frame:
                raise Malformed("has two frame headers")
            process, frame = kind, body
        elif kind == _DHT:
            has_tables = True
        elif kind == _APP14 and body.startswith(b"Adobe") and len(body) >= 12:
            adobe = body[11]
        elif kind == _SOS:
            if not frame:
                raise Malformed("has pixels before its header")
            if not scans and not has_tables:
                tables_at = at - 2
            found = _MARKER.search(data, behind)
            if found is None:
                raise Malformed("ends in the middle")
            scans += found.start() - behind
            behind = found.start()
        at = behind
    if not frame or not scans:
        raise Malformed("has no pixels")
    return _described(process, frame, adobe, tables_at, at, scans)


def _marker(data: bytes, at: int) -> tuple[int, int]:
    """The next marker, and where what follows it begins."""
    if data[at : at + 1] != b"\xff":
        raise Malformed("has something else where a marker must be" if at < len(data) else "ends in the middle")
    while data[at : at + 1] == b"\xff":
        at += 1
    if at >= len(data):
        raise Malformed("ends in the middle")
    return data[at], at + 1


def _segment(data: bytes, at: int) -> tuple[bytes, int]:
    if at + 2 > len(data):
        raise Malformed("ends in the middle")
    length = int.from_bytes(data[at : at + 2], "big")
    if length < 2 or at + length > len(data):
        raise Malformed("has a segment that is longer than the frame")
    return data[at + 2 : at + length], at + length


def _described(process: int, frame: bytes, adobe: int, tables_at: int, length: int, coded: int) -> Jpeg:
    if process not in (BASELINE, EXTENDED):
        name = _PROCESSES.get(process, f"process {process:02X}")
        raise Malformed(f"is coded as {name} JPEG, which no transfer syntax of video frames names")
    if len(frame) < 6 or len(frame) != 6 + 3 * frame[5]:
        raise Malformed("has a broken header")
    precision, rows, columns, count = struct.unpack(">BHHB", frame[:6])
    parts = [(frame[n], frame[n + 1] >> 4, frame[n + 1] & 15) for n in range(6, len(frame), 3)]
    if precision != 8 or count not in (1, 3) or not rows or not columns:
        raise Malformed(f"has {count} components of {precision} bits, {columns} x {rows} pixels")
    if not all(1 <= h <= 4 and 1 <= v <= 4 for _, h, v in parts):
        raise Malformed("has an impossible sampling")
    high, wide = 8 * max(v for _, _, v in parts), 8 * max(h for _, h, _ in parts)
    blocks = -(-rows // high) * -(-columns // wide) * sum(h * v for _, h, v in parts) if count > 1 else 0
    if coded * 4 < blocks:  # a block takes two codes of at least a bit each
        raise Malformed("is too short for its size")
    named_rgb = bytes(name for name, _, _ in parts) == b"RGB"
    rgb = adobe == 0 or (adobe < 0 and named_rgb)
    photometric = "MONOCHROME2" if count == 1 else "RGB" if rgb else "YBR_FULL_422"
    return Jpeg(process, precision, rows, columns, tuple((h, v) for _, h, v in parts), photometric, tables_at, length)


def whole(data: bytes, found: Jpeg) -> bytes:
    """The frame as it goes into an instance: what stands behind its end is cut off, missing tables are put in."""
    if not found.tables_at:
        return data[: found.length] if len(data) > found.length else data
    return data[: found.tables_at] + USUAL_TABLES + data[found.tables_at : found.length]


def added(found: Jpeg) -> int:
    """Bytes that :func:`whole` puts in."""
    return len(USUAL_TABLES) if found.tables_at else 0


_DC_COUNTS = ("00010501010101010100000000000000", "00030101010101010101010000000000")
_AC_COUNTS = ("0002010303020403050504040000017d", "00020102040403040705040400010277")
_AC_LUMA = (
    "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a3435363738"
    "393a434445464748494a535455565758595a636465666768696a737475767778797a838485868788898a92939495969798999aa2a3a4a5"
    "a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa"
)
_AC_CHROMA = (
    "000102031104052131061241510761711322328108144291a1b1c109233352f0156272d10a162434e125f11718191a262728292a353637"
    "38393a434445464748494a535455565758595a636465666768696a737475767778797a82838485868788898a92939495969798999aa2a3"
    "a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa"
)


def _usual_tables() -> bytes:
    body = b""
    for number, (dc, ac, values) in enumerate(zip(_DC_COUNTS, _AC_COUNTS, (_AC_LUMA, _AC_CHROMA), strict=True)):
        body += bytes([number]) + bytes.fromhex(dc) + bytes(range(12))
        body += bytes([0x10 | number]) + bytes.fromhex(ac) + bytes.fromhex(values)
    return b"\xff\xc4" + (len(body) + 2).to_bytes(2, "big") + body


USUAL_TABLES = _usual_tables()  # K.3.3.1 and K.3.3.2, in one segment
