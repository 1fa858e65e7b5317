"""Picture files from a folder: JPEG byte for byte, PNG and TIFF pixel for pixel, anything else refused in words."""

from __future__ import annotations

import io

import numpy as np
import pytest
from pictures import jpeg_of, noise
from PIL import Image

from firmware_adapters.still_files import ADAPTER, Decoder, Options, lacks
from gateway.acquire.adapter import Folder
from gateway.errors import Unreadable
from gateway.events import Event, Finished, Frame, Started
from gateway.model import Kind

PIXELS = noise(48, 64)


def saved(kind: str, pixels: np.ndarray = PIXELS, **how: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **how)
    return stream.getvalue()


def events(data: bytes, piece: int = 1 << 20) -> list[Event]:
    decoder = Decoder(Options(manufacturer="ACME"))
    found = list(decoder.start(0.0))
    for at in range(0, len(data), piece):
        found += decoder.feed(data[at : at + piece], 1.0)
    return [*found, *decoder.stop(2.0)]


@pytest.mark.parametrize("piece", [7, 1 << 20])
def test_a_jpeg_comes_through_byte_for_byte(piece: int) -> None:
    data = jpeg_of(PIXELS)
    started, frame, finished = events(data, piece)
    assert isinstance(started, Started) and started.picture is not None
    assert (started.picture.encoding, started.picture.columns, started.picture.rows) == ("MJPEG", 64, 48)
    assert started.equipment.manufacturer == "ACME"
    assert isinstance(frame, Frame) and frame.data == data
    assert isinstance(finished, Finished)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("gray", [False, True])
def test_png_and_tiff_give_their_pixels(kind: str, gray: bool) -> None:
    pixels = PIXELS[..., 0] if gray else PIXELS
    started, frame, _ = events(saved(kind, pixels))
    assert isinstance(started, Started) and started.picture is not None
    assert started.picture.encoding == ("GREY" if gray else "RGB24")
    assert isinstance(frame, Frame) and frame.data == pixels.tobytes()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (jpeg_of(PIXELS)[:-300], "ends in the middle"),
        (jpeg_of(PIXELS, progressive=True), "progressive JPEG"),
        (b"GIF89a" + bytes(100), "neither JPEG nor PNG nor TIFF nor PDF"),
        (saved("PNG")[:400], "cannot be decoded"),
        (saved("PNG", np.dstack((PIXELS, PIXELS[..., :1]))), "transparent"),
        (saved("PNG", PIXELS[..., 0].astype(np.uint16) * 256), "its pixels are I;16"),
        (saved("TIFF", save_all=True, append_images=[Image.fromarray(PIXELS)]), "2 pages"),
        (b"", "neither"),
    ],
)
def test_what_cannot_be_a_still_is_refused_in_words(data: bytes, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        events(data)


@pytest.mark.parametrize("data", [jpeg_of(PIXELS), saved("PNG"), saved("TIFF")])
def test_a_file_that_is_still_being_written_lacks_its_end(data: bytes) -> None:
    def read_of(some: bytes):
        return lambda offset, count: some[offset : offset + count]

    assert lacks(read_of(data), len(data)) == ""
    short = data[: len(data) // 2]
    assert bool(lacks(read_of(short), len(short))) is (data[:2] not in (b"II", b"MM"))


def test_a_report_is_of_a_kind_of_its_own_as_it_came() -> None:
    data = b"%PDF-1.4 a report\n%%EOF"
    begun, frame = events(data)[:2]
    assert (begun.kind, frame.data) == (Kind.DOCUMENT, data)


def test_it_is_an_adapter_for_folders_of_pictures() -> None:
    assert isinstance(ADAPTER.transport, Folder)
    assert ADAPTER.kind is Kind.PICTURES
