"""The data sets of the performed procedure step: N-CREATE when it begins, N-SET when it ends (PS3.4 F.7.2).

Only what was created may be set later, so everything that may come is created, if need be with zero length.
Patient attributes, the scheduled step, Study ID, station and start are never set again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset

from gateway.acquire.adapter import adapter_named
from gateway.dicom import mapping
from gateway.dicom.header import date_of, study_id, time_of
from gateway.dicom.iods import BY_KEY
from gateway.errors import Misuse
from gateway.identifiers import derived_uid
from gateway.model import Exam, InstanceRef
from gateway.settings import Box, Settings
from gateway.sop_classes import BY_KIND

IN_PROGRESS = "IN PROGRESS"
COMPLETED = "COMPLETED"
DISCONTINUED = "DISCONTINUED"
OTHER = "OT"  # Modality where nobody says which


@dataclass(frozen=True, slots=True)
class PerformedSeries:
    """One item of Performed Series Sequence."""

    series_uid: str
    protocol_name: str
    description: str
    modality: str
    instances: tuple[InstanceRef, ...] = ()


def modality(exam: Exam, settings: Settings) -> str:
    """Modality of the step before anything is recorded: of the first device that is known, else as was scheduled."""
    for name in exam.devices:
        with contextlib.suppress(Misuse):  # no longer configured, or its adapter is not installed
            device = settings.device(name)
            kinds = adapter_named(device.adapter).kinds
            classes = BY_KIND[kinds[0]].candidates(device.iod, mixed=len(kinds) > 1)
            if found := next((BY_KEY[key].written_modality for key in classes), ""):
                return found
    for step in mapping.item(exam).get(mapping.SPS) or ():
        if asked := step.get("Modality"):
            return str(asked)
    return OTHER


def create_dataset(exam: Exam, box: Box, modality: str) -> Dataset:
    """The N-CREATE attribute list; raises Held for an exam that belongs to nobody."""
    step = mapping.to_mpps(exam)
    step.StudyID = study_id(exam)
    step.PerformedProcedureStepID = exam.exam
    step.PerformedStationAETitle = box.ae_title
    step.PerformedStationName = box.station_name
    step.PerformedLocation = box.department[:16]
    step.PerformedProcedureStepStartDate = date_of(exam.opened)
    step.PerformedProcedureStepStartTime = time_of(exam.opened)
    step.PerformedProcedureStepStatus = IN_PROGRESS
    step.PerformedProcedureTypeDescription = ""
    step.PerformedProcedureStepEndDate = ""
    step.PerformedProcedureStepEndTime = ""
    step.PerformedProcedureStepDiscontinuationReasonCodeSequence = []
    step.Modality = modality
    step.PerformedSeriesSequence = []
    _declare_character_set(step, exam)
    return step


def final_dataset(exam: Exam, series: Sequence[PerformedSeries], modality: str) -> Dataset:
    """The modification list of the final N-SET.

    At least one series is demanded even if nothing was recorded: then one without instances, of ``modality``, whose UID
    is derived from the step's. Raises ValueError if the exam is still open.
    """
    if exam.closed is None:
        raise ValueError(f"exam {exam.exam} is still open")
    step = Dataset()
    step.PerformedProcedureStepStatus = exam.closed.status
    step.PerformedProcedureStepEndDate = date_of(exam.closed.at)
    step.PerformedProcedureStepEndTime = time_of(exam.closed.at)
    if exam.closed.status == DISCONTINUED:
        reason = exam.closed.reason
        step.PerformedProcedureStepDiscontinuationReasonCodeSequence = [mapping.code(reason)] if reason else []
    nothing = PerformedSeries(derived_uid(exam.step_uid, "no series"), "none", "nothing was recorded", modality)
    step.PerformedSeriesSequence = [_series(one, exam) for one in series or [nothing]]
    _declare_character_set(step, exam)
    return step


def _series(series: PerformedSeries, exam: Exam) -> Dataset:
    images = {row.sop_class_uid for row in BY_KEY.values() if row.image}
    item = Dataset()
    item.PerformingPhysicianName = ""
    item.OperatorsName = exam.operator
    item.ProtocolName = series.protocol_name
    item.SeriesInstanceUID = series.series_uid
    item.SeriesDescription = series.description
    item.RetrieveAETitle = ""
    item.ReferencedImageSequence = [_reference(i) for i in series.instances if i.sop_class_uid in images]
    item.ReferencedNonImageCompositeSOPInstanceSequence = [
        _reference(i) for i in series.instances if i.sop_class_uid not in images
    ]
    return item


def _reference(instance: InstanceRef) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = instance.sop_class_uid
    item.ReferencedSOPInstanceUID = instance.sop_instance_uid
    return item


def _declare_character_set(step: Dataset, exam: Exam) -> None:
    """The same at N-CREATE and at N-SET: what the exam itself brings decides for both."""
    mapping.declare_character_set(step)
    if not (str(exam.attribution.items) + exam.operator).isascii():
        step.SpecificCharacterSet = "ISO_IR 192"
