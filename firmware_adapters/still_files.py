"""Pictures that a scope cart or a camera drops into a folder: JPEG byte for byte, PNG and TIFF pixel for pixel.

One file is one still; a PDF document (a report) is taken as it is, too. JPEG must be of a kind that DICOM has a
transfer syntax for (baseline or extended, 8 bits). PNG and TIFF need the extra [pictures] and must have 8 bits; what is
transparent in them is refused, since nobody knows on what ground it should lie. A file rarely tells reliably when its
picture was taken: it is dated when it comes.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Iterator
from dataclasses import dataclass

from gateway import fields, jpeg
from gateway.acquire.adapter import Adapter, Folder, ReadAt
from gateway.errors import Unreadable
from gateway.events import Event, Finished, Frame, Started
from gateway.fields import setting
from gateway.model import Equipment, Kind, Picture

LARGEST = 63 << 20  # bytes of a file, and of its pixels: a record holds 64 MiB
_JPEG, _PNG, _TIFF = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", (b"II*\0", b"MM\0*")
_DOCUMENT = "PDF"
_PDF, _TRAILER = b"%PDF-", 2048  # bytes at the end in which its end mark stands
# How a whole file ends, and within how many bytes
_ENDS = ((_JPEG, b"\xff\xd9", 64 << 10), (_PNG, b"IEND\xaeB`\x82", 64), (_PDF, b"%%EOF", _TRAILER))
_PLAIN = {"RGB": ("RGB24", "RGB"), "L": ("GREY", "L"), "1": ("GREY", "L"), "P": ("RGB24", "RGB")}


@dataclass(frozen=True, slots=True)
class Options:
    """Who made the pictures; a file does not tell that reliably."""

    manufacturer: str = setting("", fields.text(64), "of the device that takes the pictures")
    model: str = setting("", fields.text(64), "of that device")
    serial: str = setting("", fields.text(64), "of that device")


def lacks(read: ReadAt, size: int) -> str:
    """What a file still lacks: the end that its format has."""
    head = read(0, 8)
    for begins, ends, within in _ENDS:
        if head.startswith(begins) and ends not in read(max(0, size - within), within):
            return "the end of the picture is not there yet"
    return ""


class Decoder:
    """One file as a pure machine; it is looked at when all of it is there."""

    def __init__(self, options: Options) -> None:
        self._equipment = Equipment(options.manufacturer, options.model, options.serial)
        self._data = bytearray()

    def start(self, now: float) -> Iterator[Event]:
        self._data = bytearray()
        return iter(())

    def tick(self, now: float) -> Iterator[Event]:
        return iter(())

    def feed(self, data: bytes, now: float) -> Iterator[Event]:
        self._data += data
        if len(self._data) > LARGEST:
            raise Unreadable(f"it has more than {LARGEST >> 20} MiB", "have it exported smaller")
        return iter(())

    def stop(self, now: float) -> Iterator[Event]:
        data, self._data = bytes(self._data), bytearray()
        picture, frame = _known(data)
        yield Started(
            self._equipment, (), picture, kind=Kind.DOCUMENT if picture.encoding == _DOCUMENT else Kind.PICTURES
        )
        yield Frame(frame, now, picture.encoding)
        yield Finished("the end of the file")


def _known(data: bytes) -> tuple[Picture, bytes]:
    if data.startswith(_PDF):
        if b"%%EOF" not in data[-_TRAILER:]:
            raise Unreadable("it is a PDF document without its end", "have it exported anew")
        return Picture(_DOCUMENT, 0, 0), data
    return _jpeg(data) if data.startswith(_JPEG) else _pixels(data)


def _jpeg(data: bytes) -> tuple[Picture, bytes]:
    try:
        found = jpeg.parse(data)
    except jpeg.Malformed as error:
        raise Unreadable(f"it {error}", "have it exported as baseline JPEG") from error
    return Picture("MJPEG", found.columns, found.rows), data


def _pixels(data: bytes) -> tuple[Picture, bytes]:
    if not data.startswith((_PNG, *_TIFF)):
        raise Unreadable("it is neither JPEG nor PNG nor TIFF nor PDF", "have it exported as one of them")
    try:
        image = importlib.import_module("PIL.Image")
    except ImportError as error:
        raise Unreadable("PNG and TIFF need Pillow", "apt install python3-pil, or the extra [pictures]") from error
    try:
        with image.open(io.BytesIO(data), formats=["PNG", "TIFF"]) as found:
            if getattr(found, "n_frames", 1) != 1:
                raise Unreadable(f"it has {found.n_frames} pages", "have each exported as a file of its own")
            if found.mode not in _PLAIN or "transparency" in found.info:
                raise Unreadable(f"its pixels are {found.mode}, or transparent", "have it exported as RGB with 8 bits")
            if found.width * found.height * 3 > LARGEST:
                raise Unreadable(f"it has {found.width} x {found.height} pixels", "have it exported smaller")
            encoding, mode = _PLAIN[found.mode]
            return Picture(encoding, found.width, found.height), found.convert(mode).tobytes()
    except Unreadable:
        raise
    except Exception as error:  # a decoder's word about foreign bytes
        raise Unreadable(f"it cannot be decoded ({type(error).__name__})", "have it exported anew") from error


ADAPTER = Adapter(
    name="still_files",
    kind=Kind.PICTURES,
    others=(Kind.DOCUMENT,),
    transport=Folder(("*.jpg", "*.jpeg", "*.png", "*.tif", "*.tiff", "*.pdf"), lacks),
    decoder=Decoder,
    options=Options,
)
