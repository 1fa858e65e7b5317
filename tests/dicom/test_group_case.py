"""One acquisition for several scheduled steps (IHE group case): header and messages name each of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pydicom
from acquisitions import ITEM, Recording, an_exam, heartbeat, instant, settings_of
from pydicom.dataset import Dataset

from gateway.dicom.check import check
from gateway.dicom.header import attribution_digest
from gateway.dicom.mapping import DETACHED_STUDY, TABLE, to_instance, to_mpps
from gateway.dicom.performed_step import create_dataset
from gateway.dicom.wrap import wrap
from gateway.exam import study_of
from gateway.model import Attributed, Attribution, Exam
from gateway.settings import Box


def second(study: str, **changes: Any) -> dict[str, Any]:
    step = ITEM["00400100"]["Value"][0] | {"00400009": {"vr": "SH", "Value": ["SPS2"]}}
    return ITEM | {
        "0020000D": {"vr": "UI", "Value": [study]},
        "00080050": {"vr": "SH", "Value": ["ACC2"]},
        "00401001": {"vr": "SH", "Value": ["RP2"]},
        "00400100": {"vr": "SQ", "Value": [step]},
        **changes,
    }


def group(study: str = "9.8.7", exam_study: str = "2.25.1") -> Exam:
    attribution = Attribution(Attributed.SCHEDULED, ITEM, instant(), "ris", (second(study),))
    return an_exam(attribution=attribution, study_uid=exam_study)


def referred(items: Any) -> list[tuple[str, str]]:
    return [(str(i.ReferencedSOPClassUID), str(i.ReferencedSOPInstanceUID)) for i in items]


def test_the_step_has_one_item_for_each_scheduled_step_and_names_their_studies() -> None:
    step = create_dataset(group(), Box(ae_title="BOX"), "ECG")
    one, two = step.ScheduledStepAttributesSequence
    assert (one.ScheduledProcedureStepID, two.ScheduledProcedureStepID) == ("SPS1", "SPS2")
    assert (one.AccessionNumber, two.AccessionNumber) == ("ACC1", "ACC2")
    assert (one.RequestedProcedureID, two.RequestedProcedureID) == ("RP1", "RP2")
    assert one.StudyInstanceUID == two.StudyInstanceUID == "2.25.1"
    assert referred(one.ReferencedStudySequence) == [(DETACHED_STUDY, "1.2.3.4.5")]
    assert referred(two.ReferencedStudySequence) == [(DETACHED_STUDY, "9.8.7")]
    assert step.StudyID == "260922000000AB12", "they agree on no Requested Procedure ID"


def test_each_item_has_every_type_2_attribute_of_the_table() -> None:
    bare = {"0020000D": {"vr": "UI", "Value": ["9.8.7"]}}
    exam = an_exam(attribution=Attribution(Attributed.SCHEDULED, bare, instant(), "", (bare,)))
    for item in to_mpps(exam).ScheduledStepAttributesSequence:
        for row in TABLE:
            for path, kind in row.mpps:
                if path.startswith("ScheduledStepAttributesSequence/") and kind.startswith("2"):
                    assert path.partition("/")[2] in item


def test_the_instance_names_each_request_and_has_no_accession_number_of_one_of_them() -> None:
    head = to_instance(group())
    one, two = head.RequestAttributesSequence
    assert (one.AccessionNumber, two.AccessionNumber) == ("ACC1", "ACC2")
    assert (one.StudyInstanceUID, two.StudyInstanceUID) == ("1.2.3.4.5", "9.8.7")
    assert head["AccessionNumber"].is_empty
    assert referred(head.ReferencedStudySequence) == [(DETACHED_STUDY, "1.2.3.4.5"), (DETACHED_STUDY, "9.8.7")]
    assert len(head.ProcedureCodeSequence) == 1, "both ask for the same procedure"
    assert head.PatientID == "PID-1"


def test_what_the_steps_differ_in_is_said_of_none_and_codes_of_all() -> None:
    code = {"00080100": {"vr": "SH", "Value": ["OTHER"]}, "00080102": {"vr": "SH", "Value": ["99HOSP"]}}
    other = second(
        "9.8.7", **{"00321060": {"vr": "LO", "Value": ["Stress"]}, "00321064": {"vr": "SQ", "Value": [code]}}
    )
    head = to_instance(an_exam(attribution=Attribution(Attributed.SCHEDULED, ITEM, instant(), "", (other,))))
    assert "StudyDescription" not in head
    assert [c.CodeValue for c in head.ProcedureCodeSequence] == ["ECG12", "OTHER"]


def test_steps_of_one_study_stay_in_it() -> None:
    same = second("1.2.3.4.5", **{"00080050": ITEM["00080050"], "00401001": ITEM["00401001"]})
    assert study_of((ITEM, same)) == "1.2.3.4.5"
    assert study_of((ITEM, second("9.8.7"))) == ""
    exam = an_exam(attribution=Attribution(Attributed.SCHEDULED, ITEM, instant(), "ris", (same,)))
    head: Dataset = to_instance(exam)
    assert head.AccessionNumber == "ACC1"
    assert "ReferencedStudySequence" not in head


def test_an_instance_of_a_group_conforms(tmp_path: Path) -> None:
    folder = Recording().with_samples(heartbeat(5000, 8)).folder(tmp_path / "acq")
    (made,) = wrap(folder, group(), settings_of(tmp_path), tmp_path)
    assert [f for f in check(Path(made.path)) if f.severity == "error"] == []
    assert len(pydicom.dcmread(made.path).RequestAttributesSequence) == 2


def test_further_steps_are_part_of_whose_an_instance_is() -> None:
    digests = {attribution_digest(e) for e in (group(), group("9.8.8"), an_exam(study_uid="2.25.1"))}
    assert len(digests) == 3
