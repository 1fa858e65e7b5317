"""Millimetre paper as SVG: grid, traces, calibration pulse. One user unit is one millimetre.

Speeds and gains are those of an electrocardiograph; colours as of its paper.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

SPEED = 25.0  # mm/s
GAIN = 10.0  # mm/mV
PULSE = (3.0, 5.0)  # mm: lead-in of the calibration pulse, and its width (0.2 s)
_INK, _THIN, _THICK, _BACK = "#141414", "#f5c6c6", "#e58c8c", "#fffafa"


class Paper:
    """Collects marks; coordinates are millimetres from the upper left corner."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self._marks: list[str] = []

    def text(self, x: float, y: float, words: str, size: float = 3.2, bold: bool = False) -> None:
        weight = ' font-weight="bold"' if bold else ""
        self._marks.append(f'<text x="{x:.2f}" y="{y:.2f}" font-size="{size:g}"{weight}>{escape(words)}</text>')

    def line(self, points: NDArray[np.float64]) -> None:
        """A trace through ``points``, shape (n, 2); a NaN breaks it."""
        for part in _runs(points):
            path = " ".join(f"{x:.2f},{y:.2f}" for x, y in part.tolist())
            self._marks.append(f'<polyline points="{path}"/>')

    def tick(self, x: float, y: float) -> None:
        """The short mark between two leads on one line."""
        self.line(np.array([[x, y - 3.5], [x, y - 1.5]]))
        self.line(np.array([[x, y + 1.5], [x, y + 3.5]]))

    def calibration(self, x: float, y: float) -> None:
        """One millivolt for 0.2 s, from ``x`` to the right."""
        lead, width = PULSE
        up = y - GAIN
        steps = [[x, y], [x + lead, y], [x + lead, up], [x + lead + width, up], [x + lead + width, y]]
        self.line(np.array([*steps, [x + 2 * lead + width, y]]))

    def svg(self, left: float, top: float, right: float, bottom: float, title: str) -> str:
        """The whole sheet, with the grid between the given edges."""
        width, height = right - left, bottom - top
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width:g}mm" height="{self.height:g}mm" '
                f'viewBox="0 0 {self.width:g} {self.height:g}" font-family="Helvetica, Arial, sans-serif">',
                f"<title>{escape(title)}</title>",
                "<defs>",
                f'<pattern id="mm" width="1" height="1" patternUnits="userSpaceOnUse" x="{left:g}" y="{top:g}">'
                f'<path d="M1 0H0V1" fill="none" stroke="{_THIN}" stroke-width="0.1"/></pattern>',
                f'<pattern id="cm" width="5" height="5" patternUnits="userSpaceOnUse" x="{left:g}" y="{top:g}">'
                f'<rect width="5" height="5" fill="url(#mm)"/>'
                f'<path d="M5 0H0V5" fill="none" stroke="{_THICK}" stroke-width="0.2"/></pattern>',
                "</defs>",
                f'<rect width="{self.width:g}" height="{self.height:g}" fill="white"/>',
                f'<rect x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}" fill="{_BACK}"/>',
                f'<rect x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}" fill="url(#cm)" '
                f'stroke="{_THICK}" stroke-width="0.3"/>',
                f'<g fill="none" stroke="{_INK}" stroke-width="0.28" stroke-linejoin="round" stroke-linecap="round">',
                *(mark for mark in self._marks if mark.startswith("<polyline")),
                "</g>",
                f'<g fill="{_INK}">',
                *(mark for mark in self._marks if mark.startswith("<text")),
                "</g>",
                "</svg>",
                "",
            ]
        )


def _runs(points: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """The stretches of ``points`` without NaN that have at least two points."""
    good = ~np.isnan(points).any(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], good, [False])).astype(np.int8)))
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if end - start > 1:
            yield points[start:end]
