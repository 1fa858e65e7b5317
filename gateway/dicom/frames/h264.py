"""What an H.264 stream says of itself: NAL units in a byte stream, parameter set, slice header (ITU-T H.264)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.dicom.frames.bits import Bits
from gateway.dicom.frames.jpeg import Malformed

SLICE, IDR, SEI, SPS, PPS, DELIMITER, FILLER = 1, 5, 6, 7, 8, 9, 12
_B = 1  # slice_type modulo 5
_RECOVERY_POINT = 6  # payload type of an SEI message
_CHROMA_TOLD = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
_ASPECTS = "1:1 12:11 10:11 16:11 40:33 24:11 20:11 32:11 80:33 18:11 15:11 64:33 160:99 4:3 3:2 2:1"
_EXTENDED_ASPECT, _MATRICES = 255, {1: "BT.709", 5: "BT.601", 6: "BT.601"}
PROFILES = {
    66: "Baseline",
    77: "Main",
    88: "Extended",
    100: "High",
    110: "High 10",
    122: "High 4:2:2",
    244: "High 4:4:4",
}


@dataclass(frozen=True, slots=True)
class Sequence:
    """A sequence parameter set, as far as it matters here."""

    profile: int  # profile_idc
    constraints: int  # the byte behind it
    level: int  # ten times the level
    chroma: int  # chroma_format_idc: 1 = 4:2:0
    depth: int  # bits of a sample
    rows: int
    columns: int
    aspect: tuple[int, int]  # of a pixel, vertical and horizontal
    matrix: str  # "" = not told
    full_range: bool
    rate: float  # frames per second as told; 0 = not told
    frames_only: bool  # frame_mbs_only_flag
    colour_planes: bool  # separate_colour_plane_flag
    frame_number_bits: int
    order_type: int  # pic_order_cnt_type
    order_bits: int  # of pic_order_cnt_lsb

    @property
    def named(self) -> str:
        """Profile and level as people write them."""
        constrained = "Constrained " if self.profile == 66 and self.constraints & 0x40 else ""
        return f"{constrained}{PROFILES.get(self.profile, f'profile {self.profile}')}, level {self.level / 10:g}"


@dataclass(frozen=True, slots=True)
class Slice:
    """The beginning of a picture's first slice."""

    bidirectional: bool
    fields: bool
    order: int  # pic_order_cnt_lsb; 0 if the stream does not tell orders so


def units(data: bytes) -> Iterator[bytes]:
    """The NAL units of a byte stream (annex B), without start codes and trailing zeros."""
    at = data.find(b"\0\0\1")
    while at >= 0:
        behind = data.find(b"\0\0\1", at + 3)
        unit = data[at + 3 : behind if behind >= 0 else len(data)].rstrip(b"\0")
        if unit:
            yield unit
        at = behind


def kind(unit: bytes) -> int:
    """nal_unit_type. Raises Malformed if the forbidden bit is set."""
    if unit[0] & 0x80:
        raise Malformed("is damaged")
    return unit[0] & 0x1F


def random_access(found: list[bytes]) -> bool:
    """Whether decoding may begin with the access unit of these NAL units."""
    return any(
        kind(unit) == IDR or (kind(unit) == SEI and len(unit) > 1 and unit[1] == _RECOVERY_POINT) for unit in found
    )


def sequence(unit: bytes) -> Sequence:
    """A sequence parameter set (7.3.2.1.1). Raises Malformed."""
    bits = Bits(unit[1:])
    profile, constraints, level = bits.u(8), bits.u(8), bits.u(8)
    bits.ue()
    chroma, depth, planes = 1, 8, False
    if profile in _CHROMA_TOLD:
        chroma = bits.ue()
        planes = bits.flag() if chroma == 3 else False
        depth = 8 + max(bits.ue(), bits.ue())
        bits.u(1)
        if bits.flag():
            _scaling(bits, 8 if chroma != 3 else 12)
    number_bits = 4 + bits.ue()
    order_type, order_bits = bits.ue(), 0
    if order_type == 0:
        order_bits = 4 + bits.ue()
    elif order_type == 1:
        bits.u(1)
        bits.se()
        bits.se()
        for _ in range(bits.ue()):
            bits.se()
    bits.ue()
    bits.u(1)
    columns, height = 16 * (bits.ue() + 1), bits.ue() + 1
    frames_only = bits.flag()
    rows = 16 * height * (1 if frames_only else 2)
    if not frames_only:
        bits.u(1)
    bits.u(1)
    if bits.flag():
        across, down = (2 if chroma in (1, 2) else 1), (2 if chroma == 1 else 1) * (1 if frames_only else 2)
        columns -= across * (bits.ue() + bits.ue())
        rows -= down * (bits.ue() + bits.ue())
    aspect, matrix, full_range, rate = _usability(bits) if bits.flag() else ((1, 1), "", False, 0.0)
    if not (0 < rows <= 65535 and 0 < columns <= 65535 and number_bits <= 16 and order_bits <= 16):
        raise Malformed("has impossible numbers in its parameter set")
    told = (profile, constraints, level, chroma, depth, rows, columns, aspect, matrix, full_range, rate)
    return Sequence(*told, frames_only, planes, number_bits, order_type, order_bits)


def _scaling(bits: Bits, lists: int) -> None:
    for number in range(lists):
        if bits.flag():
            last = following = 8
            for _ in range(16 if number < 6 else 64):
                if following:
                    following = (last + bits.se()) % 256
                last = following or last


def _usability(bits: Bits) -> tuple[tuple[int, int], str, bool, float]:
    """Pixel aspect ratio, colour matrix, range and frame rate (annex E)."""
    aspect, matrix, full_range, rate = (1, 1), "", False, 0.0
    if bits.flag():
        coded = bits.u(8)
        width, height = 1, 1
        if coded == _EXTENDED_ASPECT:
            width, height = bits.u(16), bits.u(16)
        elif 1 <= coded <= len(_ASPECTS.split()):
            width, height = (int(n) for n in _ASPECTS.split()[coded - 1].split(":"))
        aspect = (height, width) if width and height else (1, 1)
    if bits.flag():
        bits.u(1)
    if bits.flag():
        bits.u(3)
        full_range = bits.flag()
        if bits.flag():
            bits.u(16)
            matrix = _MATRICES.get(bits.u(8), "")
    if bits.flag():
        bits.ue()
        bits.ue()
    if bits.flag():
        tick, scale = bits.u(32), bits.u(32)
        rate = scale / (2 * tick) if tick else 0.0
    return aspect, matrix, full_range, rate


def slice_header(unit: bytes, told: Sequence) -> Slice:
    """The beginning of a slice header (7.3.3). Raises Malformed."""
    bits = Bits(unit[1:65])
    bits.ue()
    bidirectional = bits.ue() % 5 == _B
    bits.ue()
    if told.colour_planes:
        bits.u(2)
    bits.u(told.frame_number_bits)
    fields = not told.frames_only and bits.flag()
    if fields:
        bits.u(1)
    if kind(unit) == IDR:
        bits.ue()
    return Slice(bidirectional, fields, bits.u(told.order_bits) if told.order_type == 0 else 0)
