"""The ICC profile of sRGB, made here: ICC.1:2010 (version 4), class Input Device, as PS3.3 C.11.15.1.1 wants it.

The numbers are those of IEC 61966-2-1: primaries and white adapted to D50 by the Bradford transform, and the curve.
"""

from __future__ import annotations

import struct
from functools import cache

_RED, _GREEN, _BLUE = (0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410)
_D50 = (0.9642, 1.0, 0.8249)
_BRADFORD = (1.04788, 0.02292, -0.05022, 0.02959, 0.99048, -0.01707, -0.00925, 0.01508, 0.75168)  # D65 to D50
_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)  # parametric, type 3: above 0.04045 a power, else a line


def _fixed(*numbers: float) -> bytes:
    return struct.pack(f">{len(numbers)}i", *(round(n * 65536) for n in numbers))


def _words(text: str) -> bytes:
    data = text.encode("utf-16-be")
    return b"mluc" + struct.pack(">IIIHHII", 0, 1, 12, 0x656E, 0x5553, len(data), 28) + data


@cache
def srgb() -> bytes:
    """The profile, of an even length."""
    xyz, curve = b"XYZ " + bytes(4), b"para" + bytes(4) + struct.pack(">HH", 3, 0) + _fixed(*_CURVE)
    tags = {
        b"desc": _words("sRGB"),
        b"cprt": _words("No copyright, use freely"),
        b"wtpt": xyz + _fixed(*_D50),
        b"chad": b"sf32" + bytes(4) + _fixed(*_BRADFORD),
        b"rXYZ": xyz + _fixed(*_RED),
        b"gXYZ": xyz + _fixed(*_GREEN),
        b"bXYZ": xyz + _fixed(*_BLUE),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    table, body = struct.pack(">I", len(tags)), b""
    places: dict[bytes, int] = {}
    for name, data in tags.items():
        if data not in places:  # the three curves share one place
            places[data] = 128 + 4 + 12 * len(tags) + len(body)
            body += data + bytes(-len(data) % 4)
        table += name + struct.pack(">II", places[data], len(data))
    size = 128 + len(table) + len(body)
    head = struct.pack(">I4sI4s4s4s", size, bytes(4), 0x04200000, b"scnr", b"RGB ", b"XYZ ")
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(24) + struct.pack(">I", 0) + _fixed(*_D50)
    return head + bytes(128 - len(head)) + table + body
