"""What is found when the storm is over: instances in the PACS, steps in the RIS, the ledger, the logs."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pydicom import dcmread

from gateway.dicom.wrap import CUT_OFF_NOTE
from gateway.places import Places
from gateway.trial.patients import Patient
from gateway.trial.steps import FINAL_STATES
from tests.soak.contents import Comparison, compare, of_data_set
from tests.soak.judge import Instance
from tests.soak.pacs import FlakyHospital

DEFECTS = ("Traceback (most recent call last)", "a defect of this program", "this program failed")


def instances(hospital: FlakyHospital, here: Places) -> Iterator[Instance]:
    """One in memory at a time."""
    made_of = dict(_rows(here, "SELECT uid, acquisition FROM instances"))
    for path in hospital.files():
        found = dcmread(path)
        (group,) = found.WaveformSequence
        data = np.frombuffer(group.WaveformData, "<i4").reshape(-1, int(group.NumberOfWaveformChannels))
        notes = {str(a.get("UnformattedTextValue", "")) for a in found.get("WaveformAnnotationSequence", [])}
        uid = str(found.SOPInstanceUID)
        yield Instance(uid, made_of.get(uid, ""), str(found.PatientID), CUT_OFF_NOTE in notes, data)


def steps(hospital: FlakyHospital) -> Iterator[str]:
    """Each step final; each instance in the last message of exactly one, which was completed and is its patient's."""
    named: Counter[str] = Counter()
    for uid, step in hospital.steps.by_uid.items():
        if (state := hospital.steps.state(uid)) not in FINAL_STATES:
            yield f"step {uid} is {state or 'unknown'} for ever"
        series = step.get("00400340", {}).get("Value", [])
        lists = [one.get(tag, {}).get("Value", []) for one in series for tag in ("00081140", "00400220")]
        references = [item["00081155"]["Value"][0] for found in lists for item in found]
        if references and state == "DISCONTINUED":
            yield f"step {uid} is discontinued, though {len(references)} instances were made in it"
        patient = step["00100020"]["Value"][0]
        for reference in references:
            named[reference] += 1
            path = hospital.file(reference)
            if not path.exists():
                yield f"step {uid} names instance {reference}, which the PACS has not"
            elif str(dcmread(path, specific_tags=["PatientID"]).PatientID) != patient:
                yield f"step {uid} of patient {patient} names instance {reference} of another patient"
    for path in hospital.files():
        if named[path.stem] != 1:
            yield f"instance {path.stem} is named by {named[path.stem]} steps"


def ledger(here: Places, hospital: FlakyHospital) -> Iterator[str]:
    """Nothing was deleted here that the PACS had not committed itself to, and all is there."""
    for uid, state, path in _rows(here, "SELECT uid, state, path FROM instances"):
        if state == "PURGED" and uid not in hospital.committed:
            yield f"instance {uid} was deleted, but the PACS never committed itself to it"
        if state == "SPOOLED" and not (here.data / path).exists():
            yield f"instance {uid} is gone from the spool, and was never purged"
    for uid, digest in _rows(here, "SELECT uid, sha256 FROM instances WHERE sha256 IS NOT NULL"):
        if not hospital.spool_files[uid] <= {digest}:
            yield f"instance {uid} was offered as another file than the ledger has a hash of"


def contents(here: Places, hospital: FlakyHospital) -> Comparison:
    """Of all that the ledger knows, purged or not, and all that came to the PACS."""
    spooled: dict[str, set[str]] = {
        uid: set(hospital.spooled[uid]) for (uid,) in _rows(here, "SELECT uid FROM instances")
    }
    for path in here.instances.glob("*/*.dcm"):
        spooled.setdefault(path.stem, set()).add(of_data_set(path.read_bytes()))
    stored = {uid: set(digests) for uid, digests in hospital.received.items()}
    for path in hospital.files():
        stored.setdefault(path.stem, set()).add(of_data_set(path.read_bytes()))
    return compare(spooled, stored)


def writings(folder: Path, here: Places, patients: tuple[Patient, ...]) -> Iterator[str]:
    """No process failed through a defect; no log names a patient."""
    names = {part for p in patients for group in p.name.split("=") for part in group.split("^")}
    for path in (*sorted(folder.glob("*.log")), here.audit):
        for number, line in enumerate(path.read_text(errors="replace").splitlines() if path.exists() else (), 1):
            if any(word in line for word in DEFECTS):
                yield f"{path.name}:{number}: {line.strip()}"
            if any(name in line for name in names):
                yield f"{path.name}:{number} names a patient"


def _rows(here: Places, query: str) -> list[tuple[str, ...]]:
    connection = sqlite3.connect(here.ledger)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()
