"""Frames as the camera coded them: JPEG, byte for byte, each in its fragment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from pydicom.uid import JPEGBaseline8Bit, JPEGExtended12Bit

from gateway.dicom.frames import jpeg, pixel_file
from gateway.dicom.frames.format import Format
from gateway.dicom.frames.jpeg import Malformed
from gateway.dicom.frames.pixel_file import Body
from gateway.dicom.frames.survey import Survey
from gateway.errors import Held
from gateway.events import Frame
from gateway.model import Picture


class Mjpeg:
    """The first frame that can be used says what all are; what differs from it is left out."""

    largest = 0
    video = False

    def __init__(self, picture: Picture) -> None:
        self._picture = picture
        self._first: jpeg.Jpeg | None = None

    def look(self, frame: Frame) -> int:
        found = jpeg.parse(frame.data)
        self._first = self._first or found
        if found.alike != self._first.alike:
            raise Malformed("is of another kind than the first one")
        return found.length + jpeg.added(found)

    def format(self, _size: int) -> Format:
        one = self._first
        if one is None:
            raise Held("no frame is a JPEG image")
        syntax = JPEGBaseline8Bit if one.process == jpeg.BASELINE else JPEGExtended12Bit
        return Format(syntax, one.rows, one.columns, one.photometric, "ISO_10918_1", self._picture.aspect)

    def starts(self, _number: int) -> bool:
        return True

    def body(self, found: Survey, first: int, last: int, frames: Iterable[Frame], beat: Callable[[], None]) -> Body:
        return pixel_file.framed(last - first, sum(found.sizes[first:last]), self._blocks(frames, beat))

    def _blocks(self, frames: Iterable[Frame], beat: Callable[[], None]) -> Iterator[bytes]:
        for frame in frames:
            yield jpeg.whole(frame.data, jpeg.parse(frame.data))
            beat()
