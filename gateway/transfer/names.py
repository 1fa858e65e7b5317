"""TABLES of what people call the SOP classes and transfer syntaxes that the gateway speaks of (PS3.6 annex A)."""

from __future__ import annotations

VERIFICATION = "1.2.840.10008.1.1"
PUSH_MODEL = "1.2.840.10008.1.20.1"  # storage commitment

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
PROPOSED = (EXPLICIT, IMPLICIT)  # transfer syntaxes of everything but storage, the better first

CLASSES: dict[str, str] = {
    VERIFICATION: "Verification",
    "1.2.840.10008.5.1.4.31": "Modality Worklist",
    "1.2.840.10008.3.1.2.3.3": "Modality Performed Procedure Step",
    PUSH_MODEL: "Storage Commitment",
    "1.2.840.10008.5.1.4.1.1.9.1.1": "12-Lead ECG",
    "1.2.840.10008.5.1.4.1.1.9.1.2": "General ECG",
    "1.2.840.10008.5.1.4.1.1.9.1.3": "Ambulatory ECG",
    "1.2.840.10008.5.1.4.1.1.9.1.4": "General 32-bit ECG",
}
IMAGES: dict[str, str] = {
    "1.2.840.10008.5.1.4.1.1.77.1.1": "VL Endoscopic Image",
    "1.2.840.10008.5.1.4.1.1.77.1.1.1": "Video Endoscopic Image",
    "1.2.840.10008.5.1.4.1.1.77.1.4": "VL Photographic Image",
    "1.2.840.10008.5.1.4.1.1.77.1.4.1": "Video Photographic Image",
    "1.2.840.10008.5.1.4.1.1.6.1": "Ultrasound Image",
    "1.2.840.10008.5.1.4.1.1.3.1": "Ultrasound Multi-frame Image",
    "1.2.840.10008.5.1.4.1.1.7": "Secondary Capture Image",
    "1.2.840.10008.5.1.4.1.1.7.2": "Multi-frame Grayscale Byte Secondary Capture Image",
    "1.2.840.10008.5.1.4.1.1.7.4": "Multi-frame True Color Secondary Capture Image",
    "1.2.840.10008.5.1.4.1.1.9.2.1": "Hemodynamic",
    "1.2.840.10008.5.1.4.1.1.9.3.1": "Cardiac Electrophysiology",
    "1.2.840.10008.5.1.4.1.1.9.4.1": "Basic Voice Audio",
    "1.2.840.10008.5.1.4.1.1.9.4.2": "General Audio",
    "1.2.840.10008.5.1.4.1.1.9.5.1": "Arterial Pulse",
    "1.2.840.10008.5.1.4.1.1.9.6.1": "Respiratory",
    "1.2.840.10008.5.1.4.1.1.9.6.2": "Multi-channel Respiratory",
    "1.2.840.10008.5.1.4.1.1.9.7.1": "Routine Scalp EEG",
    "1.2.840.10008.5.1.4.1.1.9.7.2": "Electromyogram",
    "1.2.840.10008.5.1.4.1.1.9.7.3": "Electrooculogram",
    "1.2.840.10008.5.1.4.1.1.9.7.4": "Sleep EEG",
    "1.2.840.10008.5.1.4.1.1.9.8.1": "Body Position",
}
SYNTAXES: dict[str, str] = {
    EXPLICIT: "Explicit VR Little Endian",
    IMPLICIT: "Implicit VR Little Endian",
}


_CODED: dict[str, str] = {
    "1.2.840.10008.1.2.1.99": "Deflated Explicit VR Little Endian",
    "1.2.840.10008.1.2.2": "Explicit VR Big Endian",
    "1.2.840.10008.1.2.5": "RLE Lossless",
    "1.2.840.10008.1.2.4.50": "JPEG Baseline",
    "1.2.840.10008.1.2.4.51": "JPEG Extended",
    "1.2.840.10008.1.2.4.57": "JPEG Lossless",
    "1.2.840.10008.1.2.4.70": "JPEG Lossless (first-order prediction)",
    "1.2.840.10008.1.2.4.80": "JPEG-LS Lossless",
    "1.2.840.10008.1.2.4.81": "JPEG-LS Near-lossless",
    "1.2.840.10008.1.2.4.90": "JPEG 2000 Lossless",
    "1.2.840.10008.1.2.4.91": "JPEG 2000",
    "1.2.840.10008.1.2.4.102": "MPEG-4 AVC/H.264 High Profile, level 4.1",
    "1.2.840.10008.1.2.4.102.1": "MPEG-4 AVC/H.264 High Profile, level 4.1, fragmentable",
    "1.2.840.10008.1.2.4.104": "MPEG-4 AVC/H.264 High Profile, level 4.2",
    "1.2.840.10008.1.2.4.104.1": "MPEG-4 AVC/H.264 High Profile, level 4.2, fragmentable",
}


def syntax(transfer_syntax_uid: str) -> str:
    """A transfer syntax as a person reads it; what has no name here goes by its number."""
    return SYNTAXES.get(transfer_syntax_uid) or _CODED.get(transfer_syntax_uid, transfer_syntax_uid)


def kind(sop_class_uid: str, transfer_syntax_uid: str) -> str:
    """A class in one transfer syntax, as a person reads it; what has no name here goes by its number."""
    named = CLASSES.get(sop_class_uid) or IMAGES.get(sop_class_uid, "SOP class")
    return f"{named} ({sop_class_uid}, {syntax(transfer_syntax_uid)})"
