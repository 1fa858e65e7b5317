"""TABLE of where each attribute of an instance comes from: the header as the conformance statement tells it.

The words are those of PS3.2 (annex A, IOD contents), and one more: what PS3.2 calls AUTO is DEVICE here where the
device itself says or measures it. What the worklist gives is not written down twice: these rows are made of
:data:`gateway.dicom.mapping.TABLE`. Which type an attribute has is the module tables' to say; what stands in no row is
never written. That an attribute's value comes from the source of its row is tested by changing that source alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.dicom import mapping, modules
from gateway.dicom.conditions import name
from gateway.dicom.definition import Iod
from gateway.dicom.modules import Attribute
from gateway.dicom.origin import Origin, Presence, Source

_A, _V, _N, _E = Presence.ALWAYS, Presence.VNAP, Presence.ANAP, Presence.EMPTY
_MWL, _USER, _DEVICE, _CONFIG, _AUTO, _FIXED, _ = Source

# What a person may enter when there is no worklist item, and what is generated for a patient nobody can name yet.
ENTERED = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber")
GENERATED = ("PatientName", "PatientID")

# Which setting of [gateway] an attribute has its value from.
CONFIGURED: dict[str, str] = {
    "StationName": "station_name",
    "InstitutionName": "institution_name",
    "InstitutionalDepartmentName": "department",
}


def _of_the_worklist() -> Iterator[Origin]:
    """Rows for what :mod:`gateway.dicom.mapping` copies."""
    seen: set[str] = set()
    for row in mapping.TABLE:
        for path in row.instance:
            sources = [_MWL]
            if not row.scheduled and path in ENTERED:
                sources.append(_USER)
            if path in GENERATED:
                sources.append(_AUTO)
            said = [f"{name(row.worklist.rpartition('/')[2])} of the item"]
            if path in GENERATED:
                said.append("of an emergency made by the pattern under [emergency]")
            if row.scheduled:
                said.append("only of an exam from the worklist")
            presence = _V if row.instance_type == "2" else _N
            outer, _, last = path.rpartition("/")
            if outer and outer not in seen:
                seen.add(outer)
                yield Origin(outer, _N, (_MWL,), "an item for each scheduled step that the exam is for")
            yield Origin(path, presence, tuple(sources), "; ".join(said), whole=last.endswith("Sequence"))
    group_case = "only if one exam is for several steps: of each"
    for keyword in ("AccessionNumber", "StudyInstanceUID"):
        yield Origin(f"{mapping.REQUEST}/{keyword}", _N, (_MWL,), group_case)


_HEADER = (
    Origin("SOPClassUID", _A, (_FIXED,)),
    Origin(
        "SOPInstanceUID", _A, (_AUTO,), "derived of recording, class, part and whose it is: wrapped again, the same"
    ),
    Origin("SpecificCharacterSet", _N, (_AUTO,), "ISO_IR 192 if a value needs more than ASCII"),
    Origin("TimezoneOffsetFromUTC", _A, (_AUTO,), "of the box"),
    Origin("InstanceNumber", _A, (_AUTO,), "counts the device's recordings in the exam, and the parts of one"),
    Origin(
        "OriginalAttributesSequence",
        _N,
        (_AUTO,),
        "only in a corrected copy: the patient and step it had been given to, with zero length what was not there",
        whole=True,
    ),
    Origin(
        "StudyInstanceUID", _A, (_MWL, _AUTO), "Study Instance UID of the item; one of its own if steps have several"
    ),
    Origin("StudyDate", _A, (_AUTO,), "when the exam was opened"),
    Origin("StudyTime", _A, (_AUTO,), "when the exam was opened"),
    Origin("StudyID", _A, (_MWL, _AUTO), "Requested Procedure ID of the item", "the exam's id"),
    Origin("Modality", _A, (_FIXED,)),
    Origin("SeriesInstanceUID", _A, (_AUTO,), "one for each exam, device and modality; tests are apart"),
    Origin("SeriesNumber", _A, (_AUTO,), "follows the device's place in the exam"),
    Origin("SeriesDescription", _A, (_CONFIG,), "the device's name; of a test, that it is one"),
    Origin(
        "ProtocolName",
        _A,
        (_MWL,),
        "meaning of the first Scheduled Protocol Code, else Scheduled Procedure Step Description",
        "the name of the class",
    ),
    Origin("OperatorsName", _N, (_USER,), "who started the exam, if they say so"),
    Origin("PerformedProcedureStepID", _A, (_AUTO,), "the exam's id; as in the MPPS"),
    Origin("PerformedProcedureStepStartDate", _A, (_AUTO,), "when the exam was opened; as in the MPPS"),
    Origin("PerformedProcedureStepStartTime", _A, (_AUTO,), "when the exam was opened; as in the MPPS"),
    Origin("ReferencedPerformedProcedureStepSequence", _A, (_AUTO,), "the MPPS", whole=True),
    Origin(
        "SynchronizationFrameOfReferenceUID", _N, (_AUTO,), "that of UTC if the clock was synchronized, else its own"
    ),
    Origin("SynchronizationTrigger", _N, (_FIXED,), "NO TRIGGER"),
    Origin("AcquisitionTimeSynchronized", _N, (_AUTO,), "whether the clock was synchronized as it began"),
    Origin("Manufacturer", _V, (_DEVICE,), "as its adapter knows it", "UNKNOWN where it is type 1"),
    Origin("ManufacturerModelName", _N, (_DEVICE,), "as its adapter knows it", "UNKNOWN where it is type 1"),
    Origin("DeviceSerialNumber", _N, (_DEVICE,), "as the device says it", "UNKNOWN where it is type 1"),
    Origin("SoftwareVersions", _A, (_DEVICE, _FIXED), "the device's, then those of gateway and adapter"),
    *(Origin(keyword, _N, (_CONFIG,), f"{setting} under [gateway]") for keyword, setting in CONFIGURED.items()),
    Origin("ContentDate", _A, (_AUTO,), "when the recording, or this part of it, began"),
    Origin("ContentTime", _A, (_AUTO,), "when the recording, or this part of it, began"),
    Origin("AcquisitionDateTime", _A, (_AUTO,), "when the recording, or this part of it, began"),
)

_CHANNEL = "WaveformSequence/ChannelDefinitionSequence/"
_WAVEFORM = (
    Origin("AcquisitionContextSequence", _E, (_FIXED,)),
    Origin(
        "WaveformAnnotationSequence",
        _N,
        (_DEVICE, _AUTO),
        "markers and gaps; that it was cut off, is a test, is a part of one, or was not calibrated",
        whole=True,
    ),
    Origin("WaveformSequence", _A, (_DEVICE,), "an item for each multiplex group in which something was recorded"),
    *(
        Origin(f"WaveformSequence/{path}", presence, sources, words)
        for path, presence, sources, words in (
            ("MultiplexGroupTimeOffset", _N, (_FIXED,), "0, where Acquisition Time Synchronized is Y"),
            ("WaveformOriginality", _A, (_FIXED,), "ORIGINAL"),
            (
                "NumberOfWaveformChannels",
                _A,
                (_DEVICE,),
                "those of the device, and limb leads that follow from I and II",
            ),
            ("NumberOfWaveformSamples", _A, (_DEVICE,), "those recorded, and padding for what was lost"),
            ("SamplingFrequency", _A, (_DEVICE,), ""),
            ("MultiplexGroupLabel", _N, (_DEVICE,), ""),
            ("ChannelDefinitionSequence", _A, (_DEVICE,), "an item for each channel"),
            ("WaveformBitsAllocated", _A, (_FIXED,), ""),
            ("WaveformSampleInterpretation", _A, (_FIXED,), ""),
            ("WaveformPaddingValue", _N, (_FIXED,), "the least value, if samples were lost"),
            ("WaveformData", _A, (_DEVICE,), "the samples; in a narrower class rounded to Channel Sensitivity"),
        )
    ),
    *(
        Origin(f"{_CHANNEL}{path}", presence, sources, words, whole=path.endswith("Sequence"))
        for path, presence, sources, words in (
            ("ChannelLabel", _A, (_DEVICE,), "as the device, or its leads in the configuration, call it"),
            ("ChannelSourceSequence", _A, (_DEVICE,), "the code of what the label names; else unspecified"),
            ("ChannelDerivationDescription", _N, (_FIXED,), "of a limb lead that was calculated: how"),
            ("ChannelSensitivity", _A, (_DEVICE,), "or, in a narrower class, from the range of the signal"),
            ("ChannelSensitivityUnitsSequence", _A, (_DEVICE,), "UCUM"),
            ("ChannelSensitivityCorrectionFactor", _A, (_FIXED,), "1"),
            ("ChannelBaseline", _A, (_DEVICE,), ""),
            ("ChannelSampleSkew", _A, (_FIXED,), "0"),
            ("WaveformBitsStored", _A, (_FIXED,), ""),
            ("FilterLowFrequency", _N, (_DEVICE,), "if the device tells"),
            ("FilterHighFrequency", _N, (_DEVICE,), "if the device tells"),
            ("NotchFilterFrequency", _N, (_DEVICE,), "if the device tells"),
        )
    ),
)

META = (
    Origin("FileMetaInformationGroupLength", _A, (_AUTO,)),
    Origin("FileMetaInformationVersion", _A, (_FIXED,), "1"),
    Origin("MediaStorageSOPClassUID", _A, (_FIXED,)),
    Origin("MediaStorageSOPInstanceUID", _A, (_AUTO,)),
    Origin("TransferSyntaxUID", _A, (_FIXED,)),
    Origin("ImplementationClassUID", _A, (_FIXED,)),
    Origin("ImplementationVersionName", _A, (_FIXED,)),
)
TABLE: dict[str, Origin] = {row.path: row for row in (*_of_the_worklist(), *_HEADER, *_WAVEFORM)}


@dataclass(frozen=True, slots=True)
class Row:
    """An attribute as one module asks for it, and where we have it from. ``type``: of the module's table."""

    origin: Origin
    type: str
    depth: int  # sequences around it
    tag: int


