"""How the embedded hospital reports storage commitment: on which association, how late (PS3.4 J.3.3)."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import Any

from pydicom import Dataset
from pynetdicom import AE, build_role
from pynetdicom.sop_class import StorageCommitmentPushModel

log = logging.getLogger(__name__)

INSTANCE = "1.2.840.10008.1.20.1.1"
ATTEMPTS = 20
BETWEEN = 0.5  # seconds
AFTER_RESPONSE = 0.05  # seconds for the N-ACTION response to be out first


@dataclass(frozen=True, slots=True)
class Commitment:
    """``committed``: SOP class by instance UID; ``failed``: (SOP class, Failure Reason) by instance UID."""

    transaction_uid: str
    committed: dict[str, str]
    failed: dict[str, tuple[str, int]]

    @property
    def event_type(self) -> int:
        return 2 if self.failed else 1

    def information(self) -> Dataset:
        """Event Information (PS3.4 table J.3-2)."""
        information = Dataset()
        information.TransactionUID = self.transaction_uid
        if self.committed:
            information.ReferencedSOPSequence = [_item(uid, kind) for uid, kind in self.committed.items()]
        if self.failed:
            information.FailedSOPSequence = [_item(uid, kind, why) for uid, (kind, why) in self.failed.items()]
        return information


def _item(uid: str, sop_class_uid: str, reason: int | None = None) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class_uid, uid
    if reason is not None:
        item.FailureReason = reason
    return item


class Reporter:
    """Delivers reports in threads of its own; ``answers`` lists (transaction UID, status) of each delivery."""

    def __init__(self, ae_title: str, callers: dict[str, tuple[str, int]], how: str, delay: float) -> None:
        self.how = how
        self.delay = delay
        self.answers: list[tuple[str, int]] = []
        self._ae_title = ae_title
        self._callers = callers
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def take(self, association: Any, report: Commitment) -> None:
        """Called while the N-ACTION is served: what is sent here comes before its response."""
        if self.how == "before":
            self._say(association, report)
        elif self.how != "never":
            thread = threading.Thread(target=self._later, args=(association, report), daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(5.0)

    def _later(self, association: Any, report: Commitment) -> None:
        if self._stopping.wait(self.delay + (AFTER_RESPONSE if self.how == "same" else 0.0)):
            return
        if self.how == "same" and association.is_established and self._say(association, report):
            return
        caller = str(association.requestor.ae_title).strip()
        for _ in range(ATTEMPTS):
            if self._on_new(caller, report) or self._stopping.wait(BETWEEN):
                return
        log.warning("%s could not be told of transaction %s", caller, report.transaction_uid)

    def _on_new(self, caller: str, report: Commitment) -> bool:
        """Call the box back, in the SCP role (PS3.4 J.3.3). False if it is to be tried again."""
        if caller not in self._callers:
            log.warning("nobody knows where %s listens for the commitment report", caller)
            return True
        ae = AE(ae_title=self._ae_title)
        ae.add_requested_context(StorageCommitmentPushModel)
        role = build_role(StorageCommitmentPushModel, scp_role=True)
        host, port = self._callers[caller]
        association = ae.associate(host, port, ae_title=caller, ext_neg=[role])
        if not association.is_established:
            return False
        try:
            return self._say(association, report)
        finally:
            association.release()

    def _say(self, association: Any, report: Commitment) -> bool:
        """True if the box answered with success."""
        try:
            answer, _ = association.send_n_event_report(
                report.information(), report.event_type, StorageCommitmentPushModel, INSTANCE
            )
        except (RuntimeError, ValueError) as error:
            log.debug("the report could not be sent: %s", error)
            return False
        status = int(answer.Status) if "Status" in answer else -1
        self.answers.append((report.transaction_uid, status))
        return status == 0
