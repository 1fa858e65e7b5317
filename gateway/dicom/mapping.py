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
from gateway.dicom.descriptions import mended
from gateway.errors import Held
from gateway.model import Attributed, Code, Exam

SPS = "ScheduledProcedureStepSequence"
REQUEST = "RequestAttributesSequence"
SSAS = "ScheduledStepAttributesSequence"
DETACHED_STUDY = "1.2.840.10008.3.1.2.3.1"  # Detached Study Management: the class by which a study is referred to

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
    """The exam's first worklist item, or the identity that was entered, as a data set. Raises as :func:`items`."""
    return items(exam)[0]


def items(exam: Exam) -> list[Dataset]:
    """All worklist items that the exam is for: more than one in the group case.

    Raises Held if nobody was chosen, or if an item is no DICOM JSON (PS3.18 F).
    """
    if exam.attribution.how is Attributed.NOBODY:
        raise Held(
            f"exam {exam.exam} belongs to nobody yet", f"say whose it is: gateway exam attribute {exam.exam} ..."
        )
    where = f"the worklist item of exam {exam.exam}"
    try:
        for one in exam.attribution.items:
            if fault := _foreign(one):
                raise Held(f"{where} is no DICOM JSON: {fault}", "attribute it anew")
        return [Dataset.from_json(one) for one in exam.attribution.items]
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
    sources = items(exam)
    common, target = _common(sources), Dataset()
    for row in _rows(exam):
        for path in row.instance:
            keep_empty = row.instance_type == "2"
            if path.startswith(f"{REQUEST}/"):
                for number, source in enumerate(sources):
                    _copy(source, row.worklist, target, path, keep_empty, number)
            else:
                _copy(common, row.worklist, target, path, keep_empty)
    if len(sources) > 1:
        for asked, source in zip(target.get(REQUEST, ()), sources, strict=False):
            for keyword in ("AccessionNumber", "StudyInstanceUID"):  # of each request: the whole has none, or another
                _copy(source, keyword, asked, keyword, False)
        if studies := [one for source in sources for one in _original_study(source, exam)]:
            target.ReferencedStudySequence = studies
    return target


def to_mpps(exam: Exam) -> Dataset:
    """The attributes of the N-CREATE that come from the worklist item, by the table."""
    sources = items(exam)
    common, target = _common(sources), Dataset()
    for row in TABLE:
        known = scheduled(exam) or not row.scheduled
        for path, kind in row.mpps:
            keep_empty = kind.startswith("2")
            if path.startswith(f"{SSAS}/"):
                for number, source in enumerate(sources):
                    _copy(source if known else Dataset(), row.worklist, target, path, keep_empty, number)
            else:
                _copy(common if known else Dataset(), row.worklist, target, path, keep_empty)
    for step, source in zip(target.ScheduledStepAttributesSequence, sources, strict=True):
        step.StudyInstanceUID = exam.study_uid
        if len(sources) > 1 and (studies := _original_study(source, exam)):
            step.ReferencedStudySequence = studies
    return target


def _rows(exam: Exam) -> list[Row]:
    return [row for row in TABLE if scheduled(exam) or not row.scheduled]


def _common(sources: list[Dataset]) -> Dataset:
    """What all items agree on; of sequences, every distinct item. The rest of several steps is none of the whole's."""
    if len(sources) == 1:
        return sources[0]
    common = Dataset()
    for row in TABLE:
        alone = [Dataset() for _ in sources]
        for source, one in zip(sources, alone, strict=True):
            _copy(source, row.worklist, one, row.worklist, False)
        *outer, name = row.worklist.split("/")
        held = [one[outer[0]][0] if outer and outer[0] in one else one for one in alone]
        found = [one[name].value for one in held if name in one]
        if name.endswith("Sequence"):
            distinct: list[Dataset] = []
            for one_item in (i for value in found for i in value):
                if one_item not in distinct:
                    distinct.append(one_item)
            agreed: Any = Sequence(distinct) if distinct else None
        else:
            agreed = found[0] if len(found) == len(sources) and all(v == found[0] for v in found) else None
        if agreed is not None:
            if outer and outer[0] not in common:
                setattr(common, outer[0], Sequence([Dataset()]))
            setattr(common[outer[0]][0] if outer else common, name, agreed)
    return common


def _original_study(source: Dataset, exam: Exam) -> list[Dataset]:
    """What refers to the study of one step, where the exam that several are for has a study of its own."""
    if given := source.get("ReferencedStudySequence"):
        return list(given)
    uid = str(source.get("StudyInstanceUID") or "")
    if not uid or uid == exam.study_uid:
        return []
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = DETACHED_STUDY, uid
    return [reference]


def _copy(
    source: Dataset, source_path: str, target: Dataset, target_path: str, keep_empty: bool, number: int = 0
) -> None:
    """Copy one element; ``keep_empty``: type 2, it is there even without a value; ``number``: of the target's item."""
    *outer, name = source_path.split("/")
    for keyword in outer:
        within = source.get(keyword) or [Dataset()]
        source = within[0]
    found = source.get(tag_for_keyword(name) or 0)
    given = found is not None and not found.is_empty
    if not given and not keep_empty:
        return
    *outer, name = target_path.split("/")
    for keyword in outer:
        if keyword not in target:
            setattr(target, keyword, Sequence())
        while len(target.get(keyword)) <= number:
            target.get(keyword).append(Dataset())
        target = target.get(keyword)[number]
    if found is not None and given:
        setattr(target, name, mended(name, copy.deepcopy(found.value)))
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
