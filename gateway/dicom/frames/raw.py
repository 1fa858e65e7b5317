"""Frames as numbers: uncompressed, or JPEG-LS without loss.

What came as JPEG gets here only to be cropped or masked, and keeps what it lost (PS3.3 C.7.6.1.1.5).
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import ExplicitVRLittleEndian, JPEGLSLossless

from gateway.dicom.frames import altered, colours, jpeg, pixel_file
from gateway.dicom.frames.format import Format
from gateway.dicom.frames.jpeg import Malformed
from gateway.dicom.frames.pixel_file import Body
from gateway.dicom.frames.survey import Survey
from gateway.errors import Held
from gateway.events import Frame
from gateway.model import Picture
from gateway.profile import Profile


def _extra(module: str, extra: str, what: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        fix = f"install the package with its extra [{extra}]"
        raise Held(f"{what} needs {module}, which is not installed here", fix) from error


class Raw:
    """``decoded``: the frames come as JPEG."""

    video = False

    def __init__(self, picture: Picture, profile: Profile, decoded: bool = False) -> None:
        self._picture, self._profile = picture, profile
        self._encoder = _extra("jpeg_ls", "jpegls", "coding = jpeg-ls") if profile.coding == "jpeg-ls" else None
        self._decoder = _extra("PIL.Image", "pictures", "cropping or masking JPEG frames") if decoded else None
        self._size = 0 if decoded else colours.size(picture)
        if not decoded and picture.encoding not in ("RGB24", "BGR24", "GREY") and picture.columns % 2:
            raise Held(f"{picture.encoding} has pairs of pixels, and the picture {picture.columns} columns")
        self._rows, self._columns = altered.size(profile, picture.rows, picture.columns)
        self._samples = 3 if decoded else colours.RAW[picture.encoding][1]
        self._first: jpeg.Jpeg | None = None
        self.largest = 0 if self._encoder else pixel_file.LONGEST

    @property
    def _frame(self) -> int:
        return self._rows * self._columns * self._samples

    def look(self, frame: Frame) -> int:
        if self._decoder is not None:
            self._look_at_jpeg(frame)
        elif len(frame.data) != self._size:
            raise Malformed(f"has {len(frame.data)} bytes, and {self._size} are one")
        return self._frame

    def _look_at_jpeg(self, frame: Frame) -> None:
        found = jpeg.parse(frame.data)
        self._first = self._first or found
        if found.alike != self._first.alike:
            raise Malformed("is of another kind than the first one")
        if (found.rows, found.columns) != (self._picture.rows, self._picture.columns):
            raise Malformed(f"has {found.columns} x {found.rows} pixels")
        self._samples = 1 if found.photometric == "MONOCHROME2" else 3
        try:
            self._pixels(frame)
        except Malformed:
            raise
        except Exception as error:  # a decoder's word about foreign bytes
            raise Malformed(f"cannot be decoded ({type(error).__name__})") from error

    def format(self, _size: int) -> Format:
        syntax = JPEGLSLossless if self._encoder else ExplicitVRLittleEndian
        photometric = "RGB" if self._samples == 3 else "MONOCHROME2"
        lossy = "ISO_10918_1" if self._decoder is not None else ""
        return Format(syntax, self._rows, self._columns, photometric, lossy, self._picture.aspect)

    def starts(self, _number: int) -> bool:
        return True

    def body(self, _found: Survey, first: int, last: int, frames: Iterable[Frame], beat: Callable[[], None]) -> Body:
        blocks, count = self._blocks(frames, beat), last - first
        if self._encoder is None:
            return pixel_file.native(self._frame * count, blocks)
        return pixel_file.framed(count, 2 * self._frame * count, blocks)

    def _blocks(self, frames: Iterable[Frame], beat: Callable[[], None]) -> Iterator[bytes]:
        for frame in frames:
            pixels = altered.altered(self._pixels(frame), self._profile)
            data = pixels.tobytes()
            yield bytes(self._coded(data)) if self._encoder is not None else data
            beat()

    def _coded(self, data: bytes) -> bytes:
        assert self._encoder is not None
        told = {"rows": self._rows, "columns": self._columns, "samples_per_pixel": self._samples, "bits_stored": 8}
        planes = {"planar_configuration": 0} if self._samples > 1 else {}
        return bytes(self._encoder.encode_pixel_data(data, lossy_error=0, **told, **planes))

    def _pixels(self, frame: Frame) -> NDArray[np.uint8]:
        if self._decoder is None:
            return colours.pixels(frame.data, self._picture)
        found = jpeg.parse(frame.data)
        with self._decoder.open(io.BytesIO(jpeg.whole(frame.data, found)), formats=["JPEG"]) as image:
            decoded = np.array(image.convert("L" if self._samples == 1 else "RGB"), np.uint8)
        return decoded.reshape(found.rows, found.columns, self._samples)
