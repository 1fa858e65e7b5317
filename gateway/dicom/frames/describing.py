"""The header of a still or a clip: everything of its data set but the pixels (PS3.3 C.7.6, C.8.5, C.8.6, C.8.12)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from pydicom.dataset import Dataset
from pydicom.tag import Tag

from gateway.dicom import mapping
from gateway.dicom.definition import Iod
from gateway.dicom.frames import altered, icc
from gateway.dicom.frames.format import Format
from gateway.dicom.frames.timing import Timing
from gateway.dicom.header import begun, common, local
from gateway.dicom.parts import Part
from gateway.dicom.scaling import ds
from gateway.model import Code, Exam, Facts, Picture
from gateway.profile import DATA, FORMATS, UNITS, Profile
from gateway.settings import Box

FRAME_TIME, FRAME_TIME_VECTOR = Tag(0x0018, 0x1063), Tag(0x0018, 0x1065)
# Anatomic Region is required of VL clips (C.8.12.1.1.5), and this is true of every picture whose profile names none.
SOME_PART = Code("91723000", "SCT", "Anatomical structure")
_OF_FREQUENCY = 1 << 2  # Region Flags, Doppler Scale Type: not of velocity (C.8.5.5.1.3)
_LONGEST_COMMENTS = 10240  # characters of an LT


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What one instance is made of. ``clip``: Timing of its frames; None of a still. ``seconds``: from the beginning of
    the acquisition to its first frame. ``ratio``: of the lossy compression. ``comments``: of the whole acquisition."""

    facts: Facts
    exam: Exam
    iod: Iod
    picture: Picture
    profile: Profile
    format: Format
    part: Part
    frames: int
    clip: Timing | None
    seconds: float
    ratio: float
    comments: tuple[str, ...]

    @property
    def named(self) -> frozenset[str]:
        return frozenset(use.module for use in self.iod.modules)


def header(shown: Shown, box: Box) -> Dataset:
    """The data set without Pixel Data."""
    head = common(shown.facts, shown.exam, shown.iod, shown.part, box)
    begun(head, local(shown.facts.started) + timedelta(seconds=shown.seconds))
    _general_image(head, shown)
    _image_pixel(head, shown)
    if shown.clip is not None:
        _cine(head, shown, shown.clip)
    if "SC Equipment" in shown.named:
        head.ConversionType = "DI"  # Digital Interface: numbers came in
    if "SC Multi-frame Image" in shown.named and shown.format.samples == 1:
        head.PresentationLUTShape = "IDENTITY"
        head.RescaleIntercept, head.RescaleSlope, head.RescaleType = "0", "1", "US"
    if "Acquisition Context" in shown.named:
        head.AcquisitionContextSequence = []
    if shown.profile.calibration and "US Region Calibration" in shown.named:
        _calibration(head, shown)
    mapping.declare_character_set(head)
    return head


def _general_image(head: Dataset, shown: Shown) -> None:
    head.PatientOrientation = None
    head.ImageType = ["ORIGINAL", "SECONDARY" if "SC Equipment" in shown.named else "PRIMARY"]
    if said := {"yes": "YES", "no": "NO", "masked": "NO"}.get(shown.profile.burned_in):
        head.BurnedInAnnotation = said
    elif "SC Multi-frame Image" in shown.named:
        head.BurnedInAnnotation = "YES"  # must be said; nobody knows, so it is to be reckoned with
    head.LossyImageCompression = "01" if shown.format.lossy else "00"
    if shown.format.lossy:
        head.LossyImageCompressionRatio = ds(round(shown.ratio, 2))
        head.LossyImageCompressionMethod = shown.format.lossy
    region = shown.profile.anatomic_region
    if region is None and "VL Image" in shown.named and shown.clip is not None:
        region = SOME_PART
    if region is not None:
        head.AnatomicRegionSequence = [mapping.code(region)]
    if shown.profile.laterality:
        head.ImageLaterality = shown.profile.laterality
    if text := "; ".join(shown.comments):
        head.ImageComments = text[:_LONGEST_COMMENTS]


def _image_pixel(head: Dataset, shown: Shown) -> None:
    form = shown.format
    head.SamplesPerPixel = form.samples
    head.PhotometricInterpretation = form.photometric
    if form.samples > 1:
        head.PlanarConfiguration = 0
    head.Rows, head.Columns = form.rows, form.columns
    if form.aspect[0] != form.aspect[1]:
        head.PixelAspectRatio = [str(n) for n in form.aspect]
    head.BitsAllocated = head.BitsStored = 8
    head.HighBit, head.PixelRepresentation = 7, 0
    if form.samples > 1 and form.standard_colour and "ICC Profile" in shown.named:
        head.ICCProfile, head.ColorSpace = icc.srgb(), "SRGB"


def _cine(head: Dataset, shown: Shown, clip: Timing) -> None:
    head.NumberOfFrames = shown.frames
    if clip.vector:
        head.FrameIncrementPointer, head.FrameTimeVector = FRAME_TIME_VECTOR, list(clip.vector)
    else:
        head.FrameIncrementPointer, head.FrameTime = FRAME_TIME, ds(round(clip.interval * 1000, 6))
    rate = max(1, round(clip.rate))
    head.RecommendedDisplayFrameRate = head.CineRate = str(rate)
    head.EffectiveDuration = ds(round(float(clip.durations.sum()), 6))


def _calibration(head: Dataset, shown: Shown) -> None:
    """US Region Calibration, of what is left after cropping."""
    regions = []
    for one in shown.profile.calibration:
        place = altered.shifted(one.area, shown.profile, shown.picture.rows, shown.picture.columns)
        if place is None:
            continue
        item = Dataset()
        item.RegionLocationMinX0, item.RegionLocationMinY0 = place[:2]
        item.RegionLocationMaxX1, item.RegionLocationMaxY1 = place[2:]
        item.PhysicalUnitsXDirection, item.PhysicalUnitsYDirection = UNITS[one.unit_x], UNITS[one.unit_y]
        item.PhysicalDeltaX, item.PhysicalDeltaY = one.step_x, one.step_y
        item.RegionSpatialFormat, item.RegionDataType = FORMATS[one.format], DATA[one.data]
        item.RegionFlags = _OF_FREQUENCY if one.format == "spectral" and "Hz" in (one.unit_x, one.unit_y) else 0
        regions.append(item)
    if regions:
        head.SequenceOfUltrasoundRegions = regions
