"""Performed procedure steps as a RIS keeps and judges them (PS3.4 annex F)."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from pydicom import Dataset

from gateway import fsops

SUCCESS = 0x0000
NO_SUCH_ATTRIBUTE, INVALID_VALUE, FINAL, DUPLICATE = 0x0105, 0x0106, 0x0110, 0x0111
ERROR_IS_FINAL = 0xA710  # Error ID that goes with FINAL (PS3.4 F.7.2.2.2)
NO_SUCH_INSTANCE, MISSING_ATTRIBUTE, MISSING_VALUE = 0x0112, 0x0120, 0x0121

# Type 1 at N-CREATE (PS3.4 table F.7.2-1), and what must be there, if empty, to be set later.
CREATED = (
    "ScheduledStepAttributesSequence",
    "PerformedProcedureStepID",
    "PerformedStationAETitle",
    "PerformedProcedureStepStartDate",
    "PerformedProcedureStepStartTime",
    "PerformedProcedureStepStatus",
    "Modality",
)
# Type 1 in the final state.
COMPLETE = ("PerformedProcedureStepEndDate", "PerformedProcedureStepEndTime", "PerformedSeriesSequence")
FINAL_STATES = ("COMPLETED", "DISCONTINUED")


class Steps:
    """``by_uid`` holds each step as DICOM JSON; files beside it survive. Statuses are those of PS3.7 annex C."""

    def __init__(self, folder: Path) -> None:
        self.by_uid: dict[str, dict[str, Any]] = {}
        self._folder = folder
        self._steps: dict[str, Dataset] = {}
        self._lock = threading.Lock()

    def state(self, uid: str) -> str:
        """IN PROGRESS, COMPLETED or DISCONTINUED; "" if there is no such step."""
        return str(self._steps[uid].PerformedProcedureStepStatus) if uid in self._steps else ""

    def file(self, uid: str) -> Path:
        return self._folder / f"{uid}.json"

    def create(self, uid: str, attributes: Dataset) -> int:
        with self._lock:
            if uid in self._steps:
                return DUPLICATE
            for keyword in CREATED:
                if keyword not in attributes:
                    return MISSING_ATTRIBUTE
                if not attributes.get(keyword):
                    return MISSING_VALUE
            if attributes.PerformedProcedureStepStatus != "IN PROGRESS":
                return INVALID_VALUE
            self._keep(uid, attributes)
            return SUCCESS

    def set(self, uid: str, changes: Dataset) -> int:
        with self._lock:
            step = self._steps.get(uid)
            if step is None:
                return NO_SUCH_INSTANCE
            if step.PerformedProcedureStepStatus in FINAL_STATES:
                return FINAL
            if any(element.tag not in step and element.keyword != "SpecificCharacterSet" for element in changes):
                return NO_SUCH_ATTRIBUTE
            after = Dataset(step)
            after.update(changes)
            if after.PerformedProcedureStepStatus in FINAL_STATES and not all(after.get(k) for k in COMPLETE):
                return MISSING_VALUE
            self._keep(uid, after)
            return SUCCESS

    def _keep(self, uid: str, step: Dataset) -> None:
        self._steps[uid] = step
        self.by_uid[uid] = step.to_json_dict()
        fsops.write_json(self.file(uid), self.by_uid[uid])
