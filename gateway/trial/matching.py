"""Worklist matching as a RIS does it (PS3.4 C.2.2.2): single value, wild card, date range, sequence."""

from __future__ import annotations

import fnmatch
from typing import Any

from pydicom import Dataset

MATCHED = frozenset(("PatientName", "PatientID", "AccessionNumber", "RequestedProcedureID", "StudyInstanceUID"))
STEP_MATCHED = frozenset(("Modality", "ScheduledStationAETitle", "ScheduledProcedureStepStartDate"))


def matches(item: Dataset, asked: Dataset) -> bool:
    """Whether the item fits all keys of the query; an empty key fits everything."""
    if not all(_fits(item, asked, keyword) for keyword in MATCHED):
        return False
    wanted = asked.get("ScheduledProcedureStepSequence", None)
    if not wanted:
        return True
    return any(
        all(_fits(step, wanted[0], keyword) for keyword in STEP_MATCHED) for step in item.ScheduledProcedureStepSequence
    )


def returned(item: Dataset, asked: Dataset) -> Dataset:
    """The answer: what was asked for, and the character set of the item."""
    answer = Dataset()
    for element in item:
        if element.keyword == "SpecificCharacterSet" or element.tag in asked:
            answer.add(element)
    return answer


def _fits(item: Dataset, asked: Dataset, keyword: str) -> bool:
    wanted = _text(asked.get(keyword, None))
    there = _text(item.get(keyword, None))
    if wanted in ("", "*"):
        return True
    if keyword.endswith("Date") and "-" in wanted:
        first, last = wanted.split("-", 1)
        return (first or "0") <= there <= (last or "9")
    if keyword == "PatientName":
        return any(fnmatch.fnmatchcase(group.casefold(), wanted.casefold()) for group in there.split("="))
    return fnmatch.fnmatchcase(there, wanted)


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()
