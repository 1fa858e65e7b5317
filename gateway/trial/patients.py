"""Made-up patients, as the worklist items of the embedded hospital, each in a character set of its own.

Character sets in use on worklists: Latin 1, UTF-8, Japanese and Korean with ISO 2022 escapes, and none.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from pydicom import Dataset

from gateway.identifiers import derived_uid

ROOT = "2.25.210915362171932113571113025411537310041"


@dataclass(frozen=True, slots=True)
class Patient:
    """``name`` with component groups (alphabetic=ideographic=phonetic) where the character set has them."""

    id: str
    name: str
    born: str
    sex: str
    procedure: str
    charset: tuple[str, ...] = ()


PATIENTS = (
    Patient("PAT-0001", "Müller^Jürgen", "19530714", "M", "12-lead ECG at rest", ("ISO_IR 100",)),
    Patient("PAT-0002", "Ñuñez^Begoña", "19710302", "F", "12-lead ECG at rest", ("ISO_IR 192",)),
    Patient(
        "PAT-0003",
        "Yamada^Tarou=山田^太郎=やまだ^たろう",
        "19480921",
        "M",
        "12-lead ECG at rest",
        ("", "ISO 2022 IR 87"),
    ),
    Patient("PAT-0004", "Gim^Huijung=金^熙中=김^희중", "19891130", "F", "Rhythm ECG", ("", "ISO 2022 IR 149")),
    Patient("PAT-0005", "Doe^Jane", "20010101", "F", "12-lead ECG at rest"),
)


def items(station: str = "GATEWAY", day: str = "", patients: tuple[Patient, ...] = PATIENTS) -> tuple[Dataset, ...]:
    """One worklist item for each patient, scheduled on ``day`` (YYYYMMDD, else today) at the AE title ``station``."""
    day = day or time.strftime("%Y%m%d")
    return tuple(_item(number, patient, station, day) for number, patient in enumerate(patients, 1))


def _item(number: int, patient: Patient, station: str, day: str) -> Dataset:
    item = Dataset()
    if patient.charset:
        item.SpecificCharacterSet = list(patient.charset) if len(patient.charset) > 1 else patient.charset[0]
    item.PatientName = patient.name
    item.PatientID = patient.id
    item.IssuerOfPatientID = "HOSPITAL"
    item.PatientBirthDate = patient.born
    item.PatientSex = patient.sex
    item.AccessionNumber = f"ACC{number:04}"
    item.ReferringPhysicianName = "Referring^Doctor"
    item.ReferencedStudySequence = []
    item.StudyInstanceUID = derived_uid(ROOT, day, number)
    item.RequestedProcedureID = f"RP{number:04}"
    item.RequestedProcedureDescription = patient.procedure
    item.RequestedProcedureCodeSequence = [_code()]
    item.ScheduledProcedureStepSequence = [_step(number, patient, station, day)]
    return item


def _step(number: int, patient: Patient, station: str, day: str) -> Dataset:
    step = Dataset()
    step.Modality = "ECG"
    step.ScheduledStationAETitle = station
    step.ScheduledProcedureStepStartDate = day
    step.ScheduledProcedureStepStartTime = f"{(7 + number) % 24:02}3000"
    step.ScheduledPerformingPhysicianName = ""
    step.ScheduledProcedureStepDescription = patient.procedure
    step.ScheduledProcedureStepID = f"SPS{number:04}"
    step.ScheduledProtocolCodeSequence = [_code()]
    return step


def _code() -> Dataset:
    """LOINC 11524-6, EKG study."""
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "11524-6", "LN", "EKG study"
    return code
