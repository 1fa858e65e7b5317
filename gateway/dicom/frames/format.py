"""What of an image follows from how its frames are coded: the Image Pixel module, and what was lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from gateway.dicom.frames.pixel_file import Body
from gateway.dicom.frames.survey import Survey
from gateway.events import Frame
from gateway.profile import Area


@dataclass(frozen=True, slots=True)
class Format:
    """``lossy``: the method with which information was lost before or in this coding, a term of PS3.3 C.7.6.1.1.5.2."""

    transfer_syntax_uid: str
    rows: int
    columns: int
    photometric: str
    lossy: str = ""
    aspect: tuple[int, ...] = (1, 1)  # of a pixel, vertical and horizontal
    standard_colour: bool = True  # R, G, B as sRGB means them, or what decodes to it: the ICC profile may be stated

    @property
    def samples(self) -> int:
        return 1 if self.photometric == "MONOCHROME2" else 3

    @property
    def frame(self) -> int:
        """Bytes of a frame when it is not compressed."""
        return self.rows * self.columns * self.samples


class Coding(Protocol):
    """How the frames of one acquisition come into an instance. Made anew for each wrapping."""

    largest: int  # bytes of pixel data that an instance of this coding can hold; 0: no bound
    video: bool  # the class for clips, also for a single frame

    def look(self, frame: Frame) -> int:
        """Bytes that the frame takes at most. Raises Malformed if it cannot be used."""

    def format(self, size: int, /) -> Format:
        """Of an instance with so many bytes of frames, after all have been looked at."""

    def starts(self, number: int, /) -> bool:
        """Whether an instance may begin with this one of the used frames."""

    def body(self, found: Survey, first: int, last: int, frames: Iterable[Frame], beat: Callable[[], None], /) -> Body:
        """What writes the frames ``first`` to ``last`` (excluded) of those that are used."""


def area(wanted: Area | None, rows: int, columns: int) -> tuple[int, int, int, int]:
    """First and last (excluded) row and column of a crop, within the picture."""
    if wanted is None:
        return 0, rows, 0, columns
    top, left = min(wanted.top, rows), min(wanted.left, columns)
    return top, min(rows, wanted.top + wanted.height), left, min(columns, wanted.left + wanted.width)
