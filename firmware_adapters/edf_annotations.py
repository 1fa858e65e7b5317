"""Time-stamped annotations lists (TALs) of EDF+ and BDF+: onset, duration, texts. Pure.

    +123.4 [15 5.6] 14 text 14 text 14 00      (15, 14 and 00 are bytes in hexadecimal)

The first TAL of each data record has an empty first text, and its onset is when the record began.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

_TAL = re.compile(rb"([+-]\d{1,12}(?:\.\d{0,12})?)(?:\x15(\d{1,12}(?:\.\d{0,12})?))?\x14(.*)\x14", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Tal:
    """``onset`` in seconds from the start that the header tells; ``at``: its byte in the signal."""

    at: int
    onset: Fraction
    duration: Fraction
    texts: tuple[str, ...]


def tals(data: bytes) -> Iterator[Tal | int]:
    """Those of one annotation signal in one data record; for what is none, the byte at which it stands."""
    at = 0
    for piece in data.split(b"\x00"):
        if piece:
            found = _TAL.fullmatch(piece if piece.count(b"\x14") > 1 else piece + b"\x14")
            if found is None or not piece.endswith(b"\x14"):
                yield at
            else:
                texts = tuple(text.decode("utf-8", "replace") for text in found[3].split(b"\x14"))
                yield Tal(at, Fraction(found[1].decode()), Fraction((found[2] or b"0").decode()), texts)
        at += len(piece) + 1
