"""A video source without a camera: colour bars, a block that moves once a second, and the frame's number.

Same settings, same frames, to the bit: frame ``n`` is a function of ``n``. The bars are those of 75 % amplitude, whose
values the standards give; a test reads them back from what was sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway import __version__, fields
from gateway.acquire.adapter import Adapter, Internal
from gateway.acquire.shutter import Shutter
from gateway.events import Event, Frame, Gap, Ready, Started
from gateway.fields import setting
from gateway.model import Equipment, Kind, Picture

# 75 % bars, left to right: white, yellow, cyan, green, magenta, red, blue, black. R, G, B of 0..255.
BARS = tuple((191 * r, 191 * g, 191 * b) for r, g, b in ((1, 1, 1), (1, 1, 0), (0, 1, 1), (0, 1, 0)))
BARS += tuple((191 * r, 191 * g, 191 * b) for r, g, b in ((1, 0, 1), (1, 0, 0), (0, 0, 1), (0, 0, 0)))
KR_KB = {"BT.601": (0.299, 0.114), "BT.709": (0.2126, 0.0722)}
BIT = 8  # columns and rows of one digit of the frame's number, which is written in binary, from the least bit on
BITS = 24
_BEHIND = 1.0  # seconds: what is later than that is not made up for


@dataclass(frozen=True, slots=True)
class Options(Shutter):
    """What it shows."""

    encoding: str = setting("YUYV", fields.choice("YUYV", "NV12", "RGB24"), "of its frames")
    columns: int = setting(640, fields.whole(BIT * BITS, 4096), "of the picture")
    rows: int = setting(480, fields.whole(32, 4096), "of the picture")
    rate: float = setting(25.0, fields.number(0.1, 120, "frames/s"), "how many it makes")
    matrix: str = setting("BT.601", fields.choice(*KR_KB), "of YUYV and NV12")


def rgb(options: Options, number: int) -> NDArray[np.uint8]:
    """Frame ``number`` as R, G, B of 0..255, shape (rows, columns, 3)."""
    bars = np.array(BARS, np.uint8)[np.arange(options.columns) * len(BARS) // options.columns]
    picture = np.tile(bars, (options.rows, 1, 1))
    digits = np.where(number >> np.arange(BITS) & 1, 255, 0).astype(np.uint8)
    picture[:BIT, : BIT * BITS] = np.repeat(digits, BIT)[np.newaxis, :, np.newaxis]
    second = int(number / options.rate)
    left = second * 2 * BIT % (options.columns - 2 * BIT)
    picture[-2 * BIT :, left : left + 2 * BIT] = 255
    return picture


def number_in(picture: NDArray[np.uint8]) -> int:
    """The number that a frame shows; ``picture`` as :func:`rgb` gives it, or its luminance."""
    row = picture[BIT // 2, BIT // 2 : BIT * BITS : BIT].reshape(BITS, -1)[:, 0]
    return sum(1 << bit for bit, value in enumerate(row) if value > 128)


def ycbcr(colours: NDArray[np.uint8], matrix: str) -> NDArray[np.uint8]:
    """Y, Cb, Cr of 16..235 and 16..240, of R, G, B of 0..255 (ITU-R BT.601 2.5, BT.709 3)."""
    kr, kb = KR_KB[matrix]
    r, g, b = np.moveaxis(colours.astype(float) / 255, -1, 0)
    y = kr * r + (1 - kr - kb) * g + kb * b
    cb, cr = (b - y) / (2 * (1 - kb)), (r - y) / (2 * (1 - kr))
    found: NDArray[np.uint8] = np.round(np.stack((16 + 219 * y, 128 + 224 * cb, 128 + 224 * cr), -1)).astype(np.uint8)
    return found


def encoded(options: Options, number: int) -> bytes:
    """Frame ``number`` in the encoding that is set. Chrominance is that of the left (and upper) pixel of each pair."""
    picture = rgb(options, number)
    if options.encoding == "RGB24":
        return picture.tobytes()
    table = ycbcr(picture, options.matrix)
    if options.encoding == "NV12":
        return table[..., 0].tobytes() + table[::2, ::2, 1:].tobytes()
    pairs = np.empty((options.rows, options.columns // 2, 4), np.uint8)
    pairs[..., 0], pairs[..., 2] = table[:, 0::2, 0], table[:, 1::2, 0]
    pairs[..., 1], pairs[..., 3] = table[:, 0::2, 1], table[:, 0::2, 2]
    return pairs.tobytes()


class Decoder:
    """Shows as many frames as time has passed, recorded or not."""

    def __init__(self, options: Options) -> None:
        even = options.columns // 2 * 2, options.rows // 2 * 2
        self._options = Options(
            encoding=options.encoding, columns=even[0], rows=even[1], rate=options.rate, matrix=options.matrix
        )
        self._began: float | None = None
        self._made = 0

    def start(self, now: float) -> Iterator[Event]:
        return iter(())

    def stop(self, now: float) -> Iterator[Event]:
        yield from self.tick(now)

    def feed(self, data: bytes, now: float) -> Iterator[Event]:
        return iter(())

    def tick(self, now: float) -> Iterator[Event]:
        options = self._options
        if self._began is None:
            self._began = now
            equipment = Equipment("Modality Gateway", "Simulated video", "SIM-VIDEO", __version__)
            picture = Picture(options.encoding, options.columns, options.rows, options.rate, matrix=options.matrix)
            yield Ready(Started(equipment, (), picture))
        late = int((now - self._began - _BEHIND) * options.rate) - self._made
        if late > 0:
            self._made += late
            yield Gap("the box was too busy to make the frames", now, samples=late)
        while (at := self._began + self._made / options.rate) <= now:
            number, self._made = self._made, self._made + 1
            yield Frame(encoded(options, number), at, options.encoding)


ADAPTER = Adapter(
    name="simulated_video", kind=Kind.PICTURES, transport=Internal(), decoder=Decoder, version="1", options=Options
)
