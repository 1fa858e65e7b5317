"""How verbs talk to people: aligned tables on a terminal, one JSON object on request."""

from __future__ import annotations

import json
import sys
import time
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any


def as_json(value: Any) -> None:
    """One object on standard output; stable field names."""
    print(json.dumps(value, ensure_ascii=False, indent=1))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns aligned by display width (ideographs take two cells)."""
    lines = [list(head), *[[str(cell) for cell in row] for row in rows]]
    widths = [max(_width(line[i]) for line in lines) for i in range(len(head))]
    for line in lines:
        cells = [cell + " " * (w - _width(cell)) for cell, w in zip(line, widths, strict=True)]
        print("  ".join(cells).rstrip(), flush=True)


def note(text: str) -> None:
    """For the person, when standard output may be data."""
    print(text, file=sys.stderr, flush=True)


def age(seconds: float) -> str:
    """12 s, 5 min, 3 h, 2 d: as coarse as a person wants it."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"


def when(wall: float) -> str:
    """Local time, to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(wall))


class Progress:
    """One line that is rewritten on a terminal, and printed only when it ends elsewhere."""

    def __init__(self) -> None:
        self.live = sys.stderr.isatty()
        self._shown = 0

    def show(self, text: str) -> None:
        if self.live:
            pad = " " * max(0, self._shown - _width(text))
            print(f"\r{text}{pad}", end="", file=sys.stderr, flush=True)
            self._shown = _width(text)

    def done(self, text: str) -> None:
        self.show(text)
        if self.live:
            print(file=sys.stderr)
            self._shown = 0
        else:
            note(text)


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text if not unicodedata.combining(c))
