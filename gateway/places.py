"""Where everything lies below the data folder; the one place that knows the names.

DATA/exams/EXAM/exam.json                     the performed procedure step
DATA/exams/EXAM/dated.json                    what the clock was off when it began, if it was (spool.dating)
DATA/acquisitions/ID/facts.json               what must be known to wrap it
DATA/acquisitions/ID/records                  what the device said
DATA/exams/EXAM/changed.json                  what the RIS changed of its step while it was open
DATA/acquisitions/ID/identified.json          whom the device said that it measures
DATA/acquisitions/ID/confirmed.json           that a person looked, and whose it is all the same (spool.doubts)
DATA/acquisitions/ID/held.json                why a person must look, if so
DATA/instances/ID/UID.dcm                     what was made of the acquisition ID, as sent
DATA/acquisitions/.ID.taking/                 an acquisition while it is made of a file (acquire.taking)
DATA/taken/DEVICE.jsonl                       which files were taken from the device's folder (acquire.taken)
DATA/orders/DEVICE.json                       what a device was told to record and has not ended yet
DATA/worklist/NAME.json                       the last answer of the RIS called NAME, for this station and day
DATA/worklist/NAME.asked.json                 its last answer to a question for one patient
DATA/ledger.sqlite                            progress only: may be deleted
DATA/ballast                                  room kept for the ledger on a full disk (spool.ballast)
DATA/unidentified.json                        how many were numbered whom nobody could name (gateway.unidentified)
DATA/audit.jsonl                              what persons decided
DATA/audit.told.json                          how much of it the audit repository was told (transfer.auditing)
DATA/media/UID/facts.json, SHA256.TXT         a file-set that the box filled: which, and what is on it
RUNTIME/NAME.sock                             the local sockets of the processes
RUNTIME/sticks/NAME.allow, NAME.eject         what a person answered about a stick, for root to read
RUNTIME-sticks/NAME.json, NAME/               root's: what is plugged in, and where it is mounted
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FACTS = "facts.json"
RECORDS = "records"
HELD = "held.json"
IDENTIFIED = "identified.json"
CHANGED = "changed.json"
EXAM = "exam.json"


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of one gateway: ``data`` survives reboots, ``runtime`` does not."""

    data: Path
    runtime: Path

    @property
    def exams(self) -> Path:
        return self.data / "exams"

    @property
    def acquisitions(self) -> Path:
        return self.data / "acquisitions"

    @property
    def instances(self) -> Path:
        return self.data / "instances"

    @property
    def orders(self) -> Path:
        return self.data / "orders"

    def taking(self, acquisition: str) -> Path:
        """In the same folder: from one folder to another, a rename may lose both names in a power cut."""
        return self.acquisitions / f".{acquisition}.taking"

    def taken(self, device: str) -> Path:
        return self.data / "taken" / f"{device}.jsonl"

    @property
    def worklist(self) -> Path:
        return self.data / "worklist"

    @property
    def ledger(self) -> Path:
        return self.data / "ledger.sqlite"

    @property
    def media(self) -> Path:
        return self.data / "media"

    @property
    def sticks(self) -> Path:
        """Root's, so that nobody else can write to a mount point when nothing is mounted there."""
        return self.runtime.with_name(f"{self.runtime.name}-sticks")

    @property
    def answers(self) -> Path:
        return self.runtime / "sticks"

    @property
    def audit(self) -> Path:
        return self.data / "audit.jsonl"

    def exam(self, exam: str) -> Path:
        return self.exams / exam / EXAM

    def acquisition(self, acquisition: str) -> Path:
        return self.acquisitions / acquisition

    def order(self, device: str) -> Path:
        return self.orders / f"{device}.json"

    def socket(self, name: str) -> Path:
        return self.runtime / f"{name}.sock"
