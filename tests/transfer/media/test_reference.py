"""Record by record, our DICOMDIR says what one that dcmmkdir makes of the same files says."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom import Dataset
from transfer.media.foreign import dcmmkdir
from transfer.media.samples import BASIC_TEXT, GENERAL, GENERAL_32, PDF, SECONDARY_CAPTURE, TWELVE_LEAD, Make, _code

from gateway.transfer import media
from gateway.transfer.media.dicomdir.records_table import KEYS, RECORD_TYPE

_ROOT = "1.2.840.10008.5.1.4.1.1."
_PIXELS: dict[str, Any] = {
    "Modality": "US",
    "Rows": 2,
    "Columns": 2,
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
    "BitsAllocated": 8,
    "BitsStored": 8,
    "HighBit": 7,
    "PixelRepresentation": 0,
    "PixelData": b"\0\1\2\3",
    "ImageType": ["ORIGINAL", "PRIMARY"],
    "LossyImageCompressionRatio": "2.5",
}


def _series() -> Dataset:
    image, row = Dataset(), Dataset()
    image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = SECONDARY_CAPTURE, "1.2.3.9"
    row.SeriesInstanceUID, row.ReferencedImageSequence = "1.2.3.8", [image]
    return row


_LABEL: dict[str, Any] = {
    "Modality": "PR",
    "ContentLabel": "LABEL",
    "ContentDescription": "Ein Überblick",
    "PresentationCreationDate": "20260101",
    "PresentationCreationTime": "120000",
    "ContentCreatorName": "Müller^M",
    "ReferencedSeriesSequence": [_series()],
}
_REPORT: dict[str, Any] = {
    "Modality": "SR",
    "CompletionFlag": "COMPLETE",
    "VerificationFlag": "UNVERIFIED",
    "ConceptNameCodeSequence": [_code("28010-7", "LN", "ECG Report")],
}

# SOP class -> what it has beside what every sample has.
SAMPLES: dict[str, dict[str, Any]] = {
    **{
        _ROOT + f"9.{n}": {}
        for n in ("1.1", "1.2", "1.3", "2.1", "3.1", "4.1", "4.2", "5.1", "6.1", "7.1", "7.2", "8.1")
    },
    SECONDARY_CAPTURE: {},
    _ROOT + "6.1": _PIXELS,
    _ROOT + "77.1.1": _PIXELS | {"Modality": "ES", "AcquisitionDateTime": "20261123093100.5"},
    PDF: {"DocumentTitle": "Größe"},
    _ROOT + "104.2": {"Modality": "DOC", "MIMETypeOfEncapsulatedDocument": "text/XML", "EncapsulatedDocument": b"<a/>"}
    | {"ConceptNameCodeSequence": [], "DocumentTitle": "CDA", "HL7InstanceIdentifier": "1.2.3^4"},
    BASIC_TEXT: {},
    _ROOT + "88.22": _REPORT,
    _ROOT + "88.59": {"Modality": "KO", "ConceptNameCodeSequence": [_code("113000", "DCM", "Of Interest")]},
    _ROOT + "11.1": _LABEL,
    _ROOT + "66": {"Modality": "ECG"},
}

# (record type or "", keyword) -> why ours may differ from dcmmkdir's.
ALLOWED = {
    ("", "SpecificCharacterSet"): "1C: ours has it if a key of the record goes beyond ASCII, dcmmkdir always copies it",
    (
        "PATIENT",
        "IssuerOfPatientID",
    ): "a key of type 3 that tells two patients with one ID apart; dcmmkdir leaves it out",
}


def records(root: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """(type, what identifies it) -> keyword -> value, without offsets and padding."""
    found = {}
    for record in pydicom.dcmread(root / "DICOMDIR").DirectoryRecordSequence:
        keys = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "ReferencedSOPInstanceUIDInFile")
        identity = next(str(record[key].value) for key in keys if key in record)
        skipped = (0x00041400, 0x00041420, 0xFFFCFFFC)
        found[record.DirectoryRecordType, identity] = {e.keyword: e.value for e in record if e.tag not in skipped}
    return found


@pytest.mark.parametrize("person", ["Doe^Jane", "Müller^Ñ"])
def test_dcmmkdir_gives_the_same_files_the_same_records_with_the_same_keys(
    person: str, make: Make, stick: Path, tmp_path: Path
) -> None:
    for sop_class, more in SAMPLES.items():
        media.add(stick, make(sop_class, **{"PatientName": person, "IssuerOfPatientID": "A"} | more), "WARD")
    other = tmp_path / "reference"
    shutil.copytree(stick, other, ignore=shutil.ignore_patterns("DICOMDIR", "GATEWAY"))
    dcmmkdir(other, "+id", str(other), *sorted(p.relative_to(other).as_posix() for p in other.glob("PA*/*/*/*")))
    ours, theirs = records(stick), records(other)
    assert set(ours) == set(theirs)
    different = {
        (kind, key): (ours[kind, uid].get(key, "none"), theirs[kind, uid].get(key, "none"))
        for kind, uid in ours
        for key in ours[kind, uid].keys() | theirs[kind, uid].keys()
        if ours[kind, uid].get(key, "none") != theirs[kind, uid].get(key, "none")
        and not {(kind, key), ("", key)} & ALLOWED.keys()
    }
    assert different == {}


def test_there_is_a_sample_of_every_record_type_that_we_write() -> None:
    assert {RECORD_TYPE[sop_class] for sop_class in SAMPLES} == set(KEYS) - {"PATIENT", "STUDY", "SERIES"}


def test_the_judges_find_no_fault_with_any_record_type(make: Make, stick: Path, judge: Any) -> None:
    for sop_class, more in (SAMPLES | {GENERAL_32: {}}).items():
        media.add(stick, make(sop_class, **{"PatientName": "Müller^Ñ"} | more), "WARD")
    said = judge("dciodvfy", str(stick / "DICOMDIR"))
    assert "Error" not in said, said
    assert not [line for line in judge("dcmdump", str(stick / "DICOMDIR")).splitlines() if line.startswith("E:")]
    assert media.verify(stick).sound, str(media.verify(stick))
    assert pydicom.fileset.FileSet(stick / "DICOMDIR").ID == "WARD"


def test_dcentvfy_finds_no_contradiction_between_the_files_that_share_records(
    make: Make, stick: Path, judge: Any
) -> None:
    study, series = "1.2.3.4", "1.2.3.4.5"
    made = [make(TWELVE_LEAD, StudyInstanceUID=study, SeriesInstanceUID=series, InstanceNumber=n) for n in (1, 2)]
    made.append(make(GENERAL, StudyInstanceUID=study, SeriesInstanceUID="1.2.3.4.6", SeriesNumber=2))
    names = [str(stick / media.add(stick, one, "WARD").file_id) for one in made]
    assert "Error" not in judge("dcentvfy", *names)
