"""Who the patient is, as a person says it on the command line or the page: checked, then as DICOM JSON."""

from __future__ import annotations

import argparse
import datetime as dt
import re
import time
from collections.abc import Sequence
from typing import NamedTuple

from gateway import matching
from gateway.errors import Held, Misuse
from gateway.model import Attributed
from gateway.places import Places
from gateway.settings import Settings
from gateway.step import Item, ScheduledStep, value
from gateway.unidentified import generate
from gateway.worklists import cached_worklists, choices

PATIENT_FIELDS = {
    # field: (tag, VR, longest); PS3.5 table 6.2-1
    "patient_id": ("00100020", "LO", 64),
    "patient_name": ("00100010", "PN", 64),
    "birth_date": ("00100030", "DA", 8),
    "sex": ("00100040", "CS", 1),
    "accession_number": ("00080050", "SH", 16),
}


# What several steps of one exam must agree on: Patient ID and its issuer, name, birth date, sex.
PATIENT = ("00100020", "00100021", "00100010", "00100030", "00100040")


class Identity(NamedTuple):
    """Whose an exam is: the arguments of exam.open_exam and exam.attribute that say so."""

    how: Attributed
    item: Item
    source: str = ""  # name of the RIS
    more: tuple[Item, ...] = ()  # further steps that one exam is for (group case)


def arguments(parser: argparse.ArgumentParser) -> None:
    """The ways to say whose the recording is."""
    parser.add_argument(
        "--step",
        metavar="SPS_ID",
        action="append",
        help="scheduled procedure step from the worklist; again for each further one that the same exam is for",
    )
    parser.add_argument("--ris", metavar="NAME", help="whose worklist, where two RIS have steps of the same ID")
    parser.add_argument("--barcode", metavar="TEXT", help="what a scanner read: the one step that it fits is chosen")
    parser.add_argument("--patient-id", metavar="ID", help="unscheduled: Patient ID")
    parser.add_argument("--patient-name", metavar="NAME", help="unscheduled: name as FAMILY^GIVEN")
    parser.add_argument("--birth-date", metavar="YYYYMMDD")
    parser.add_argument("--sex", choices=("M", "F", "O"))
    parser.add_argument("--accession-number", metavar="N")
    parser.add_argument("--emergency", action="store_true", help="no identity yet: one is generated")


def from_arguments(settings: Settings, args: argparse.Namespace) -> Identity | None:
    """The identity that the arguments name, or None if they name none."""
    patient = {field: found for field in PATIENT_FIELDS if (found := getattr(args, field, None))}
    ways = [bool(args.step), bool(args.barcode), bool(patient), args.emergency]
    if sum(ways) > 1:
        raise Misuse("--step, --barcode, --patient-... and --emergency exclude each other", "say one of them")
    if args.barcode:
        return scanned(settings.places, args.barcode)
    return identify(settings, args.step, patient or None, args.emergency, ris=args.ris) if any(ways) else None


def identify(
    settings: Settings,
    steps: str | Sequence[str] | None = None,
    patient: dict[str, str] | None = None,
    emergency: bool = False,
    seen: dict[str, str] | None = None,
    ris: str | None = None,
) -> Identity:
    """The identity for an exam, as DICOM JSON. Raises Misuse or Held, never guesses."""
    if steps:
        return scheduled(settings.places, [steps] if isinstance(steps, str) else list(steps), seen, ris)
    if patient:
        return Identity(Attributed.MANUAL, manual(patient))
    if emergency:
        return Identity(Attributed.EMERGENCY, generate(settings.places, settings.box.ae_title, settings.emergency))
    raise Misuse(
        "an exam needs a patient",
        "name one: --step SPS_ID, --barcode, --patient-id and --patient-name, or --emergency",
    )


def scheduled(
    here: Places, step_ids: Sequence[str], seen: dict[str, str] | None = None, ris: str | None = None
) -> Identity:
    """The identity that the cached worklist items with these Scheduled Procedure Step IDs give.

    ``seen`` is what the person chose by: patient_id, study_uid. Raises Held if the step has others now, if two RIS mean
    different steps by one ID, or if several steps are not of one patient and one RIS.
    """
    known = choices(cached_worklists(here.worklist), time.time())
    found = [_the_one(known, step_id, ris) for step_id in dict.fromkeys(step_ids)]
    for name, expected in (seen or {}).items():
        if getattr(found[0], name) != expected:
            words = name.replace("_", " ").replace("uid", "UID")
            raise Held(
                f"the step {found[0].step_id!r} has another {words} than the one that was chosen",
                "the RIS changed its worklist: look at it again and choose anew",
            )
    for step in found:
        _complete(step)
    if len({(s.source, *(value(s.item, tag) for tag in PATIENT)) for s in found}) > 1:
        raise Held("these steps are not of one patient", "an exam is of one patient: start one for each")
    return Identity(Attributed.SCHEDULED, found[0].item, found[0].source, tuple(s.item for s in found[1:]))


def scanned(here: Places, barcode: str) -> Identity:
    """The identity of the one step that a scanned text fits. Raises Held, in words, if it is none or several."""
    fitting = matching.match({"barcode": barcode}, choices(cached_worklists(here.worklist), time.time()), ("barcode",))
    if fitting.step is None:
        raise Held(f"the barcode says not who it is: {fitting.words}", "name the step: gateway worklist, then --step")
    _complete(fitting.step)
    return Identity(Attributed.SCHEDULED, fitting.step.item, fitting.step.source)


def _the_one(known: Sequence[ScheduledStep], step_id: str, ris: str | None) -> ScheduledStep:
    found = [s for s in known if s.step_id == step_id and ris in (None, s.source)]
    if not found:
        of = f" of {ris}" if ris else ""
        raise Misuse(f"the worklist{of} has no step {step_id!r}", "gateway worklist --refresh shows what there is")
    if len({(s.patient_id, s.study_uid) for s in found}) > 1:
        names = sorted({s.source for s in found})
        fix = f"name whose: --ris {' or --ris '.join(names)}" if len(names) > 1 else "ask the RIS administrator"
        raise Held(f"{len(found)} worklist items have the step ID {step_id!r}", fix)
    return found[0]


def _complete(step: ScheduledStep) -> None:
    lacks = [name for name in step.missing if name.startswith("Patient")]
    if lacks:
        words = f"the worklist item {step.step_id!r} lacks {' and '.join(lacks)}"
        raise Held(words, "complete it in the RIS, or enter it")


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
