"""TABLE of the image, video and document IODs that the check knows (PS3.3 A.6 to A.8, A.32, A.45)."""

from __future__ import annotations

from gateway.dicom import conditions
from gateway.dicom.definition import Iod, Pictures, Use

_UID = "1.2.840.10008.5.1.4.1.1."
_TIMED = conditions.parse("FrameIncrementPointer = (0018,1063)|(0018,1065)")
_VECTORS = conditions.parse("FrameIncrementPointer = (0018,1065)|" + "|".join(f"(0018,200{n})" for n in range(1, 7)))

_PATIENT_AND_STUDY = (
    Use("Patient", "M"),
    Use("Clinical Trial Subject", "U"),
    Use("General Study", "M"),
    Use("Patient Study", "U"),
    Use("Clinical Trial Study", "U"),
)
_SERIES = (*_PATIENT_AND_STUDY, Use("General Series", "M"), Use("Clinical Trial Series", "U"))
_IMAGE = (
    Use("General Acquisition", "M"),
    Use("General Image", "M"),
    Use("General Reference", "U"),
    Use("Image Pixel", "M"),
    Use("Device", "U"),
    Use("SOP Common", "M"),
    Use("Common Instance Reference", "U"),
)
_VIDEO = (Use("Cine", "M"), Use("Multi-frame", "M"), Use("Frame Extraction", "C"))
_COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_420", "YBR_ICT", "YBR_RCT", "XYB")


def _secondary_capture(*more: Use) -> tuple[Use, ...]:
    return (
        *_SERIES,
        Use("General Equipment", "U"),
        Use("SC Equipment", "M"),
        *_IMAGE,
        Use("Enhanced Patient Orientation", "U"),
        Use("Specimen", "U"),
        *more,
    )


def _captured_frames(*more: Use) -> tuple[Use, ...]:
    return _secondary_capture(
        Use("Cine", "C", _TIMED),
        Use("Multi-frame", "M"),
        Use("Frame Pointers", "U"),
        Use("SC Image", "U"),
        Use("SC Multi-frame Image", "M"),
        Use("SC Multi-frame Vector", "C", _VECTORS),
        Use("Frame Extraction", "C"),
        *more,
    )


def _placed_frames(kind: str, *more: Use) -> tuple[Use, ...]:
    return _captured_frames(
        Use("Frame of Reference", "C"),
        Use("Synchronization", "U"),
        Use(f"Multi-frame {kind} Secondary Capture Image Multi-frame Functional Groups", "U"),
        Use("Multi-frame Dimension", "U"),
        *more,
    )


def _ultrasound(*more: Use) -> tuple[Use, ...]:
    return (
        *_SERIES,
        Use("Frame of Reference", "U"),
        Use("General Equipment", "M"),
        *_IMAGE,
        Use("Contrast/Bolus", "C"),
        Use("Palette Color Lookup Table", "C", conditions.parse("PhotometricInterpretation = PALETTE COLOR")),
        Use("Specimen", "U"),
        Use("US Region Calibration", "U"),
        Use("US Image", "M"),
        Use("Overlay Plane", "U"),
        Use("VOI LUT", "U"),
        Use("ICC Profile", "U"),
        *more,
    )


def _visible_light(*more: Use, specimen: str) -> tuple[Use, ...]:
    return (
        *_SERIES,
        Use("General Equipment", "M"),
        *_IMAGE,
        Use("Acquisition Context", "M"),
        Use("Specimen", specimen),
        Use("VL Image", "M"),
        Use("ICC Profile", "U"),
        *more,
    )


