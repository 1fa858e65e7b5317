"""Which of the formats, sizes and rates that a source offers is taken. Pure: offers in, one choice out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.acquire.v4l2.formats import ENCODINGS, FORMATS
from gateway.acquire.v4l2.options import Options
from gateway.errors import Retry

_AS_FAST = 0.95  # of the wanted rate: 29.97 is 30
_SAID = 12  # offers named in a message


@dataclass(frozen=True, slots=True)
class Offer:
    """One size in one format; ``rates`` in frames per second, empty if the source does not tell."""

    fourcc: str
    columns: int
    rows: int
    rates: tuple[float, ...] = ()

    @property
    def encoding(self) -> str:
        return FORMATS[self.fourcc].encoding

    def __str__(self) -> str:
        at = "" if not self.rates else f" at {max(self.rates):g}/s"
        return f"{self.encoding} {self.columns} x {self.rows}{at}"


def choose(offers: Sequence[Offer], wanted: Options, source: str) -> Offer:
    """The offer to take. Its rate is :func:`rate`'s.

    Of the wanted encoding and size, the largest picture that comes at the wanted rate, else the fastest; of equal ones
    the first encoding of :data:`ENCODINGS`. Raises Retry, naming what there is, if nothing fits.
    """
    fitting = [
        offer
        for offer in offers
        if wanted.encoding in ("auto", offer.encoding)
        and wanted.columns in (0, offer.columns)
        and wanted.rows in (0, offer.rows)
    ]
    if not fitting:
        asked = " ".join(
            part
            for part in (
                wanted.encoding if wanted.encoding != "auto" else "",
                f"{wanted.columns} x {wanted.rows}" if wanted.columns or wanted.rows else "",
            )
            if part
        )
        there = ", ".join(map(str, offers[:_SAID])) + (", ..." if len(offers) > _SAID else "")
        raise Retry(
            f"{source} offers no picture that is asked for ({asked or 'any of ' + ', '.join(ENCODINGS)})",
            f"it offers: {there}; set encoding, columns and rows" if offers else "it has no format that can be kept",
        )
    return max(fitting, key=lambda offer: _worth(offer, wanted.rate))


def rate(offer: Offer, wanted: float) -> float:
    """The fastest rate that is not above the wanted one, else the slowest; 0 if the source does not tell."""
    below = [each for each in offer.rates if each <= wanted / _AS_FAST]
    return max(below) if below else min(offer.rates, default=0.0)


def _worth(offer: Offer, wanted: float) -> tuple[float, ...]:
    comes, area = rate(offer, wanted), offer.columns * offer.rows
    order = -ENCODINGS.index(offer.encoding)
    if not offer.rates or comes >= _AS_FAST * wanted:
        return (1.0, area, order, comes)
    return (0.0, comes, area, order)


def within(low: int, high: int, step: int, asked: int) -> int:
    """The size next to the asked one in a range that goes up in steps."""
    step = max(1, step)
    return low + (max(low, min(high, asked)) - low) // step * step
