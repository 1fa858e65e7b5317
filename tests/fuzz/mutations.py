"""What can be done to a DICOM file so that it lies: blindly, and with an eye for its structure.

Nothing here is the product's. A mutation is drawn from a :class:`random.Random`; the same seed makes the same one.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

WIDE = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
NARROW = {b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL"}
NARROW |= {b"SS", b"ST", b"TM", b"UI", b"UL", b"US"}
LINKS = {0x00041200, 0x00041202, 0x00041400, 0x00041420, 0x00041504}
EDGES = (0, 1, 2, 7, 8, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFE, 0xFFFF)
EDGES_32 = (*EDGES, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)


@dataclass(frozen=True)
class Place:
    """An element or an item: where its tag, its length (so many bytes) and its value are."""

    tag: int
    at: int
    length_at: int
    length_size: int
    value: int
    length: int


def places(data: bytes) -> list[Place]:
    """As a simple reader sees a sound file: sequences are entered, whatever their lengths say."""
    return list(_places(data))


def _places(data: bytes) -> Iterator[Place]:
    at = 132
    while at + 8 <= len(data):
        group, element, vr, short = struct.unpack_from("<HH2sH", data, at)
        tag = group << 16 | element
        if group == 0xFFFE:
            yield Place(tag, at, at + 4, 4, at + 8, 0)
            at += 8
        elif vr in NARROW:
            yield Place(tag, at, at + 6, 2, at + 8, short)
            at += 8 + short
        elif vr in WIDE and at + 12 <= len(data):
            (length,) = struct.unpack_from("<I", data, at + 8)
            yield Place(tag, at, at + 8, 4, at + 12, 0 if vr == b"SQ" else length)
            at += 12 + (0 if vr == b"SQ" else length)
        else:
            return


Mutate = Callable[[random.Random, bytearray, list[Place]], None]


def flip(chance: random.Random, data: bytearray, _: list[Place]) -> None:
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def overwrite(chance: random.Random, data: bytearray, _: list[Place]) -> None:
    at = chance.randrange(len(data))
    data[at : at + 4] = chance.randbytes(chance.choice((1, 2, 4, 4)))


def cut(chance: random.Random, data: bytearray, _: list[Place]) -> None:
    at = chance.randrange(len(data))
    del data[at : at + chance.choice((1, 2, 8, 100, len(data)))]


def repeat(chance: random.Random, data: bytearray, _: list[Place]) -> None:
    at = chance.randrange(len(data))
    data[at:at] = data[at : at + chance.choice((2, 8, 200, 2000))]


def lie_about_a_length(chance: random.Random, data: bytearray, found: list[Place]) -> None:
    one = chance.choice(found)
    edges = EDGES if one.length_size == 2 else EDGES_32
    value = chance.choice((*edges, one.length + 2, max(0, one.length - 2), len(data) - one.value))
    value &= (1 << 8 * one.length_size) - 1
    data[one.length_at : one.length_at + one.length_size] = value.to_bytes(one.length_size, "little")


def lead_a_link_elsewhere(chance: random.Random, data: bytearray, found: list[Place]) -> None:
    links = [one for one in found if one.tag in LINKS and one.length == 4]
    items = [one.at for one in found if one.tag == 0xFFFEE000]
    if not links:
        return
    one = chance.choice(links)
    target = chance.choice((*items, *items, one.at, 0, len(data), chance.randrange(len(data)), 0xFFFFFFFF))
    data[one.value : one.value + 4] = struct.pack("<I", target)


def change_a_tag(chance: random.Random, data: bytearray, found: list[Place]) -> None:
    one, other = chance.choice(found), chance.choice(found)
    data[one.at : one.at + 4] = data[other.at : other.at + 4]


def change_a_vr(chance: random.Random, data: bytearray, found: list[Place]) -> None:
    one = chance.choice(found)
    data[one.at + 4 : one.at + 6] = chance.choice((*sorted(WIDE), *sorted(NARROW), b"\0\0", b"??"))


def change_a_value(chance: random.Random, data: bytearray, found: list[Place]) -> None:
    texts = (b"", b"..\\..\\A", b"\\A", b"A" * 70, b"\x1b$B\xff", b"\x1b[2J", b"ISO_IR 192", b"NONSENSE", b"PATIENT")
    one = chance.choice([p for p in found if p.length] or found)
    length = min(one.length, len(data) - one.value)
    text = chance.choice((*texts, chance.randbytes(length)))
    data[one.value : one.value + length] = text[:length].ljust(length, chance.choice((b" ", b"\0")))


def move_a_part(chance: random.Random, data: bytearray, found: list[Place]) -> None:
    one, other = chance.choice(found), chance.choice(found)
    part = data[one.at : one.value + min(one.length, 4000)]
    data[other.at : other.at] = part


def nest(chance: random.Random, data: bytearray, found: list[Place]) -> None:
    """A sequence of many levels, or of many empty items, where an element was."""
    head = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF)
    item = struct.pack("<HHI", 0xFFFE, 0xE000, chance.choice((0, 0xFFFFFFFF)))
    data[(at := chance.choice(found).at) : at] = chance.choice((head + item, item)) * chance.choice((3, 20, 500))


MUTATIONS: tuple[Mutate, ...] = (
    *(
        flip,
        overwrite,
        cut,
        repeat,
        lie_about_a_length,
        lie_about_a_length,
        lead_a_link_elsewhere,
        lead_a_link_elsewhere,
    ),
    *(change_a_tag, change_a_vr, change_a_value, change_a_value, move_a_part, nest),
)


def mutated(chance: random.Random, data: bytes) -> bytes:
    """``data`` with one to four mutations."""
    raw = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        found = places(bytes(raw))
        if raw and found:
            chance.choice(MUTATIONS)(chance, raw, found)
    return bytes(raw)


def mutated_lines(chance: random.Random, data: bytes) -> bytes:
    """A list of hashes that lies."""
    lines = data.splitlines(keepends=True) or [b""]
    for _ in range(chance.choice((1, 1, 3))):
        i = chance.randrange(len(lines))
        hostile = (b"", b"\n" * 50, b"x" * 1000, lines[i].upper(), lines[i][:-1], lines[i][2:], b"\0" * 300 + b"\n")
        lines[i] = chance.choice((*hostile, lines[i].replace(b"PA0", b"../"), chance.randbytes(80), lines[i] * 3))
    return b"".join(lines)
