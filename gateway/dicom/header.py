"""The header of a waveform instance: everything of its data set but the Waveform Sequence.

Each function fills one module of PS3.3 C.7, C.10 or C.12 from the facts, the exam and the configuration; what
comes from the worklist item comes through :mod:`gateway.dicom.mapping`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydicom.dataset import Dataset

from gateway import __version__
from gateway.dicom import mapping
from gateway.dicom.annotating import annotation_items
from gateway.dicom.corrected import original_attributes
from gateway.dicom.definition import Iod
from gateway.dicom.header_rows import CONFIGURED
from gateway.dicom.leads import Column
from gateway.dicom.parts import Part
from gateway.dicom.samples import Scan
from gateway.dicom.scaling import Scale, Storage
from gateway.identifiers import derived_uid
from gateway.model import Exam, Facts, Instant, MultiplexGroup, to_json
from gateway.settings import Box

MPPS_CLASS_UID = "1.2.840.10008.3.1.2.3.3"
UTC_FRAME = "1.2.840.10008.15.1.1"  # PS3.3 C.7.4.2.1.1: equipment synchronized to UTC
UNKNOWN = "UNKNOWN"  # where the Enhanced General Equipment module demands what the device does not tell
LONGEST_LO = 64
TEST_SERIES = "TEST RECORDING, not of a patient"  # Series Description; by it a test is known again on a medium
LONGEST_SH = 16


@dataclass(frozen=True, slots=True)
class Subject:
    """What one instance is made of."""

    facts: Facts
    exam: Exam
    iod: Iod
    columns: tuple[tuple[Column, ...], ...]
    scales: tuple[tuple[Scale, ...], ...]
    storages: tuple[Storage, ...]
    groups: tuple[MultiplexGroup, ...]
    scan: Scan
    notes: tuple[str, ...]  # about the whole recording
    part: Part
    reference: str = ""  # what the configuration says that the channels are measured against, if they do not tell

    @property
    def kept(self) -> list[int]:
        """The groups of the recording in which something of the part was recorded."""
        return [n for n, (first, last) in enumerate(self.part.ranges) if first < last]

    def only(self, part: Part) -> Subject:
        """What one part is made of."""
        kept = dataclasses.replace(self, part=part).kept
        notes = self.notes if part.whole else (f"PART {part.number} OF {part.of} of one recording", *self.notes)
        return dataclasses.replace(
            self,
            columns=tuple(self.columns[n] for n in kept),
            scales=tuple(self.scales[n] for n in kept),
            storages=tuple(self.storages[n] for n in kept),
            groups=tuple(self.groups[n] for n in kept),
            scan=self.scan.part(part).only(kept),
            notes=notes,
            part=part,
        )


def local(instant: Instant) -> datetime:
    """Wall time where the box stands; what is written as DA and TM."""
    return datetime.fromtimestamp(instant.wall).astimezone()


def date_of(instant: Instant) -> str:
    return local(instant).strftime("%Y%m%d")


def time_of(instant: Instant) -> str:
    return local(instant).strftime("%H%M%S")


def attribution_digest(exam: Exam) -> str:
    """Changes if and only if the instance's header would belong to somebody or something else."""
    what = [to_json(exam.attribution.item), exam.attribution.how, exam.study_uid, exam.step_uid]
    what += to_json(exam.attribution.more)  # none for most: their digest is what it was before there could be more
    return hashlib.sha256(json.dumps(what, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def instance_uid(facts: Facts, exam: Exam, iod: Iod, ordinal: str) -> str:
    return derived_uid(facts.root_uid, iod.key, ordinal, attribution_digest(exam))


def synchronized(facts: Facts, iod: Iod) -> str:
    """Acquisition Time Synchronized, or "" if the Synchronization module is left out.

    Of pictures and documents it is left out: most of their classes have no such module.
    N for a recording that began with an unsure clock. With a synchronized clock it would be Y, which makes Multiplex
    Group Time Offset required (PS3.3 C.10.9); dciodvfy looks for the Y in the wrong data set and calls that offset
    an error. For the classes that it judges, the module is therefore left out where it may be, and nothing is claimed;
    where it must be there (hemodynamic, electrophysiology) it says N: to the millisecond, which matters in these, no
    device on a serial line is synchronized.
    """
    if iod.limits is None:
        return ""
    if not facts.started.trusted:
        return "N"
    if iod.states_synchronized:
        return "Y"
    return "N" if any(use.module == "Synchronization" and use.usage != "U" for use in iod.modules) else ""


def series_uid(facts: Facts, exam: Exam, iod: Iod) -> str:
    """One series per exam, device and modality; what is synchronized otherwise, and tests, are apart.

    (Synchronization is a property of the whole series, PS3.3 C.7.4.2.)
    """
    return derived_uid(
        exam.study_uid, exam.exam, facts.device, iod.written_modality, synchronized(facts, iod), facts.test
    )


def header(subject: Subject, box: Box) -> Dataset:
    """The data set without Waveform Sequence."""
    facts, exam, iod = subject.facts, subject.exam, subject.iod
    head = common(facts, exam, iod, subject.part, box)
    _synchronization(head, facts, iod)
    begun(head, local(facts.started) + timedelta(seconds=subject.part.seconds))  # exact: seconds, and not on the float
    head.AcquisitionContextSequence = []
    if told := annotation_items(subject.scan, subject.notes, list(_uncalibrated(subject))):
        head.WaveformAnnotationSequence = told
    mapping.declare_character_set(head)
    return head


def common(facts: Facts, exam: Exam, iod: Iod, part: Part, box: Box) -> Dataset:
    """What instances of all classes say: whose it is, what it belongs to, what made it."""
    head = mapping.to_instance(exam)
    head.SOPClassUID = iod.sop_class_uid
    head.SOPInstanceUID = instance_uid(facts, exam, iod, part.ordinal)
    _study(head, exam)
    _series(head, facts, exam, iod)
    _equipment(head, facts, iod, box)
    head.InstanceNumber = part.instance_number(facts.number)
    if exam.corrects is not None:
        at = local(exam.corrects.at).strftime("%Y%m%d%H%M%S.%f%z")
        if before := original_attributes(exam, box, at):
            head.OriginalAttributesSequence = before
    return head


def begun(head: Dataset, started: datetime) -> None:
    """When the instance's first sample or frame was taken."""
    head.ContentDate = started.strftime("%Y%m%d")
    head.ContentTime = started.strftime("%H%M%S.%f")
    head.AcquisitionDateTime = started.strftime("%Y%m%d%H%M%S.%f%z")
    head.TimezoneOffsetFromUTC = started.strftime("%z")


def _uncalibrated(subject: Subject) -> Iterator[tuple[int, int, str]]:
    """What nobody calibrated is not made to look measured: unit 1 alone could be a ratio."""
    for group, (columns, storage) in enumerate(zip(subject.columns, subject.storages, strict=True), 1):
        for number, column in enumerate(columns, 1):
            if column.channel.unit in ("", "1") and not storage.codes:
                yield group, number, f"{column.channel.label}: not calibrated, in counts as the device gives them"


def _study(head: Dataset, exam: Exam) -> None:
    head.StudyInstanceUID = exam.study_uid
    head.StudyDate, head.StudyTime = date_of(exam.opened), time_of(exam.opened)
    head.StudyID = study_id(exam)


def study_id(exam: Exam) -> str:
    """Requested Procedure ID, so that all exams of one study agree; else the exam's own id."""
    found = {one.get("RequestedProcedureID") for one in mapping.items(exam)} if mapping.scheduled(exam) else {None}
    agreed = found.pop() if len(found) == 1 else None
    return str(agreed)[:LONGEST_SH] if agreed else exam.exam


def protocol_name(exam: Exam, iod: Iod) -> str:
    """What the schedule calls the protocol; else the class's own name. Never empty (MPPS type 1)."""
    if mapping.scheduled(exam):
        steps = mapping.item(exam).get(mapping.SPS) or [Dataset()]
        codes = steps[0].get("ScheduledProtocolCodeSequence") or [Dataset()]
        for name in (codes[0].get("CodeMeaning"), steps[0].get("ScheduledProcedureStepDescription")):
            if name:
                return str(name)[:LONGEST_LO]
    return iod.label


def _series(head: Dataset, facts: Facts, exam: Exam, iod: Iod) -> None:
    place = exam.devices.index(facts.device) if facts.device in exam.devices else len(exam.devices)
    head.Modality = iod.written_modality
    head.SeriesInstanceUID = series_uid(facts, exam, iod)
    head.SeriesNumber = 6 * place + 1 + ("", "N", "Y").index(synchronized(facts, iod)) + 3 * facts.test
    head.SeriesDescription = TEST_SERIES if facts.test else f"{iod.written_modality} from {facts.device}"[:LONGEST_LO]
    head.ProtocolName = protocol_name(exam, iod)
    if exam.operator:
        head.OperatorsName = exam.operator
    head.PerformedProcedureStepID = exam.exam
    head.PerformedProcedureStepStartDate = date_of(exam.opened)
    head.PerformedProcedureStepStartTime = time_of(exam.opened)
    step = Dataset()
    step.ReferencedSOPClassUID, step.ReferencedSOPInstanceUID = MPPS_CLASS_UID, exam.step_uid
    head.ReferencedPerformedProcedureStepSequence = [step]


def _synchronization(head: Dataset, facts: Facts, iod: Iod) -> None:
    if state := synchronized(facts, iod):
        own_frame = derived_uid(head.SeriesInstanceUID, "synchronization")
        head.SynchronizationFrameOfReferenceUID = UTC_FRAME if state == "Y" else own_frame
        head.SynchronizationTrigger = "NO TRIGGER"
        head.AcquisitionTimeSynchronized = state


def _equipment(head: Dataset, facts: Facts, iod: Iod, box: Box) -> None:
    made = facts.equipment
    fallback = UNKNOWN if iod.enhanced_equipment else ""
    head.Manufacturer = made.manufacturer or fallback
    if name := made.model or fallback:
        head.ManufacturerModelName = name
    if serial := made.serial or fallback:
        head.DeviceSerialNumber = serial
    versions = [made.software, f"gateway {__version__}", f"adapter {facts.adapter} {facts.adapter_version}"]
    head.SoftwareVersions = [text[:LONGEST_LO] for text in versions if text]
    for keyword, setting in CONFIGURED.items():
        if text := getattr(box, setting):
            setattr(head, keyword, text)
