"""An embedded RIS and PACS on pynetdicom: worklist, performed procedure steps, storage, commitment.

For the demo and the tests; it tells the truth: a C-STORE is answered when the file is synced, an instance is
committed when its file is there. The methods ``find``, ``store``, ``create_step``, ``set_step`` and ``commit``
may be overridden to make a hospital that behaves badly.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydicom import Dataset
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.sop_class import (
    ModalityPerformedProcedureStep,
    ModalityWorklistInformationFind,
    StorageCommitmentPushModel,
    Verification,
)

from gateway import fsops
from gateway.trial import matching, patients, steps
from gateway.trial.ports import free_port
from gateway.trial.reporting import Commitment, Reporter

log = logging.getLogger(__name__)

SUCCESS, PENDING, CANCELLED = 0x0000, 0xFF00, 0xFE00
NO_SUCH_INSTANCE, CLASS_CONFLICT = 0x0112, 0x0119
ENDING = 2.0  # seconds for a caller to close its connection
SYNTAXES = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")


class Hospital:
    """Listens on 127.0.0.1 between :meth:`start` and :meth:`stop`, or as a context manager.

    ``folder`` gets ``instances/UID.dcm`` and ``steps/UID.json``. ``items`` are worklist items; None = the made-up
    patients, today. ``callers`` says where a box listens, by AE title. ``report`` says how commitment is reported:
    "new" association, "same" association, "before" the N-ACTION response on the same one, or "never"; ``delay`` in
    seconds.
    """

    def __init__(
        self,
        folder: Path,
        ae_title: str = "HOSPITAL",
        port: int = 0,
        items: Sequence[Dataset] | None = None,
        report: str = "new",
        delay: float = 0.0,
    ) -> None:
        self.ae_title = ae_title
        self.port = port or free_port()  # its own also while it is down
        self.items = list(patients.items() if items is None else items)
        self.callers: dict[str, tuple[str, int]] = {}
        self.stored: Counter[str] = Counter()  # C-STOREs that succeeded, by SOP Instance UID
        self.asked: list[Dataset] = []  # worklist queries
        self._instances = fsops.make_folder(folder / "instances")
        self.steps = steps.Steps(fsops.make_folder(folder / "steps"))
        self.reporter = Reporter(ae_title, self.callers, report, delay)
        self._lock = threading.Lock()
        self._server: Any = None
        self._ae = AE(ae_title=ae_title)
        self._ae.require_called_aet = True
        self._ae.maximum_associations = 20
        for context in AllStoragePresentationContexts:
            self._ae.add_supported_context(context.abstract_syntax, SYNTAXES)
        for uid in (Verification, ModalityWorklistInformationFind, ModalityPerformedProcedureStep):
            self._ae.add_supported_context(uid, SYNTAXES)
        self._ae.add_supported_context(StorageCommitmentPushModel, SYNTAXES, scu_role=True, scp_role=True)

    def start(self) -> Hospital:
        handlers = [
            (evt.EVT_C_FIND, self.find),
            (evt.EVT_C_STORE, self.store),
            (evt.EVT_N_CREATE, self.create_step),
            (evt.EVT_N_SET, self.set_step),
            (evt.EVT_N_ACTION, self.commit),
        ]
        self._server = self._ae.start_server(("127.0.0.1", self.port), block=False, evt_handlers=handlers)
        return self

    def stop(self) -> None:
        self.reporter.stop()
        if self._server is not None:
            self._let_end()
            self._ae.shutdown()
            self._server.server_close()
            self._server = None

    def _let_end(self) -> None:
        """Whoever was rejected or released is about to hang up; then pynetdicom cannot abort (Sta13, or on its way)."""
        until = time.monotonic() + ENDING
        while time.monotonic() < until and any(
            one.dul.state_machine.current_state in ("Sta3", "Sta13") for one in self._ae.active_associations
        ):
            time.sleep(0.01)

    def __enter__(self) -> Hospital:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def file(self, sop_instance_uid: str) -> Path:
        """Where the instance lies, if it was stored."""
        return self._instances / f"{sop_instance_uid}.dcm"

    def files(self) -> list[Path]:
        return sorted(self._instances.glob("*.dcm"))

    def find(self, event: Any) -> Iterator[tuple[int, Dataset | None]]:
        asked = event.identifier
        self.asked.append(asked)
        for item in self.items:
            if event.is_cancelled:
                yield CANCELLED, None
                return
            if matching.matches(item, asked):
                yield PENDING, matching.returned(item, asked)

    def store(self, event: Any) -> int:
        """The bytes as they came, durable before the answer; a second copy is counted, the first one kept."""
        uid = str(event.request.AffectedSOPInstanceUID)
        path = self.file(uid)
        if not path.exists():
            fsops.write_file(path, event.encoded_dataset())
        with self._lock:
            self.stored[uid] += 1
        return SUCCESS

    def create_step(self, event: Any) -> tuple[int, Dataset | None]:
        uid = str(event.request.AffectedSOPInstanceUID or "")
        return self.steps.create(uid, event.attribute_list), None

    def set_step(self, event: Any) -> tuple[int | Dataset, Dataset | None]:
        status = self.steps.set(str(event.request.RequestedSOPInstanceUID), event.modification_list)
        if status != steps.FINAL:
            return status, None
        answer = Dataset()
        answer.Status, answer.ErrorID = steps.FINAL, steps.ERROR_IS_FINAL
        return answer, None

    def commit(self, event: Any) -> tuple[int, Dataset | None]:
        action = event.action_information
        asked = {str(i.ReferencedSOPInstanceUID): str(i.ReferencedSOPClassUID) for i in action.ReferencedSOPSequence}
        failed = {uid: reason for uid, kind in asked.items() if (reason := self._judge(uid, kind))}
        committed = {uid: kind for uid, kind in asked.items() if uid not in failed}
        report = Commitment(str(action.TransactionUID), committed, {u: (asked[u], r) for u, r in failed.items()})
        self.reporter.take(event.assoc, report)
        return SUCCESS, None

    def _judge(self, uid: str, sop_class_uid: str) -> int:
        """Failure Reason of an instance, 0 = committed: what is on the disk decides."""
        path = self.file(uid)
        if not path.exists():
            return NO_SUCH_INSTANCE
        with path.open("rb") as stream:
            head = stream.read(1024)
        return SUCCESS if sop_class_uid.encode() in head else CLASS_CONFLICT
