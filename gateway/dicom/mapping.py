"""TABLE of what travels from a worklist item into the instance and into the MPPS (IHE RAD TF-2x appendix A).

Types are those of the MPPS SCU (PS3.4 table F.7.2-1): "2" at N-CREATE, "2/3" type 2 at N-CREATE and type 3 at
N-SET. Type 2 means: sent even if empty. Nothing is invented: what the item does not have is empty or absent.

Character sets: values are Unicode here. If all are ASCII nothing is declared; otherwise the object goes out in
ISO_IR 192, whatever the RIS used, since UTF-8 covers every value that any other set can carry.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import Any

from pydicom.datadict import dictionary_has_tag, dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from gateway.dicom import conditions
from gateway.errors import Held
from gateway.model import Attributed, Code, Exam

SPS = "ScheduledProcedureStepSequence"
REQUEST = "RequestAttributesSequence"
SSAS = "ScheduledStepAttributesSequence"

_ASCII = frozenset({"AE", "AS", "CS", "DA", "DT", "TM", "UI"})


@dataclass(frozen=True, slots=True)
class Row:
    """Paths are keywords, one level of sequence by '/'. ``scheduled``: only for an exam from the worklist."""

    worklist: str
    instance: tuple[str, ...] = ()
    instance_type: str = "3"
    mpps: tuple[tuple[str, str], ...] = ()  # (path, type)
    scheduled: bool = False


def _both(name: str, mpps_type: str, instance_type: str = "2") -> Row:
    return Row(name, (name,), instance_type, ((name, mpps_type),))


TABLE: tuple[Row, ...] = (
    _both("PatientName", "2"),
    _both("PatientID", "2"),
    _both("IssuerOfPatientID", "3", "3"),
    _both("PatientBirthDate", "2"),
    _both("PatientSex", "2"),
    Row("ReferencedPatientSequence", (), "3", (("ReferencedPatientSequence", "2"),)),
    Row("ReferencedStudySequence", ("ReferencedStudySequence",), "3", ((f"{SSAS}/ReferencedStudySequence", "2"),)),
    Row("AccessionNumber", ("AccessionNumber",), "2", ((f"{SSAS}/AccessionNumber", "2"),)),
    Row("ReferringPhysicianName", ("ReferringPhysicianName",), "2"),
    Row(
        "RequestedProcedureID",
        (f"{REQUEST}/RequestedProcedureID",),
        "3",
        ((f"{SSAS}/RequestedProcedureID", "2"),),
        scheduled=True,
    ),
    Row(
        "RequestedProcedureDescription",
        (f"{REQUEST}/RequestedProcedureDescription", "StudyDescription"),
        "3",
        ((f"{SSAS}/RequestedProcedureDescription", "2"),),
        scheduled=True,
    ),
    Row(
        "RequestedProcedureCodeSequence",
        ("ProcedureCodeSequence",),
        "3",
        ((f"{SSAS}/RequestedProcedureCodeSequence", "3"), ("ProcedureCodeSequence", "2/3")),
        scheduled=True,
    ),
    Row(
        f"{SPS}/ScheduledProcedureStepID",
        (f"{REQUEST}/ScheduledProcedureStepID",),
        "3",
        ((f"{SSAS}/ScheduledProcedureStepID", "2"),),
        scheduled=True,
    ),
    Row(
        f"{SPS}/ScheduledProcedureStepDescription",
        (f"{REQUEST}/ScheduledProcedureStepDescription", "PerformedProcedureStepDescription"),
        "3",
        ((f"{SSAS}/ScheduledProcedureStepDescription", "2"), ("PerformedProcedureStepDescription", "2/3")),
        scheduled=True,
    ),
    Row(
        f"{SPS}/ScheduledProtocolCodeSequence",
        (f"{REQUEST}/ScheduledProtocolCodeSequence", "PerformedProtocolCodeSequence"),
        "3",
        ((f"{SSAS}/ScheduledProtocolCodeSequence", "2"), ("PerformedProtocolCodeSequence", "2/3")),
        scheduled=True,
    ),
)


def item(exam: Exam) -> Dataset:
    """The exam's worklist item, or the identity that was entered, as a data set.

    Raises Held if nobody was chosen, or if the item is no DICOM JSON (PS3.18 F).
    """
    if exam.attribution.how is Attributed.NOBODY:
        raise Held(
            f"exam {exam.exam} belongs to nobody yet", f"say whose it is: gateway exam attribute {exam.exam} ..."
        )
    where = f"the worklist item of exam {exam.exam}"
    try:
        if fault := _foreign(exam.attribution.item):
            raise Held(f"{where} is no DICOM JSON: {fault}", "attribute it anew")
        return Dataset.from_json(exam.attribution.item)
    except Held:
        raise
    except Exception as error:  # foreign JSON: whatever pydicom trips over means the same; no value goes into a log
        raise Held(f"{where} is no DICOM JSON ({type(error).__name__})", "attribute it anew") from error


def _foreign(found: dict[str, Any]) -> str:
    """In words, the first value that pydicom would drop or trip over later; without the value. "" if all is well."""
    for tag, element in found.items():
        vr, number = str(element["vr"]), int(tag, 16)
        if dictionary_has_tag(number) and vr not in dictionary_VR(number).split(" or "):
            return f"({tag}) has the VR {vr}"
        kind = dict if vr in ("PN", "SQ") else str if vr in conditions.TEXT | _ASCII else object
        values: list[Any] = element.get("Value", [])
        for value in values:
            if value is not None and not isinstance(value, kind):
                return f"a value of ({tag}) is of type {type(value).__name__}"
            if vr == "SQ" and isinstance(value, dict) and (fault := _foreign(value)):
                return fault
    json.dumps(found, ensure_ascii=False).encode()  # text that is no Unicode is refused, not replaced
    return ""


def scheduled(exam: Exam) -> bool:
    return exam.attribution.how is Attributed.SCHEDULED


def to_instance(exam: Exam) -> Dataset:
    """The instance's attributes that come from the worklist item, by the table."""
    source = item(exam)
    target = Dataset()
    for row in _rows(exam):
        for path in row.instance:
            _copy(source, row.worklist, target, path, row.instance_type == "2")
    return target


