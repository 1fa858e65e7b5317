"""TABLE of the modules that waveform instances are made of: attributes, types, conditions, allowed values.

Types and enumerated values as in PS3.3 C.7, C.10 and C.12; type 3 attributes stand here only where their
content is checked. Macros (codes, SOP references) are written once and used by name.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.dicom import conditions as when
from gateway.dicom.conditions import Condition


@dataclass(frozen=True, slots=True)
class Attribute:
    """One row of a module table. ``type`` is 1, 1C, 2, 2C or 3; ``items`` are the rows inside a sequence."""

    keyword: str
    type: str
    condition: Condition | None = None
    values: tuple[str, ...] = ()  # enumerated values
    items: tuple[Attribute, ...] = ()
    one_item: bool = False  # only a single item shall be included


@dataclass(frozen=True, slots=True)
class Module:
    """``marks``: attributes whose presence shows that an optional module is used."""

    name: str
    section: str
    attributes: tuple[Attribute, ...]
    marks: tuple[str, ...] = ()


A = Attribute

CODE = (
    A("CodeValue", "1C", when.IS_TEXT_CODE),
    A("CodingSchemeDesignator", "1C", when.HAS_CODE_VALUE),
    A("CodeMeaning", "1"),
)
SOP_REFERENCE = (A("ReferencedSOPClassUID", "1"), A("ReferencedSOPInstanceUID", "1"))

PATIENT = Module(
    "Patient",
    "C.7.1.1",
    (
        A("PatientName", "2"),
        A("PatientID", "2"),
        A("IssuerOfPatientID", "3"),
        A("PatientBirthDate", "2"),
        A("PatientSex", "2", values=("M", "F", "O")),
    ),
)

GENERAL_STUDY = Module(
    "General Study",
    "C.7.2.1",
    (
        A("StudyInstanceUID", "1"),
        A("StudyDate", "2"),
        A("StudyTime", "2"),
        A("ReferringPhysicianName", "2"),
        A("StudyID", "2"),
        A("AccessionNumber", "2"),
        A("ReferencedStudySequence", "3", items=SOP_REFERENCE),
        A("ProcedureCodeSequence", "3", items=CODE),
    ),
)

GENERAL_SERIES = Module(
    "General Series",
    "C.7.3.1",
    (
        A("Modality", "1"),
        A("SeriesInstanceUID", "1"),
        A("SeriesNumber", "2"),
        A("Laterality", "2C", when.PAIRED_PART, values=("R", "L")),
        A("ReferencedPerformedProcedureStepSequence", "3", items=SOP_REFERENCE, one_item=True),
        A(
            "RequestAttributesSequence",
            "3",
            items=(
                A("RequestedProcedureID", "1C", when.UNKNOWABLE),
                A("ScheduledProcedureStepID", "1C", when.UNKNOWABLE),
                A("ScheduledProtocolCodeSequence", "3", items=CODE),
            ),
        ),
        A("PerformedProtocolCodeSequence", "3", items=CODE),
    ),
)

SYNCHRONIZATION = Module(
    "Synchronization",
    "C.7.4.2",
    (
        A("SynchronizationFrameOfReferenceUID", "1"),
        A("SynchronizationTrigger", "1", values=("SOURCE", "EXTERNAL", "PASSTHRU", "NO TRIGGER")),
        A("SynchronizationChannel", "1C", when.UNKNOWABLE),
        A("AcquisitionTimeSynchronized", "1", values=("Y", "N")),
    ),
    marks=("SynchronizationFrameOfReferenceUID", "SynchronizationTrigger", "AcquisitionTimeSynchronized"),
)

GENERAL_EQUIPMENT = Module("General Equipment", "C.7.5.1", (A("Manufacturer", "2"),))

ENHANCED_EQUIPMENT = Module(
    "Enhanced General Equipment",
    "C.7.5.2",
    (
        A("Manufacturer", "1"),
        A("ManufacturerModelName", "1"),
        A("DeviceSerialNumber", "1"),
        A("SoftwareVersions", "1"),
    ),
)

WAVEFORM_IDENTIFICATION = Module(
    "Waveform Identification",
    "C.10.8",
    (
        A("InstanceNumber", "1"),
        A("ContentDate", "1"),
        A("ContentTime", "1"),
        A("AcquisitionDateTime", "1"),
    ),
)

CHANNEL = (
    A("ChannelSourceSequence", "1", items=CODE, one_item=True),
    A("ChannelSourceModifiersSequence", "1C", when.UNKNOWABLE, items=CODE),
    A("ChannelSensitivity", "1C", when.UNKNOWABLE),
    A("ChannelSensitivityUnitsSequence", "1C", when.HAS_SENSITIVITY, items=CODE, one_item=True),
    A("ChannelSensitivityCorrectionFactor", "1C", when.HAS_SENSITIVITY),
    A("ChannelBaseline", "1C", when.HAS_SENSITIVITY),
    A("ChannelTimeSkew", "1C", when.NO_SAMPLE_SKEW),
    A("ChannelSampleSkew", "1C", when.NO_TIME_SKEW),
    A("WaveformBitsStored", "1"),
)

WAVEFORM = Module(
    "Waveform",
    "C.10.9",
    (
        A(
            "WaveformSequence",
            "1",
            items=(
                A("MultiplexGroupTimeOffset", "1C", when.SYNCHRONIZED),
                A("TriggerTimeOffset", "1C", when.UNKNOWABLE),
                A("WaveformOriginality", "1", values=("ORIGINAL", "DERIVED")),
                A("NumberOfWaveformChannels", "1"),
                A("NumberOfWaveformSamples", "1"),
                A("SamplingFrequency", "1"),
                A("ChannelDefinitionSequence", "1", items=CHANNEL),
                A("WaveformPaddingValue", "1C", when.UNKNOWABLE),
                A("WaveformBitsAllocated", "1"),
                A("WaveformSampleInterpretation", "1"),
                A("WaveformData", "1"),
            ),
        ),
    ),
)

ACQUISITION_CONTEXT = Module("Acquisition Context", "C.7.6.14", (A("AcquisitionContextSequence", "2"),))

WAVEFORM_ANNOTATION = Module(
    "Waveform Annotation",
    "C.10.10",
    (
        A(
            "WaveformAnnotationSequence",
            "1",
            items=(
                A("UnformattedTextValue", "1C", when.NO_CONCEPT),
                A("ConceptNameCodeSequence", "1C", when.NO_TEXT, items=CODE, one_item=True),
                A("ReferencedWaveformChannels", "1"),
                A(
                    "TemporalRangeType",
                    "1C",
                    when.UNKNOWABLE,
                    values=("POINT", "MULTIPOINT", "SEGMENT", "MULTISEGMENT", "BEGIN", "END"),
                ),
                A("ReferencedSamplePositions", "1C", when.SAMPLE_POSITIONS),
                A("ReferencedTimeOffsets", "1C", when.TIME_OFFSETS),
                A("ReferencedDateTime", "1C", when.DATE_TIMES),
            ),
        ),
    ),
    marks=("WaveformAnnotationSequence",),
)

SOP_COMMON = Module(
    "SOP Common",
    "C.12.1",
    (
        A("SOPClassUID", "1"),
        A("SOPInstanceUID", "1"),
        A("SpecificCharacterSet", "1C", when.EXTENDED_CHARACTERS),
    ),
)
