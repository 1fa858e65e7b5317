"""TABLES: which directory record a SOP class gets, and which keys each record carries (PS3.3 F.4 and F.5).

To the keys of annex F come those that the STD-GEN profiles for DVD, USB and SD ask for (PS3.11 table H.3-2).
Some keys are type 1 in the directory but type 2 in the instance; there the writer must supply a value. It takes
the first of ``instead`` that the instance has, else the constant ``supply``:

    Patient ID     no constant: NO-ID- and a hash of the Study Instance UID, so that two patients without an ID
                   never share a record
    Study Date     Series, Content, Acquisition, Instance Creation Date, else 19000101
    Study Time     Series, Content, Acquisition, Instance Creation Time, else 000000
    Study ID       Accession Number, else UNKNOWN
    Series and Instance Number     0

A class that no row names gets no record: the instance is held, not filed under a wrong type. Of SR DOCUMENT two
conditional keys are not written: Content Sequence (when the title has modifiers) and Verification DateTime.
"""

from __future__ import annotations

from dataclasses import dataclass

_ROOT = "1.2.840.10008.5.1.4.1.1."

# Record type -> SOP classes (below 1.2.840.10008.5.1.4.1.1.).
_CLASSES: dict[str, str] = {
    "WAVEFORM": "9.1.1 9.1.2 9.1.3 9.1.4 9.2.1 9.3.1 9.4.1 9.4.2 9.5.1 9.6.1 9.6.2 9.7.1 9.7.2 9.7.3 9.7.4 9.8.1",
    "IMAGE": "1 1.1 1.1.1 1.2 1.2.1 1.3 1.3.1 2 2.1 2.2 3.1 4 4.1 4.3 4.4 6.1 6.2 6.3 7 7.1 7.2 7.3 7.4 "
    "12.1 12.1.1 12.2 12.2.1 13.1.1 13.1.2 13.1.3 13.1.4 13.1.5 14.1 14.2 20 30 66.4 "
    "77.1.1 77.1.1.1 77.1.2 77.1.2.1 77.1.3 77.1.4 77.1.4.1 77.1.5.1 77.1.5.2 77.1.5.4 77.1.5.5 77.1.5.6 "
    "77.1.5.7 77.1.5.8 77.1.6 77.1.7 77.1.8 77.1.9 81.1 82.1 128 128.1 130",
    "ENCAP DOC": "104.1 104.2 104.3 104.4 104.5",
    "SR DOCUMENT": "88.11 88.22 88.33 88.34 88.35 88.40 88.50 88.65 88.67 88.68 88.69 88.70 88.71 88.72 88.73 88.74 "
    "88.75 88.76 88.77 78.6 79.1",
    "KEY OBJECT DOC": "88.59",
    "PRESENTATION": "11.1 11.2 11.3 11.4 11.5 11.6 11.7 11.8 11.9 11.10 11.11 11.12 9.100.1 9.100.2",
    "RAW DATA": "66",
}
RECORD_TYPE: dict[str, str] = {_ROOT + end: kind for kind, ends in _CLASSES.items() for end in ends.split()}

# Which record may stand below which (PS3.3 table F.4-1); "" is the root.
BELOW: dict[str, frozenset[str]] = {
    "": frozenset({"PATIENT"}),
    "PATIENT": frozenset({"STUDY"}),
    "STUDY": frozenset({"SERIES"}),
    "SERIES": frozenset(_CLASSES),
}

# The same for records that we never write but may meet: other classes, newer ones, and what is retired.
_ANY_LEAF = frozenset(
    {"RADIOTHERAPY", "RT DOSE", "RT STRUCTURE SET", "RT PLAN", "RT TREAT RECORD", "REGISTRATION", "FIDUCIAL"}
    | {"SPECTROSCOPY", "VALUE MAP", "STEREOMETRIC", "MEASUREMENT", "SURFACE", "SURFACE SCAN", "TRACT", "ASSESSMENT"}
    | {"ANNOTATION", "PLAN", "INVENTORY", "WAVEFORM PRES", "STUDY COMPONENT", "OVERLAY", "MODALITY LUT", "VOI LUT"}
    | {"CURVE", "STORED PRINT", "PRIVATE"}
)
ALLOWED: dict[str, frozenset[str]] = {
    "": BELOW[""]
    | {"HANGING PROTOCOL", "PALETTE", "IMPLANT", "IMPLANT ASSY", "IMPLANT GROUP", "INVENTORY", "PRIVATE"}
    | {"TOPIC", "PRINT QUEUE", "MRDR"},
    "PATIENT": BELOW["PATIENT"] | {"HL7 STRUC DOC", "PRIVATE"},
    "STUDY": BELOW["STUDY"] | {"VISIT", "RESULTS", "STUDY COMPONENT", "FILM SESSION", "PRIVATE"},
    "SERIES": BELOW["SERIES"] | _ANY_LEAF,
    "TOPIC": BELOW["SERIES"] | _ANY_LEAF | {"STUDY", "SERIES"},
    "RESULTS": frozenset({"INTERPRETATION", "PRIVATE"}),
    "PRINT QUEUE": frozenset({"FILM SESSION", "PRIVATE"}),
    "FILM SESSION": frozenset({"FILM BOX", "PRIVATE"}),
    "FILM BOX": frozenset({"IMAGE BOX", "PRIVATE"}),
    "PRIVATE": frozenset({"PRIVATE"}),
}

EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a directory record. ``type`` is "1", "2" or "1C" (copied when the instance has a value)."""

    tag: int
    vr: bytes
    type: str
    keyword: str
    instead: tuple[int, ...] = ()
    supply: bytes = b""


_INSTANCE_NUMBER = Key(0x00200013, b"IS", "1", "Instance Number", supply=b"0")
_DATE = (0x00080021, 0x00080023, 0x0008002A, 0x00080012)
_TIME = (0x00080031, 0x00080033, 0x0008002A, 0x00080013)
_CONTENT_DATE = Key(0x00080023, b"DA", "1", "Content Date", (0x0008002A, 0x00080020), b"19000101")
_CONTENT_TIME = Key(0x00080033, b"TM", "1", "Content Time", (0x0008002A, 0x00080030), b"000000")
_CONCEPT_NAME = Key(0x0040A043, b"SQ", "1", "Concept Name Code Sequence")

KEYS: dict[str, tuple[Key, ...]] = {
    "PATIENT": (
        Key(0x00100010, b"PN", "2", "Patient's Name"),
        Key(0x00100020, b"LO", "1", "Patient ID"),
        Key(0x00100021, b"LO", "1C", "Issuer of Patient ID"),  # the same ID of another issuer is another patient
        Key(0x00100030, b"DA", "1C", "Patient's Birth Date"),
        Key(0x00100040, b"CS", "1C", "Patient's Sex"),
    ),
    "STUDY": (
        Key(0x00080020, b"DA", "1", "Study Date", _DATE, b"19000101"),
        Key(0x00080030, b"TM", "1", "Study Time", _TIME, b"000000"),
        Key(0x00080050, b"SH", "2", "Accession Number"),
        Key(0x00081030, b"LO", "2", "Study Description"),
        Key(0x0020000D, b"UI", "1", "Study Instance UID"),
        Key(0x00200010, b"SH", "1", "Study ID", (0x00080050,), b"UNKNOWN"),
    ),
    "SERIES": (
        Key(0x00080060, b"CS", "1", "Modality"),
        Key(0x00080080, b"LO", "1C", "Institution Name"),
        Key(0x00080081, b"ST", "1C", "Institution Address"),
        Key(0x00081050, b"PN", "1C", "Performing Physician's Name"),
        Key(0x0020000E, b"UI", "1", "Series Instance UID"),
        Key(0x00200011, b"IS", "1", "Series Number", supply=b"0"),
    ),
    "WAVEFORM": (_CONTENT_DATE, _CONTENT_TIME, _INSTANCE_NUMBER),
    "IMAGE": (
        Key(0x00080008, b"CS", "1C", "Image Type"),
        Key(0x0008002A, b"DT", "1C", "Acquisition DateTime"),
        Key(0x00081140, b"SQ", "1C", "Referenced Image Sequence"),
        Key(0x00181800, b"CS", "1C", "Acquisition Time Synchronized"),
        _INSTANCE_NUMBER,
        Key(0x00200032, b"DS", "1C", "Image Position (Patient)"),
        Key(0x00200037, b"DS", "1C", "Image Orientation (Patient)"),
        Key(0x00200052, b"UI", "1C", "Frame of Reference UID"),
        Key(0x00200200, b"UI", "1C", "Synchronization Frame of Reference UID"),
        Key(0x00280008, b"IS", "1C", "Number of Frames"),
        Key(0x00280010, b"US", "1", "Rows"),
        Key(0x00280011, b"US", "1", "Columns"),
        Key(0x00280030, b"DS", "1C", "Pixel Spacing"),
        Key(0x00282112, b"DS", "1C", "Lossy Image Compression Ratio"),
        Key(0x00500004, b"CS", "1C", "Calibration Image"),
    ),
    "ENCAP DOC": (
        Key(0x00080023, b"DA", "2", "Content Date"),
        Key(0x00080033, b"TM", "2", "Content Time"),
        _INSTANCE_NUMBER,
        Key(0x0040A043, b"SQ", "2", "Concept Name Code Sequence"),
        Key(0x0040E001, b"ST", "1C", "HL7 Instance Identifier"),
        Key(0x00420010, b"ST", "2", "Document Title"),
        Key(0x00420012, b"LO", "1", "MIME Type of Encapsulated Document"),
    ),
    "SR DOCUMENT": (
        _CONTENT_DATE,
        _CONTENT_TIME,
        _INSTANCE_NUMBER,
        _CONCEPT_NAME,
        Key(0x0040A491, b"CS", "1", "Completion Flag"),
        Key(0x0040A493, b"CS", "1", "Verification Flag"),
    ),
    "KEY OBJECT DOC": (_CONTENT_DATE, _CONTENT_TIME, _INSTANCE_NUMBER, _CONCEPT_NAME),
    "PRESENTATION": (
        Key(0x00081115, b"SQ", "1C", "Referenced Series Sequence"),
        _INSTANCE_NUMBER,
        Key(0x00700080, b"CS", "1", "Content Label"),
        Key(0x00700081, b"LO", "2", "Content Description"),
        Key(0x00700082, b"DA", "1", "Presentation Creation Date"),
        Key(0x00700083, b"TM", "1", "Presentation Creation Time"),
        Key(0x00700084, b"PN", "2", "Content Creator's Name"),
        Key(0x00700402, b"SQ", "1C", "Blending Sequence"),
    ),
    "RAW DATA": (_CONTENT_DATE, _CONTENT_TIME, _INSTANCE_NUMBER),
}

# What must be read of an instance to file it; the last tag is where reading may stop.
WANTED: frozenset[int] = frozenset(
    tag for keys in KEYS.values() for key in keys for tag in (key.tag, *key.instead)
) | frozenset({0x00080005, 0x00080016, 0x00080018})
