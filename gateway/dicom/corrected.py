"""What the header of a corrected instance says of the one before: Original Attributes Sequence (PS3.3 C.12.1.1.9)."""

from __future__ import annotations

import dataclasses

from pydicom.dataset import Dataset

from gateway.dicom import mapping
from gateway.model import Exam
from gateway.settings import Box

CORRECT = "CORRECT"  # Reason for the Attribute Modification: replaced because it was wrong (PS3.3 C.12.1.1.9.1)


def original_attributes(exam: Exam, box: Box, modified_at: str) -> list[Dataset]:
    """The item that an exam which corrects another one brings into its instances; none for any other exam.

    It names what of the table had another value before: also what was empty, or absent, with no value.
    """
    if exam.corrects is None:
        return []
    wrong = exam.corrects
    before = dataclasses.replace(exam, attribution=wrong.attribution, study_uid=wrong.study_uid, corrects=None)
    previous = mapping.to_instance(before)
    previous.StudyInstanceUID = wrong.study_uid
    now = mapping.to_instance(exam)
    now.StudyInstanceUID = exam.study_uid
    modified = Dataset()
    for tag in sorted({*previous.keys(), *now.keys()}):
        if previous.get(tag) != now.get(tag):
            if tag in previous:
                modified[tag] = previous[tag]
            else:
                modified.add_new(tag, now[tag].VR, [] if now[tag].VR == "SQ" else None)
    if not modified:
        return []
    item = Dataset()
    item.ModifiedAttributesSequence = [modified]
    item.AttributeModificationDateTime = modified_at
    item.ModifyingSystem = box.station_name or box.ae_title
    item.SourceOfPreviousValues = ""
    item.ReasonForTheAttributeModification = CORRECT
    return [item]