def to_mpps(exam: Exam) -> Dataset:
    """The attributes of the N-CREATE that come from the worklist item, by the table."""
    source = item(exam)
    target = Dataset()
    for row in TABLE:
        given = source if scheduled(exam) or not row.scheduled else Dataset()
        for path, kind in row.mpps:
            _copy(given, row.worklist, target, path, kind.startswith("2"))
    target.ScheduledStepAttributesSequence[0].StudyInstanceUID = exam.study_uid
    return target


def _rows(exam: Exam) -> list[Row]:
    return [row for row in TABLE if scheduled(exam) or not row.scheduled]


def _copy(source: Dataset, source_path: str, target: Dataset, target_path: str, keep_empty: bool) -> None:
    """Copy one element; ``keep_empty``: type 2, it is there even without a value."""
    *outer, name = source_path.split("/")
    for keyword in outer:
        items = source.get(keyword) or [Dataset()]
        source = items[0]
    found = source.get(tag_for_keyword(name) or 0)
    given = found is not None and not found.is_empty
    if not given and not keep_empty:
        return
    *outer, name = target_path.split("/")
    for keyword in outer:
        if keyword not in target:
            setattr(target, keyword, Sequence([Dataset()]))
        target = target.get(keyword)[0]
    if found is not None and given:
        setattr(target, name, copy.deepcopy(found.value))
    else:
        setattr(target, name, Sequence() if name.endswith("Sequence") else None)


def code(value: Code) -> Dataset:
    """A Code Sequence item (PS3.3 table 8.8-1)."""
    coded = Dataset()
    coded.CodeValue, coded.CodingSchemeDesignator, coded.CodeMeaning = value.value, value.scheme, value.meaning
    return coded


def declare_character_set(dataset: Dataset) -> None:
    """State ISO_IR 192 if a value needs more than ASCII; otherwise state nothing."""
    if conditions.non_ascii(dataset):
        dataset.SpecificCharacterSet = "ISO_IR 192"