@dataclass(frozen=True, slots=True)
class Filled:
    """A module of an IOD with what is written of it, in the order of the module's table; none if it is left out."""

    module: str
    section: str
    usage: str
    rows: tuple[Row, ...] = field(default=())

    @property
    def present(self) -> Presence | None:
        """Whether the module is in the instances; None: never."""
        if not self.rows:
            return None
        top = {row.origin.presence for row in self.rows if not row.depth}
        return Presence.ANAP if top == {Presence.ANAP} else Presence.ALWAYS


def origin(path: str, table: dict[str, Origin] = TABLE) -> Origin | None:
    """The row that speaks of an attribute: its own, or that of the sequence whose items come whole."""
    if path in table:
        return table[path]
    outer = path
    while "/" in outer:
        outer = outer.rpartition("/")[0]
        if outer in table:
            return table[outer] if table[outer].whole else None
    return None


def filled(iod: Iod) -> tuple[Filled, ...]:
    """All modules of an IOD, and what is written of each. An attribute of two modules stands in both."""
    found = []
    for use in iod.modules:
        module = modules.module(use.module)
        found.append(Filled(use.module, module.section, use.usage, tuple(_rows(module.rows, ""))))
    return tuple(found)


def _rows(attributes: tuple[Attribute, ...], prefix: str) -> Iterator[Row]:
    for attribute in attributes:
        if (row := TABLE.get(f"{prefix}{attribute.keyword}")) is not None:
            yield Row(row, attribute.type, prefix.count("/"), attribute.tag)
            if not row.whole:
                yield from _rows(attribute.rows, f"{row.path}/")
