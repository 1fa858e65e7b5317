"""Who the patient is, as a person says it on the command line or the page: checked, then as DICOM JSON."""

from __future__ import annotations

import argparse
import datetime as dt
import re
import secrets
import time

from gateway.errors import Held, Misuse
from gateway.model import Attributed
from gateway.places import Places
from gateway.step import Item, ScheduledStep, cached_worklists

PATIENT_FIELDS = {
    # field: (tag, VR, longest); PS3.5 table 6.2-1
    "patient_id": ("00100020", "LO", 64),
    "patient_name": ("00100010", "PN", 64),
    "birth_date": ("00100030", "DA", 8),
    "sex": ("00100040", "CS", 1),
    "accession_number": ("00080050", "SH", 16),
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """The three ways to say whose the recording is."""
    parser.add_argument("--step", metavar="SPS_ID", help="scheduled procedure step from the worklist")
    parser.add_argument("--patient-id", metavar="ID", help="unscheduled: Patient ID")
    parser.add_argument("--patient-name", metavar="NAME", help="unscheduled: name as FAMILY^GIVEN")
    parser.add_argument("--birth-date", metavar="YYYYMMDD")
    parser.add_argument("--sex", choices=("M", "F", "O"))
    parser.add_argument("--accession-number", metavar="N")
    parser.add_argument("--emergency", action="store_true", help="no identity yet: one is generated")


def from_arguments(here: Places, args: argparse.Namespace) -> tuple[Attributed, Item] | None:
    """The identity that the arguments name, or None if they name none."""
    patient = {field: found for field in PATIENT_FIELDS if (found := getattr(args, field, None))}
    ways = [bool(args.step), bool(patient), args.emergency]
    if sum(ways) > 1:
        raise Misuse("--step, --patient-... and --emergency exclude each other", "say one of them")
    return identify(here, args.step, patient or None, args.emergency) if any(ways) else None


def identify(
    here: Places,
    step_id: str | None = None,
    patient: dict[str, str] | None = None,
    emergency: bool = False,
    seen: dict[str, str] | None = None,
) -> tuple[Attributed, Item]:
    """The identity for an exam, as DICOM JSON. Raises Misuse or Held, never guesses."""
    if step_id:
        return Attributed.SCHEDULED, scheduled(here, step_id, seen).item
    if patient:
        return Attributed.MANUAL, manual(patient)
    if emergency:
        stamp = time.strftime("%Y%m%d%H%M%S")
        unique = f"EMERGENCY-{stamp}-{secrets.token_hex(4)}"  # two emergencies in one second are two patients
        name = {"vr": "PN", "Value": [{"Alphabetic": f"UNIDENTIFIED^{stamp}"}]}
        return Attributed.EMERGENCY, {"00100010": name, "00100020": {"vr": "LO", "Value": [unique]}}
    raise Misuse("an exam needs a patient", "name one: --step SPS_ID, --patient-id and --patient-name, or --emergency")


def scheduled(here: Places, step_id: str, seen: dict[str, str] | None = None) -> ScheduledStep:
    """The one cached worklist item with that Scheduled Procedure Step ID.

    ``seen`` is what the person chose by: patient_id, study_uid. Raises Held if the step has others now.
    """
    found = [s for w in cached_worklists(here.worklist) for s in w.steps if s.step_id == step_id]
    if not found:
        raise Misuse(f"the worklist has no step {step_id!r}", "gateway worklist --refresh shows what there is")
    if len({(s.patient_id, s.study_uid) for s in found}) > 1:
        raise Held(f"{len(found)} worklist items have the step ID {step_id!r}", "ask the RIS administrator")
    for name, expected in (seen or {}).items():
        if getattr(found[0], name) != expected:
            words = name.replace("_", " ").replace("uid", "UID")
            raise Held(
                f"the step {step_id!r} has another {words} than the one that was chosen",
                "the RIS changed its worklist: look at it again and choose anew",
            )
    lacks = [name for name in found[0].missing if name.startswith("Patient")]
    if lacks:
        raise Held(f"the worklist item {step_id!r} lacks {' and '.join(lacks)}", "complete it in the RIS, or enter it")
    return found[0]


def manual(patient: dict[str, str]) -> Item:
    """An entered identity, checked attribute by attribute."""
    if unknown := set(patient) - set(PATIENT_FIELDS):
        raise Misuse(f"unknown patient field {sorted(unknown)[0]!r}", "known: " + ", ".join(PATIENT_FIELDS))
    for needed in ("patient_id", "patient_name"):
        if not patient.get(needed, "").strip("^ "):
            raise Misuse(f"{needed.replace('_', ' ')} is missing", "an unscheduled exam needs ID and name")
    item: Item = {}
    for field, (tag, vr, longest) in PATIENT_FIELDS.items():
        if not (text := patient.get(field, "").strip()):
            continue
        if len(text) > longest or re.search(r"[\x00-\x1f\\]", text):
            raise Misuse(f"{field.replace('_', ' ')} is too long or has a control character or backslash")
        if field == "birth_date" and not _is_date(text):
            raise Misuse(f"birth date {text!r} is no date", "write it as YYYYMMDD")
        if field == "sex" and text not in ("M", "F", "O"):
            raise Misuse(f"sex {text!r} is unknown to DICOM", "M, F or O")
        if field == "patient_name":
            _check_name(text)
        item[tag] = {"vr": vr, "Value": [_name_groups(text) if vr == "PN" else text]}
    return item


def _check_name(text: str) -> None:
    if text.count("=") > 2 or any(group.count("^") > 4 for group in text.split("=")):
        raise Misuse("patient name has too many components", "FAMILY^GIVEN^MIDDLE^PREFIX^SUFFIX")


def _name_groups(text: str) -> dict[str, str]:
    groups = zip(("Alphabetic", "Ideographic", "Phonetic"), text.split("="), strict=False)
    return {name: group for name, group in groups if group}


def _is_date(text: str) -> bool:
    try:
        dt.datetime.strptime(text, "%Y%m%d")
    except ValueError:
        return False
    return len(text) == 8
