"""Another encoding of the same instance: Explicit VR Little Endian, with not one value changed, which is checked.

Undone are Implicit VR, Big Endian, Deflated, RLE and, where a decoder for it is installed, other lossless coding of
pixels. What was coded lossily stays as it is: two decoders of JPEG need not agree to the last bit, so the picture in
one place could differ from the one in another under the same UID.

pydicom works in memory: so there is a largest size, and only one is made at a time, whoever asks.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
from pydicom import Dataset, config, dcmread, dcmwrite
from pydicom.dataelem import RawDataElement
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian

from gateway.errors import Held, Misuse
from gateway.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION
from gateway.transfer import part10
from gateway.transfer.lossless import LOSSLESS_PIXELS, OTHERWISE_ENCODED
from gateway.transfer.transcoding import LARGEST

config.settings.reading_validation_mode = config.IGNORE  # what came in goes out; judging it is gateway.dicom.check's

# Words of so many bytes, which pydicom hands on as they lie in the file (PS3.5 section 7.3)
_WORDS = {"OW": 2, "OL": 4, "OF": 4, "OD": 8, "OV": 8}
_PIXELS = 0x7FE00010
# What undoing the coding of pixels changes in the header: planes, colour model of the coding, table of its frames.
OF_CODING = frozenset({0x00280004, 0x00280006, _PIXELS, 0x7FE00001, 0x7FE00002})
_BLOCK = 1 << 20
_one_at_a_time = threading.Lock()


def to_explicit_little_endian(
    source: Path, target: BinaryIO, largest: int = LARGEST, beat: Callable[[], None] = lambda: None
) -> None:
    """Write ``source`` anew to the empty file ``target``, open for writing and reading. Waits for others who do so.

    Raises Held if that cannot be done without loss, or if file or data set take more than ``largest`` bytes.
    """
    if (size := source.stat().st_size) > largest:
        raise _too_large(source, f"has {size >> 20} MiB", largest)
    while not _one_at_a_time.acquire(timeout=1.0):
        beat()  # the one that works is watched; who waits for it is not stuck
    try:
        beat()
        _transcode(source, target, largest)
        beat()
    finally:
        _one_at_a_time.release()


def _transcode(source: Path, target: BinaryIO, largest: int) -> None:
    syntax, unfolded = _coding(source, largest)
    if syntax not in OTHERWISE_ENCODED | LOSSLESS_PIXELS:
        raise Held(f"{source} has transfer syntax {syntax}, which is not transcoded: its coding is lossy")
    if syntax in LOSSLESS_PIXELS and not get_decoder(syntax).is_available:
        raise Held(f"{source} has transfer syntax {syntax}, and no decoder for it is installed here")
    try:
        if syntax in LOSSLESS_PIXELS:
            unfolded = _pixels(dcmread(source, stop_before_pixels=True))
        if unfolded > largest:
            raise _too_large(source, f"unfolds to more than {largest >> 20} MiB", largest)
        made = dcmread(source)
        if syntax == ExplicitVRBigEndian:
            _turn_words(made)
        elif syntax in LOSSLESS_PIXELS:
            made.decompress(as_rgb=False, generate_instance_uid=False)
        _write(made, target)
        del made
        target.seek(0)
        _compare(dcmread(source), dcmread(target), syntax)
    except (Held, OSError):
        raise
    except Exception as error:  # foreign bytes: whatever pydicom trips over means the same to a person
        raise Held(f"{source} cannot be transcoded from {syntax} ({error or type(error).__name__})") from error


def _too_large(source: Path, how: str, largest: int) -> Held:
    return Held(f"{source} {how}: it is too large to be transcoded here (at most {largest >> 20} MiB)")


def _coding(source: Path, largest: int) -> tuple[str, int]:
    """Transfer syntax, and the size of a deflated data set, counted only as far as it matters: it may be a bomb."""
    with source.open("rb") as stream:
        try:
            header = part10.read(stream.fileno(), str(source))
        except Misuse as error:
            raise Held(error.message) from error
        if header.transfer_syntax_uid != DeflatedExplicitVRLittleEndian:
            return header.transfer_syntax_uid, 0
        inflater, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
        stream.seek(header.offset)
        try:
            while size <= largest and (block := inflater.unconsumed_tail or stream.read(_BLOCK)):
                size += len(inflater.decompress(block, _BLOCK))
        except zlib.error as error:
            raise Held(f"{source} cannot be inflated ({error})") from error
    return header.transfer_syntax_uid, size


def _pixels(head: Dataset) -> int:
    """Bytes of the pixels when they are not coded."""
    frame = int(head.Rows) * int(head.Columns) * int(head.SamplesPerPixel) * (int(head.BitsAllocated) // 8)
    return frame * int(head.get("NumberOfFrames") or 1)


def _turn_words(ds: Dataset) -> None:
    """Swap the bytes of what pydicom does not: words in bulk. Raises Held for bytes whose words nobody knows."""
    for element in ds:
        if element.VR == "SQ":
            for item in element.value:
                _turn_words(item)
        elif element.VR == "UN" and element.value:
            raise Held(f"{element.tag} is of unknown kind: its bytes cannot be put in order")
        elif element.VR in _WORDS and element.value:
            element.value = _turned(element.VR, element.value)


def _turned(vr: str, value: bytes) -> bytes:
    return np.frombuffer(value, f">u{_WORDS[vr]}").byteswap().tobytes()


def _write(made: Dataset, target: BinaryIO) -> None:
    meta = made.file_meta
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION
    dcmwrite(target, made, implicit_vr=False, little_endian=True, enforce_file_format=True)
    target.flush()


def _compare(old: Dataset, new: Dataset, syntax: str) -> None:
    """Raises ValueError naming the first element whose value is another one now."""
    coded = syntax in LOSSLESS_PIXELS
    if coded and not np.array_equal(pixel_array(old, raw=True), pixel_array(new, raw=True)):
        raise ValueError("its pixels come out otherwise")
    same_values(old, new, OF_CODING if coded else frozenset(), syntax == ExplicitVRBigEndian)


def same_values(old: Dataset, new: Dataset, passed_over: frozenset[int], turned: bool) -> None:
    tags = [sorted(filter(lambda tag: tag.element and tag not in passed_over, ds.keys())) for ds in (old, new)]
    if tags[0] != tags[1]:
        raise ValueError("it has other elements then")
    for tag in tags[0]:
        raw = [_raw(ds, tag) for ds in (old, new)]  # first: asking for the value replaces it
        one, other = old[tag], new[tag]
        if one.VR == "SQ":
            for item, made in zip(one.value, other.value, strict=True):
                same_values(item, made, frozenset(), turned)
            continue
        if None in raw or (turned and one.VR not in _WORDS):
            same = bool(one.value == other.value)
        else:
            before, after = (value.rstrip(b"\0 ") for value in raw if value is not None)
            same = (_turned(one.VR, one.value) == other.value) if turned else before == after
        if not same:
            raise ValueError(f"{tag} comes out otherwise")


def _raw(ds: Dataset, tag: int) -> bytes | None:
    """The value as it lies in the file; None once pydicom has interpreted it."""
    value = ds.get_item(tag)
    return bytes(value.value or b"") if isinstance(value, RawDataElement) else None
