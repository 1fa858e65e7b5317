"""Images, video and documents: what the numbers must say about each other, and files larger than the memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000, MPEG4HP41, ExplicitVRLittleEndian, JPEGBaseline8Bit, RLELossless
from specimens import specimen, write
from tiers import examples

from gateway.dicom.check import check
from gateway.dicom.definition import Iod
from gateway.dicom.iods import BY_KEY
from gateway.dicom.reading import open_file

OTHERS = [iod for iod in BY_KEY.values() if iod.limits is None]


def put(keyword: str, what: object) -> Callable[[Dataset], None]:
    return lambda head: setattr(head, keyword, what)


def frames_of(number: int) -> Callable[[Dataset], None]:
    def make(head: Dataset) -> None:
        head.NumberOfFrames = number
        head.PixelData = bytes(12 * number)

    return make


def compressed(syntax: str, fragments: int) -> Callable[[Dataset], None]:
    def make(head: Dataset) -> None:
        head.file_meta.TransferSyntaxUID = syntax
        head.PixelData = encapsulate([b"\xff\xd8" + bytes(8)] * fragments)
        head["PixelData"].is_undefined_length = True

    return make


def without(keyword: str) -> Callable[[Dataset], None]:
    return lambda head: head.pop(keyword) and None


FAULTS = {
    "bits stored": ("endoscopic", put("BitsStored", 9), "image", "BitsStored"),
    "high bit": ("endoscopic", put("HighBit", 8), "image", "HighBit"),
    "no rows": ("endoscopic", put("Rows", 0), "image", "Rows"),
    "bits that are no bytes": ("capture", put("BitsAllocated", 12), "image", "BitsAllocated"),
    "one sample of RGB": ("capture", put("SamplesPerPixel", 1), "image", "SamplesPerPixel"),
    "too few pixels": ("photographic", put("PixelData", bytes(10)), "data", "PixelData"),
    "no pixels": ("ultrasound", without("PixelData"), "type 1C", "PixelData"),
    "two frames of a single-frame class": ("endoscopic", frames_of(2), "image", "NumberOfFrames"),
    "a frame less than is said": ("ultrasound-frames", put("NumberOfFrames", 3), "data", "PixelData"),
    "gray in a true color class": (
        "capture-colours",
        put("PhotometricInterpretation", "MONOCHROME2"),
        "image",
        "PhotometricInterpretation",
    ),
    "16 bits in a byte class": ("capture-bytes", put("BitsAllocated", 16), "image", "BitsAllocated"),
    "the modality of another class": ("endoscopic", put("Modality", "XC"), "modality", "Modality"),
    "a pointer to nothing": ("ultrasound-frames", without("FrameTime"), "image", "FrameIncrementPointer"),
    "a vector of the wrong length": (
        "ultrasound-frames",
        put("FrameTimeVector", ["0", "40", "40"]),
        "image",
        "FrameTimeVector",
    ),
    "loss that is not admitted": ("endoscopic", compressed(JPEGBaseline8Bit, 1), "image", "LossyImageCompression"),
    "RGB in a video": ("endoscopic-video", compressed(MPEG4HP41, 1), "image", "PhotometricInterpretation"),
    "a direction that is none": ("photographic", put("PatientOrientation", ["L", "X"]), "image", "PatientOrientation"),
    "two directions that are one": (
        "photographic",
        put("PatientOrientation", ["L", "L"]),
        "image",
        "PatientOrientation",
    ),
    "axes that are not at a right angle": (
        "capture",
        lambda h: (
            put("ImageOrientationPatient", ["1", "0", "0", "0.6", "0.8", "0"])(h),
            put("ImagePositionPatient", ["0", "0", "0"])(h),
        ),
        "image",
        "ImageOrientationPatient",
    ),
    "a lookup table with too few entries": (
        "ultrasound",
        lambda h: [
            h.add_new(f"{color}PaletteColorLookupTable{part}", vr, what)
            for color in ("Red", "Green", "Blue")
            for part, vr, what in (("Descriptor", "US", [256, 0, 16]), ("Data", "OW", bytes(500)))
        ],
        "image",
        "RedPaletteColorLookupTableData",
    ),
    "8 bits in a word class": ("capture-words", put("BitsStored", 8), "image", "BitsStored"),
    "fewer fragments than frames": ("ultrasound-frames", compressed(RLELossless, 1), "data", "PixelData"),
    "a document of another kind": (
        "pdf",
        put("MIMETypeOfEncapsulatedDocument", "text/XML"),
        "document",
        "MIMETypeOfEncapsulatedDocument",
    ),
    "a document that is no PDF": ("pdf", put("EncapsulatedDocument", b"%!PS"), "document", "EncapsulatedDocument"),
    "a document of another length": (
        "pdf",
        put("EncapsulatedDocumentLength", 99),
        "document",
        "EncapsulatedDocumentLength",
    ),
    "no document": ("pdf", without("EncapsulatedDocument"), "type 1", "EncapsulatedDocument"),
    "an empty document": ("pdf", put("EncapsulatedDocument", b""), "type 1", "EncapsulatedDocument"),
}


@pytest.mark.parametrize("iod", OTHERS, ids=lambda iod: iod.key)
def test_a_healthy_file_of_each_class_has_no_finding(iod: Iod, tmp_path: Path) -> None:
    assert check(write(specimen(iod), tmp_path / "healthy.dcm")) == []


@pytest.mark.parametrize("name", FAULTS)
def test_numbers_that_contradict_each_other_are_found(name: str, tmp_path: Path) -> None:
    key, spoil, rule, where = FAULTS[name]
    head = specimen(BY_KEY[key])
    spoil(head)
    found = check(write(head, tmp_path / "spoiled.dcm"))
    assert (rule, where) in [(f.rule, f.where) for f in found if f.severity == "error"], "\n".join(map(str, found))


def restate(path: Path) -> None:
    """Say RLE where Explicit VR Little Endian was said: UIDs of the same length."""
    path.write_bytes(path.read_bytes().replace(ExplicitVRLittleEndian.encode(), RLELossless.encode(), 1))


def test_native_pixels_in_a_syntax_with_fragments_are_found(tmp_path: Path) -> None:
    path = write(specimen(BY_KEY["endoscopic"]), tmp_path / "native.dcm")
    restate(path)
    (finding,) = check(path)
    assert finding.message == "is native, unlike its transfer syntax says"


def test_loss_that_is_admitted_with_ratio_and_method_is_no_finding(tmp_path: Path) -> None:
    head = specimen(BY_KEY["endoscopic"])
    compressed(JPEG2000, 1)(head)
    head.PhotometricInterpretation = "YBR_ICT"
    head.LossyImageCompression, head.LossyImageCompressionRatio = "01", "10"
    head.LossyImageCompressionMethod = "ISO_15444_1"
    assert check(write(head, tmp_path / "lossy.dcm")) == []
    del head.LossyImageCompressionRatio
    (finding,) = check(write(head, tmp_path / "untold.dcm"))
    assert (finding.severity, finding.where) == ("warning", "LossyImageCompressionRatio")


def test_a_video_may_come_in_one_fragment_for_all_frames(tmp_path: Path) -> None:
    head = specimen(BY_KEY["endoscopic-video"])
    compressed(MPEG4HP41, 1)(head)
    head.NumberOfFrames = 250
    head.PhotometricInterpretation = "YBR_PARTIAL_420"
    head.LossyImageCompression, head.LossyImageCompressionRatio = "01", "50"
    head.LossyImageCompressionMethod = "ISO_14496_10"
    assert check(write(head, tmp_path / "video.dcm")) == []


def test_overlays_in_any_of_their_groups_belong_to_an_image_that_may_have_them(tmp_path: Path) -> None:
    head = specimen(BY_KEY["ultrasound"])
    for group in (0x6000, 0x6002):
        for element, vr, value in ((0x10, "US", 2), (0x11, "US", 2), (0x40, "CS", "G"), (0x50, "SS", [1, 1])):
            head.add_new(group << 16 | element, vr, value)
        head.add_new(group << 16 | 0x100, "US", 1)
        head.add_new(group << 16 | 0x102, "US", 0)
        head.add_new(group << 16 | 0x3000, "OW", b"\0\0")
    head.add_new(0x60000045, "LO", "USER")
    assert check(write(head, tmp_path / "overlay.dcm")) == []
    head[0x60000040].value = "X"
    (finding,) = check(write(head, tmp_path / "wrong.dcm"))
    assert (finding.where, finding.tag) == ("OverlayType", "(6000,0040)")


@pytest.mark.parametrize("native", [True, False])
def test_the_pixels_are_not_loaded(native: bool, tmp_path: Path) -> None:
    """2 GB of pixels, a hole in the file system: only their place is looked at."""
    head = specimen(BY_KEY["ultrasound-frames"])
    head.Rows, head.Columns, head.NumberOfFrames = 8000, 8000, 10
    length = 8000 * 8000 * 3 * 10
    head.PixelData = b""
    path = write(head, tmp_path / "huge.dcm")
    if not native:
        restate(path)
    with path.open("r+b") as stream:
        stream.seek(-4, 2)  # the length of the empty value
        if native:
            stream.write(length.to_bytes(4, "little"))
            stream.truncate(stream.tell() + length)
        else:
            stream.write(b"\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0" + bytes(4))
            for _ in range(10):
                stream.write(b"\xfe\xff\x00\xe0" + (length // 10).to_bytes(4, "little"))
                stream.seek(length // 10, 1)
            stream.write(b"\xfe\xff\xdd\xe0" + bytes(4))
    tracemalloc.start()
    found = check(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == []
    assert peak < 4 << 20
    (extent,) = open_file(path).bulk.values()
    assert (extent.length, extent.fragments) == (length, None if native else 11)


def test_pixels_that_were_cut_off_are_a_finding(tmp_path: Path) -> None:
    for syntax, cut in ((ExplicitVRLittleEndian, 4), (RLELossless, 12)):
        head = specimen(BY_KEY["ultrasound-frames"])
        if syntax == RLELossless:
            compressed(syntax, 2)(head)
        path = write(head, tmp_path / "whole.dcm")
        path.write_bytes(path.read_bytes()[:-cut])
        (finding,) = check(path)
        assert finding.rule == "file"
        assert "truncated" in finding.message


@given(st.data())
@settings(max_examples=examples(150))
def test_no_damage_makes_the_check_crash(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(["ultrasound-frames", "photographic", "capture-words", "pdf"]), label="class")
    head = specimen(BY_KEY[key])
    if key == "ultrasound-frames" and data.draw(st.booleans(), label="compressed"):
        compressed(RLELossless, 2)(head)
    path = write(head, tmp_path_factory.getbasetemp() / "damaged.dcm")
    damaged = bytearray(path.read_bytes())
    body = len(damaged) - 132
    for place in data.draw(st.lists(st.integers(0, 4000), max_size=8), label="places"):
        damaged[132 + place % body] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, 4000), label="cut")
    path.write_bytes(damaged[: len(damaged) - cut % body])
    check(path)