ROWS: tuple[Iod, ...] = (
    Iod(
        "capture",
        "Secondary Capture Image",
        f"{_UID}7",
        "A.8.1",
        "",
        _secondary_capture(
            Use("Frame of Reference", "C"),
            Use("Synchronization", "U"),
            Use("Image Plane", "U"),
            Use("SC Image", "M"),
            Use("Overlay Plane", "U"),
            Use("Modality LUT", "U"),
            Use("VOI LUT", "U"),
            Use("ICC Profile", "U"),
        ),
        pictures=Pictures(),
    ),
    Iod(
        "capture-bits",
        "Multi-frame Single Bit Secondary Capture Image",
        f"{_UID}7.1",
        "A.8.2",
        "",
        _captured_frames(),
        pictures=Pictures(("MONOCHROME2",), (1,), frames=True),
    ),
    Iod(
        "capture-bytes",
        "Multi-frame Grayscale Byte Secondary Capture Image",
        f"{_UID}7.2",
        "A.8.3",
        "",
        _placed_frames("Grayscale Byte", Use("VOI LUT", "C")),
        pictures=Pictures(("MONOCHROME2",), (8,), frames=True),
    ),
    Iod(
        "capture-words",
        "Multi-frame Grayscale Word Secondary Capture Image",
        f"{_UID}7.3",
        "A.8.4",
        "",
        _placed_frames("Grayscale Word", Use("VOI LUT", "C")),
        pictures=Pictures(("MONOCHROME2",), (16,), least_stored=9, frames=True),
    ),
    Iod(
        "capture-colours",
        "Multi-frame True Color Secondary Capture Image",
        f"{_UID}7.4",
        "A.8.5",
        "",
        _placed_frames("True Color", Use("ICC Profile", "U")),
        pictures=Pictures(_COLOURS, (8,), frames=True),
    ),
    Iod(
        "ultrasound",
        "Ultrasound Image",
        f"{_UID}6.1",
        "A.6",
        "US|IVUS",
        _ultrasound(Use("Synchronization", "U")),
        pictures=Pictures(bits=(8, 16)),
    ),
    Iod(
        "ultrasound-frames",
        "Ultrasound Multi-frame Image",
        f"{_UID}3.1",
        "A.7",
        "US|IVUS",
        _ultrasound(
            Use("Synchronization", "C", conditions.parse("Modality = IVUS")),
            Use("Frame Pointers", "U"),
            Use("Multi-frame Overlay", "U"),
            *_VIDEO,
        ),
        pictures=Pictures(bits=(8, 16), frames=True),
    ),
    Iod(
        "endoscopic",
        "VL Endoscopic Image",
        f"{_UID}77.1.1",
        "A.32.1",
        "ES",
        _visible_light(Use("Overlay Plane", "U"), specimen="U"),
        pictures=Pictures(),
    ),
    Iod(
        "endoscopic-video",
        "Video Endoscopic Image",
        f"{_UID}77.1.1.1",
        "A.32.5",
        "ES",
        _visible_light(*_VIDEO, specimen="C"),
        pictures=Pictures(bits=(8,), frames=True),
    ),
    Iod(
        "photographic",
        "VL Photographic Image",
        f"{_UID}77.1.4",
        "A.32.4",
        "XC",
        _visible_light(
            Use("VL Photographic Equipment", "U"),
            Use("VL Photographic Acquisition", "U"),
            Use("VL Photographic Geolocation", "U"),
            Use("Overlay Plane", "U"),
            specimen="C",
        ),
        pictures=Pictures(),
    ),
    Iod(
        "photographic-video",
        "Video Photographic Image",
        f"{_UID}77.1.4.1",
        "A.32.7",
        "XC",
        _visible_light(Use("Synchronization", "U"), *_VIDEO, specimen="C"),
        pictures=Pictures(bits=(8,), frames=True),
    ),
    Iod(
        "pdf",
        "Encapsulated PDF",
        f"{_UID}104.1",
        "A.45.1",
        "",
        (
            *_PATIENT_AND_STUDY,
            Use("Encapsulated Document Series", "M"),
            Use("Clinical Trial Series", "U"),
            Use("General Equipment", "M"),
            Use("SC Equipment", "M"),
            Use("Encapsulated Document", "M"),
            Use("SOP Common", "M"),
        ),
        document="application/pdf",
    ),
)
