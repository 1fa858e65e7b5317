"""A rejection note: a Key Object Selection that withdraws instances which a PACS has under the wrong patient.

As IHE Imaging Object Change Management (RAD TF-2, RAD-66) has it: a document of the rejected instances' own patient and
study (PS3.3 A.35.4), whose title says why (CID 7011: IHE's part of it), and that refers to each of them. The corrected
copies are new instances; a PACS with IOCM hides the old ones, one without keeps a note that anybody can read.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID

from gateway import __version__, fsops
from gateway.dicom import mapping
from gateway.dicom.iods import BY_CLASS
from gateway.dicom.origin import Origin, Presence, Source
from gateway.identifiers import derived_uid
from gateway.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION
from gateway.model import Code
from gateway.settings import Box

SOP_CLASS = "1.2.840.10008.5.1.4.1.1.88.59"  # Key Object Selection Document Storage
EXPLICIT = "1.2.840.10008.1.2.1"
WRONG_ENTRY = Code("113038", "DCM", "Incorrect Modality Worklist Entry")
PATIENT_SAFETY = Code("113037", "DCM", "Rejected for Patient Safety Reasons")
DESCRIPTION = Code("113012", "DCM", "Key Object Description")
# Of the rejected instances' header: the patient and the study, type 2 of their modules.
_PATIENT = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex")
_STUDY = ("StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber")
_OPTIONAL = ("IssuerOfPatientID", "StudyDescription", "ReferencedStudySequence")

_A, _V, _N, _E = Presence
_USER, _CONFIG, _AUTO, _FIXED, _COPY = Source.USER, Source.CONFIG, Source.AUTO, Source.FIXED, Source.COPY
# What stands in a note, and from where, as :mod:`gateway.dicom.header_table` tells it of the other instances.
_NOTE = (
    *(Origin(keyword, _V, (_COPY,)) for keyword in (*_PATIENT, *_STUDY)),
    Origin("StudyInstanceUID", _A, (_COPY,)),
    *(Origin(keyword, _N, (_COPY,), whole=keyword.endswith("Sequence")) for keyword in _OPTIONAL),
    Origin("SOPClassUID", _A, (_FIXED,)),
    Origin("SOPInstanceUID", _A, (_AUTO,), "derived of those that it is about and its title: made again, the same"),
    Origin("SpecificCharacterSet", _N, (_AUTO,), "ISO_IR 192 if a value needs more than ASCII"),
    Origin("TimezoneOffsetFromUTC", _A, (_AUTO,), "of the box"),
    Origin("Modality", _A, (_FIXED,), "KO"),
    Origin("SeriesInstanceUID", _A, (_AUTO,), "one for each note"),
    Origin("SeriesNumber", _A, (_FIXED,), "9000"),
    Origin("SeriesDescription", _A, (_AUTO,), "its title"),
    Origin("ReferencedPerformedProcedureStepSequence", _E, (_FIXED,)),
    Origin("Manufacturer", _E, (_FIXED,)),
    Origin("SoftwareVersions", _A, (_FIXED,), "of the gateway"),
    Origin("StationName", _N, (_CONFIG,), "station_name under [gateway]"),
    Origin("InstitutionName", _N, (_CONFIG,), "institution_name under [gateway]"),
    Origin("InstanceNumber", _A, (_FIXED,), "1"),
    Origin("ContentDate", _A, (_AUTO,), "when it was corrected"),
    Origin("ContentTime", _A, (_AUTO,), "when it was corrected"),
    Origin("CurrentRequestedProcedureEvidenceSequence", _A, (_COPY,), "every instance that is rejected", whole=True),
    Origin("ValueType", _A, (_FIXED,), "CONTAINER"),
    Origin("ConceptNameCodeSequence", _A, (_AUTO,), "its title", whole=True),
    Origin("ContinuityOfContent", _A, (_FIXED,), "SEPARATE"),
    Origin("ContentTemplateSequence", _A, (_FIXED,), "TID 2010 of DCMR", whole=True),
    Origin("ContentSequence", _A, (_USER, _COPY), "the reason in a person's words; each instance", whole=True),
)
NOTE: dict[str, Origin] = {row.path: row for row in _NOTE}


def write(rejected: Sequence[Path], title: Code, words: str, at: datetime, box: Box, out: Path) -> str:
    """Write ``out/UID.dcm``, durably, for instances of one study; returns its UID.

    The UID derives from those of the instances: written again after a crash, it is the same note. ``words`` are for
    people; ``at`` has a time zone.
    """
    heads = [dcmread(path, stop_before_pixels=True, specific_tags=None, defer_size=1 << 16) for path in rejected]
    note = _note(heads, title, words, at, box)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = UID(SOP_CLASS), UID(note.SOPInstanceUID)
    meta.TransferSyntaxUID = UID(EXPLICIT)
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION
    note.file_meta = meta
    with fsops.new_file(out / f"{note.SOPInstanceUID}.dcm") as stream:
        note.save_as(stream, enforce_file_format=True)
    return str(note.SOPInstanceUID)


def _note(heads: Sequence[Dataset], title: Code, words: str, at: datetime, box: Box) -> Dataset:
    first = heads[0]
    uids = sorted(str(h.SOPInstanceUID) for h in heads)
    note = Dataset()
    note.SOPClassUID = SOP_CLASS
    note.SOPInstanceUID = derived_uid(uids[0], "rejection", title.value, *uids[1:])
    for keyword in (*_PATIENT, *_STUDY):
        setattr(note, keyword, first.get(keyword, None) or None)
    for keyword in _OPTIONAL:
        if keyword in first:
            note[keyword] = first[keyword]
    note.StudyInstanceUID = first.StudyInstanceUID
    note.Modality = "KO"
    note.SeriesInstanceUID = derived_uid(note.SOPInstanceUID, "series")
    note.SeriesNumber = 9000
    note.SeriesDescription = title.meaning
    note.ReferencedPerformedProcedureStepSequence = []
    note.Manufacturer, note.SoftwareVersions = "", f"gateway {__version__}"
    if box.station_name:
        note.StationName = box.station_name
    if box.institution_name:
        note.InstitutionName = box.institution_name
    note.InstanceNumber = 1
    note.ContentDate, note.ContentTime = at.strftime("%Y%m%d"), at.strftime("%H%M%S")
    note.TimezoneOffsetFromUTC = at.strftime("%z")
    note.CurrentRequestedProcedureEvidenceSequence = [_evidence(heads)]
    note.ValueType = "CONTAINER"
    note.ConceptNameCodeSequence = [mapping.code(title)]
    note.ContinuityOfContent = "SEPARATE"
    template = Dataset()
    template.MappingResource, template.TemplateIdentifier = "DCMR", "2010"
    note.ContentTemplateSequence = [template]
    note.ContentSequence = [_text(words), *(_reference(h) for h in heads)]
    mapping.declare_character_set(note)
    return note


def _evidence(heads: Sequence[Dataset]) -> Dataset:
    study = Dataset()
    study.StudyInstanceUID = heads[0].StudyInstanceUID
    by_series: dict[str, list[Dataset]] = {}
    for head in heads:
        by_series.setdefault(str(head.SeriesInstanceUID), []).append(_sop(head))
    study.ReferencedSeriesSequence = []
    for uid, items in by_series.items():
        series = Dataset()
        series.SeriesInstanceUID, series.ReferencedSOPSequence = uid, items
        study.ReferencedSeriesSequence.append(series)
    return study


def _sop(head: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = head.SOPClassUID, head.SOPInstanceUID
    return item


def _text(words: str) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", "TEXT"
    item.ConceptNameCodeSequence = [mapping.code(DESCRIPTION)]
    item.TextValue = words
    return item


def _reference(head: Dataset) -> Dataset:
    row = BY_CLASS.get(str(head.SOPClassUID))
    item = Dataset()
    item.RelationshipType = "CONTAINS"
    item.ValueType = "COMPOSITE"  # a document, too
    if row is not None and (row.image or row.limits is not None):
        item.ValueType = "IMAGE" if row.image else "WAVEFORM"
    item.ReferencedSOPSequence = [_sop(head)]
    return item
