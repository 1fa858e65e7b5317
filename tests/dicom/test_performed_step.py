"""The performed procedure step's messages: PS3.4 F.7.2, and what RIS are known to refuse."""

from __future__ import annotations

import dataclasses

import pytest
from acquisitions import ITEM, an_exam, instant, named
from pydicom.dataset import Dataset

from gateway.dicom import mapping
from gateway.dicom.performed_step import PerformedSeries, create_dataset, final_dataset
from gateway.errors import Held
from gateway.model import Attributed, Closing, Code, Exam, InstanceRef
from gateway.settings import Box

BOX = Box(ae_title="BOX", station_name="ECG1", department="Cardiology")
TYPE_1 = (
    "PerformedProcedureStepID",
    "PerformedStationAETitle",
    "PerformedProcedureStepStartDate",
    "PerformedProcedureStepStartTime",
    "PerformedProcedureStepStatus",
    "Modality",
    "ScheduledStepAttributesSequence",
)
NEVER_SET = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "ScheduledStepAttributesSequence",
    "StudyID",
    "PerformedStationAETitle",
    "PerformedProcedureStepStartDate",
    "PerformedProcedureStepStartTime",
    "PerformedProcedureStepID",
    "Modality",
)
SERIES = PerformedSeries(
    "2.25.7", "Rest", "ECG", "ECG", (InstanceRef("1.2.840.10008.5.1.4.1.1.9.1.1", "2.25.8", "", ""),)
)


def closed(exam: Exam, status: str = "COMPLETED", reason: Code | None = None) -> Exam:
    return dataclasses.replace(exam, closed=Closing(status, instant(), reason))


@pytest.mark.parametrize("keyword", TYPE_1)
def test_n_create_has_a_value_for_each_type_1_attribute(keyword: str) -> None:
    assert not create_dataset(an_exam(), BOX, "ECG")[keyword].is_empty


@pytest.mark.parametrize("how", list(Attributed)[:3])
def test_n_create_has_every_type_2_attribute_of_the_mapping_even_if_empty(how: Attributed) -> None:
    step = create_dataset(an_exam(how, {}), BOX, "ECG")
    for row in mapping.TABLE:
        for path, kind in row.mpps:
            if kind.startswith("2"):
                *outer, name = path.split("/")
                assert name in (step[outer[0]].value[0] if outer else step), path


def test_n_create_of_a_scheduled_exam_repeats_what_was_scheduled() -> None:
    step = create_dataset(an_exam(), BOX, "ECG")
    (scheduled,) = step.ScheduledStepAttributesSequence
    assert scheduled.StudyInstanceUID == "1.2.3.4.5"
    assert (scheduled.AccessionNumber, scheduled.RequestedProcedureID) == ("ACC1", "RP1")
    assert scheduled.ScheduledProcedureStepID == "SPS1"
    assert scheduled.ScheduledProtocolCodeSequence[0].CodeValue == "P1"
    assert step.ProcedureCodeSequence[0].CodeValue == "ECG12"
    assert step.PerformedProcedureStepStatus == "IN PROGRESS"
    assert (step.StudyID, str(step.PatientName)) == ("RP1", "Doe^Jane")


def test_n_create_of_an_unscheduled_exam_has_empty_ids_and_its_own_study() -> None:
    exam = an_exam(Attributed.EMERGENCY, {"00100010": ITEM["00100010"], "00100020": ITEM["00100020"]})
    (scheduled,) = create_dataset(exam, BOX, "ECG").ScheduledStepAttributesSequence
    assert scheduled.StudyInstanceUID == exam.study_uid
    for keyword in ("AccessionNumber", "RequestedProcedureID", "ScheduledProcedureStepID"):
        assert scheduled[keyword].is_empty


def test_whatever_n_set_sends_was_created() -> None:
    reason = Code("110514", "DCM", "Incorrect worklist entry selected")
    exam = an_exam(operator="Müller^Eva")
    created = create_dataset(exam, BOX, "ECG")
    final = final_dataset(closed(exam, "DISCONTINUED", reason), [SERIES], "ECG")
    assert {e.keyword for e in final} <= {e.keyword for e in created}
    assert created.PerformedProcedureStepDiscontinuationReasonCodeSequence == []
    assert created.PerformedSeriesSequence == []


@pytest.mark.parametrize("keyword", NEVER_SET)
def test_n_set_never_sends_what_may_not_change(keyword: str) -> None:
    assert keyword not in final_dataset(closed(an_exam()), [SERIES], "ECG")


def test_the_final_state_lists_waveforms_as_non_image_objects() -> None:
    final = final_dataset(closed(an_exam()), [SERIES], "ECG")
    (series,) = final.PerformedSeriesSequence
    assert final.PerformedProcedureStepStatus == "COMPLETED"
    assert final.PerformedProcedureStepEndDate
    assert final.PerformedProcedureStepEndTime
    assert series.ReferencedImageSequence == []
    (reference,) = series.ReferencedNonImageCompositeSOPInstanceSequence
    assert reference.ReferencedSOPInstanceUID == "2.25.8"
    assert (series.SeriesInstanceUID, series.ProtocolName) == ("2.25.7", "Rest")


def test_a_step_without_recordings_still_names_a_series() -> None:
    (series,) = final_dataset(closed(an_exam()), [], "ECG").PerformedSeriesSequence
    assert series.SeriesInstanceUID
    assert series.ProtocolName
    assert series.ReferencedNonImageCompositeSOPInstanceSequence == []


def test_a_discontinued_step_gives_its_reason() -> None:
    reason = Code("110514", "DCM", "Incorrect worklist entry selected")
    final = final_dataset(closed(an_exam(), "DISCONTINUED", reason), [], "ECG")
    assert final.PerformedProcedureStepDiscontinuationReasonCodeSequence[0].CodeValue == "110514"


def test_both_messages_declare_the_same_character_set() -> None:
    exam = closed(an_exam(item=named({"Alphabetic": "山田^太郎"})))
    made = create_dataset(exam, BOX, "ECG"), final_dataset(exam, [SERIES], "ECG")
    sets = [d.get("SpecificCharacterSet") for d in made]
    assert sets == ["ISO_IR 192", "ISO_IR 192"]


def test_an_open_exam_has_no_final_state() -> None:
    with pytest.raises(ValueError, match="still open"):
        final_dataset(an_exam(), [], "ECG")


def test_nobodys_exam_is_not_reported() -> None:
    with pytest.raises(Held, match="belongs to nobody yet"):
        create_dataset(an_exam(Attributed.NOBODY, {}), BOX, "ECG")


def test_the_messages_are_encodable() -> None:
    exam = closed(an_exam(item=named({"Alphabetic": "Müller^Jörg"})))
    for message in (create_dataset(exam, BOX, "ECG"), final_dataset(exam, [SERIES], "ECG")):
        assert Dataset.from_json(message.to_json()) == message
