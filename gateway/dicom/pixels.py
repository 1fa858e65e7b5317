"""Rules about pixels that module tables cannot say: what the numbers must say about each other (PS3.3 C.7.6.3).

The pixels themselves are not looked at, only where they lie and how long they are.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from gateway.dicom.definition import Iod, Pictures
from gateway.dicom.elements import name
from gateway.dicom.finding import ERROR, WARNING, Finding
from gateway.dicom.reading import PIXELS, Extent, WaveformFile, encapsulated

_JPEG, _MPEG = "1.2.840.10008.1.2.4.", range(100, 109)
# Baseline, extended, near-lossless JPEG-LS, JPEG 2000 and JPEG XL with loss, and all video
LOSSY = frozenset({f"{_JPEG}{n}" for n in (50, 51, 81, 91, 112, *_MPEG)} | {f"{_JPEG}{n}.1" for n in range(100, 107)})
COLOURS = {
    f"{_JPEG}50": ("YBR_FULL_422", "RGB"),
    f"{_JPEG}51": ("YBR_FULL_422", "RGB"),
    f"{_JPEG}90": ("YBR_RCT", "RGB", "YBR_FULL"),
    f"{_JPEG}91": ("YBR_ICT", "YBR_RCT", "RGB", "YBR_FULL"),
}
_BIPED = re.compile(r"[LRAPHF]{1,3}")
_QUADRUPED = re.compile(r"(LE|RT|D|V|CR|CD|R|M|L|PA|DI|PL|PR){1,3}")
_COSINES, _CLOSE, _DESCRIPTION, _RATIO = 6, 1e-3, 3, 2
_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
_GRAY = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")


@dataclass(frozen=True, slots=True)
class Image:
    """One image as the rules look at it. Numbers that the file does not tell are 0."""

    dataset: Dataset
    iod: Iod
    pictures: Pictures
    extent: Extent | None
    syntax: str
    fragmented: bool  # what the transfer syntax says

    def number(self, keyword: str) -> int:
        value = self.dataset.get(keyword)
        return int(value) if value is not None and str(value).lstrip("-").isdigit() else 0

    @property
    def frames(self) -> int:
        return self.number("NumberOfFrames") or 1

    @property
    def photometric(self) -> str:
        return str(self.dataset.get("PhotometricInterpretation") or "")


def findings(file: WaveformFile, iod: Iod) -> Iterator[Finding]:
    if iod.pictures is None:
        return
    extent = next((file.bulk[tag] for tag in PIXELS if tag in file.bulk), None)
    syntax = file.meta.get("TransferSyntaxUID")
    image = Image(file.dataset, iod, iod.pictures, extent, str(syntax), encapsulated(syntax))
    for rule in RULES:
        yield from rule(image)


def _class(image: Image) -> Iterator[Finding]:
    """What the IOD says about its pictures."""
    section = f"PS3.3 {image.iod.section}"
    bits, allowed = image.number("BitsAllocated"), image.pictures.bits
    if bits and allowed and bits not in allowed:
        words = f"is {bits}; {image.iod.label} allows {', '.join(map(str, allowed))}"
        yield Finding(ERROR, "BitsAllocated", "image", section, words)
    stored = image.number("BitsStored")
    if stored and stored < image.pictures.least_stored:
        words = f"is {stored}; {image.iod.label} has at least {image.pictures.least_stored}"
        yield Finding(ERROR, "BitsStored", "image", section, words)
    kinds = image.pictures.photometric
    if image.photometric and kinds and image.photometric not in kinds:
        words = f"is {image.photometric:.20}; {image.iod.label} allows {', '.join(kinds)}"
        yield Finding(ERROR, "PhotometricInterpretation", "image", section, words)
    if image.frames > 1 and not image.pictures.frames:
        words = f"is {image.frames}; {image.iod.label} has one frame"
        yield Finding(ERROR, "NumberOfFrames", "image", section, words)


def _numbers(image: Image) -> Iterator[Finding]:
    section, allocated, stored = "PS3.3 C.7.6.3", image.number("BitsAllocated"), image.number("BitsStored")
    for keyword in ("Rows", "Columns", "NumberOfFrames"):
        if image.dataset.get(keyword) is not None and image.number(keyword) <= 0:
            yield Finding(ERROR, keyword, "image", section, f"is {image.number(keyword)}; it must be more than 0")
    if allocated and allocated != 1 and allocated % 8:
        yield Finding(ERROR, "BitsAllocated", "image", section, f"is {allocated}; it must be 1 or a multiple of 8")
    if allocated and stored and not 1 <= stored <= allocated:
        words = f"is {stored}; it must be 1 to {allocated} (Bits Allocated)"
        yield Finding(ERROR, "BitsStored", "image", section, words)
    if stored and image.dataset.get("HighBit") is not None and image.number("HighBit") != stored - 1:
        words = f"is {image.number('HighBit')}; it must be Bits Stored less one, {stored - 1}"
        yield Finding(ERROR, "HighBit", "image", section, words)
    samples, wanted = image.number("SamplesPerPixel"), 1 if image.photometric in _GRAY else 3
    if samples and image.photometric and samples != wanted:
        words = f"is {samples}; {image.photometric:.20} has {wanted}"
        yield Finding(ERROR, "SamplesPerPixel", "image", "PS3.3 C.7.6.3.1.2", words)


def _syntax(image: Image) -> Iterator[Finding]:
    """Colour in a compressed syntax comes in the components that the compression works on (PS3.5 8.2)."""
    allowed = ("YBR_PARTIAL_420",) if _video(image.syntax) else COLOURS.get(image.syntax, ())
    if allowed and image.number("SamplesPerPixel") > 1 and image.photometric not in allowed:
        words = f"is {image.photometric:.20}; this transfer syntax has {' or '.join(allowed)}"
        yield Finding(ERROR, "PhotometricInterpretation", "image", "PS3.5 8.2", words)


def _data(image: Image) -> Iterator[Finding]:
    extent = image.extent
    if extent is None:
        if "PixelDataProviderURL" not in image.dataset:
            yield Finding(ERROR, "PixelData", "type 1C", "PS3.3 C.7.6.3", "is missing")
        return
    if (extent.fragments is not None) != image.fragmented:
        words = f"is {'encapsulated' if extent.fragments is not None else 'native'}, unlike its transfer syntax says"
        yield Finding(ERROR, "PixelData", "data", "PS3.5 A.4", words)
    elif extent.fragments is not None:
        least = 2 if _video(image.syntax) else image.frames + 1
        if extent.fragments < least:
            words = f"has {extent.fragments} items; an offset table and {image.frames} frames are at least {least}"
            yield Finding(ERROR, "PixelData", "data", "PS3.5 A.4", words)
    else:
        yield from _native(image, extent)


def _video(syntax: str) -> bool:
    """All frames are one stream, in as many fragments as the writer likes."""
    return syntax.removeprefix(_JPEG).partition(".")[0] in map(str, _MPEG)


def _native(image: Image, extent: Extent) -> Iterator[Finding]:
    bits = image.number("BitsAllocated")
    pixels = image.number("Rows") * image.number("Columns") * image.frames
    samples = 2 if image.photometric == "YBR_FULL_422" else image.number("SamplesPerPixel")
    needed = (pixels * samples * bits + 7) // 8
    padded = needed + needed % 2
    if needed and extent.length != padded:
        words = f"has {extent.length} bytes; rows x columns x samples x bits x frames is {padded}"
        yield Finding(ERROR, "PixelData", "data", "PS3.5 8.1.1", words)
    if extent.vr == "OB" and bits > 8:
        yield Finding(ERROR, "PixelData", "data", "PS3.5 A.2", "has the VR OB; it must be OW")


def _loss(image: Image) -> Iterator[Finding]:
    section, said = "PS3.3 C.7.6.1.1.5", str(image.dataset.get("LossyImageCompression") or "")
    if image.syntax in LOSSY and said != "01":
        words = "must be 01: the transfer syntax loses information"
        yield Finding(ERROR, "LossyImageCompression", "image", section, words)
    if said == "01":
        for keyword in ("LossyImageCompressionRatio", "LossyImageCompressionMethod"):
            if not image.dataset.get(keyword):
                words = "is missing: nobody can tell how much was lost"
                yield Finding(WARNING, keyword, "image", section, words)


def _increments(image: Image) -> Iterator[Finding]:
    """Frame Increment Pointer names attributes that say how the frames follow each other."""
    value = image.dataset.get("FrameIncrementPointer")
    for tag in value if isinstance(value, (MultiValue, list)) else [value]:
        if tag and tag not in image.dataset:
            words = f"points to {name(tag)}, which is not there"
            yield Finding(ERROR, "FrameIncrementPointer", "image", "PS3.3 C.7.6.6.1.1", words)
    vector = image.dataset.get("FrameTimeVector")
    if isinstance(vector, (MultiValue, list)) and len(vector) != image.frames:
        words = f"has {len(vector)} values for {image.frames} frames"
        yield Finding(ERROR, "FrameTimeVector", "image", "PS3.3 C.7.6.5.1.2", words)


def _aspect(image: Image) -> Iterator[Finding]:
    """Pixel Aspect Ratio is for pixels that are not square, where no spacing tells how large they are."""
    ratio = image.dataset.get("PixelAspectRatio")
    if not isinstance(ratio, (MultiValue, list)) or len(ratio) != _RATIO:
        return
    spacing = next((keyword for keyword in _SPACINGS if image.dataset.get(keyword)), None)
    if str(ratio[0]) == str(ratio[1]):
        words = "is 1:1; it is there only for pixels that are not square"
        yield Finding(ERROR, "PixelAspectRatio", "type 1C", "PS3.3 C.7.6.3.1.7", words)
    elif spacing is not None:
        words = f"is there, which is allowed only if {spacing} is absent"
        yield Finding(ERROR, "PixelAspectRatio", "type 1C", "PS3.3 C.7.6.3.1.7", words)


def _orientation(image: Image) -> Iterator[Finding]:
    """Patient Orientation is letters of the directions of rows and columns; Image Orientation two unit vectors."""
    letters = [str(value) for value in image.dataset.get("PatientOrientation") or []]
    animal = str(image.dataset.get("AnatomicalOrientationType") or "") == "QUADRUPED"
    allowed = _QUADRUPED if animal else _BIPED
    if letters and (not all(map(allowed.fullmatch, letters)) or len(set(letters)) < len(letters)):
        words = "must be two different directions, in letters such as L and P"
        yield Finding(ERROR, "PatientOrientation", "image", "PS3.3 C.7.6.1.1.1", words)
    cosines = [float(value) for value in image.dataset.get("ImageOrientationPatient") or []]
    if len(cosines) == _COSINES:
        row, column = cosines[:3], cosines[3:]
        lengths = (math.hypot(*row), math.hypot(*column))
        product = sum(a * b for a, b in zip(row, column, strict=True))
        if any(abs(length - 1) > _CLOSE for length in lengths) or abs(product) > _CLOSE:
            words = "must be two unit vectors at a right angle"
            yield Finding(ERROR, "ImageOrientationPatient", "image", "PS3.3 C.7.6.2.1.1", words)


def _tables(image: Image) -> Iterator[Finding]:
    """As many entries in a lookup table as its descriptor says."""
    places = [("", image.dataset, f"{color}PaletteColorLookupTable") for color in ("Red", "Green", "Blue")]
    for sequence in ("ModalityLUTSequence", "VOILUTSequence"):
        items = enumerate(image.dataset.get(sequence) or [], 1)
        places += [(f"{sequence}[{number}].", item, "LUT") for number, item in items]
    for prefix, item, start in places:
        descriptor, data = item.get(f"{start}Descriptor"), item.get(f"{start}Data")
        if not isinstance(descriptor, (MultiValue, list)) or len(descriptor) != _DESCRIPTION or data is None:
            continue
        entries = int(descriptor[0]) or 1 << 16
        length = (
            len(data) if isinstance(data, bytes) else 2 * (len(data) if isinstance(data, (MultiValue, list)) else 1)
        )
        packed = entries + entries % 2 if int(descriptor[2]) <= 8 else 2 * entries
        if length not in (2 * entries, packed):
            words = f"has {length} bytes for {entries} entries of {descriptor[2]} bits"
            yield Finding(ERROR, f"{prefix}{start}Data", "image", "PS3.3 C.7.6.3.1.6", words)


RULES: tuple[Callable[[Image], Iterator[Finding]], ...] = (
    _class,
    _numbers,
    _syntax,
    _data,
    _loss,
    _increments,
    _aspect,
    _orientation,
    _tables,
)
