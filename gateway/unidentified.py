"""An identity for a patient whom nobody can name yet, by the pattern of the site: its settings, and the generator.

It must never be given twice. ``{random}`` cannot be, as far as chance goes (32 bits beside the second); ``{number}`` is
counted on the disk, and the count is there before the identity is used, so that a power cut leaves a number out and
repeats none. A reconciled identity is not given again either.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import time
from dataclasses import dataclass

from gateway import fields, fsops
from gateway.errors import Held
from gateway.fields import setting
from gateway.places import Places
from gateway.step import Item

_FIELDS = ("{box}", "{date}", "{time}", "{number}", "{random}")
_TEXT = r"(?:[^\x00-\x1f\\{}]|\{box\}|\{date\}|\{time\}|\{number\}|\{random\})"
LONGEST_ID, LONGEST_NAME = 64, 64  # LO, and one component group of PN


@dataclass(frozen=True, slots=True)
class Emergency:
    """The identity of a patient whom nobody can name yet; {box} is this box's AE title, {number} is counted."""

    patient_id: str = setting(
        "EMERGENCY-{date}{time}-{random}",
        fields.text(
            40,
            rf"{_TEXT}*\{{(?:number|random)\}}{_TEXT}*",
            "text with {number} or {random} in it, and perhaps {box}, {date}, {time}; at most 40 characters",
        ),
        "Patient ID: no other box may make the same; with {number}, put {box} beside it",
    )
    patient_name: str = setting(
        "UNIDENTIFIED^{date}{time}",
        fields.text(40, rf"{_TEXT}+", "FAMILY^GIVEN, with the same fields; at most 40 characters"),
        "Patient's Name",
    )


def generate(here: Places, ae_title: str, pattern: Emergency) -> Item:
    """A new identity, as DICOM JSON. Raises Held if the count cannot be kept: then nothing begins under it."""
    wanted = f"{pattern.patient_id}{pattern.patient_name}"
    number = _next(here) if "{number}" in wanted else 0
    values = (ae_title, time.strftime("%Y%m%d"), time.strftime("%H%M%S"), f"{number:06}", secrets.token_hex(4))

    def filled(text: str) -> str:
        given = dict(zip(_FIELDS, values, strict=True))
        return re.sub(r"\{[a-z]+\}", lambda found: given[found[0]], text)

    name = {"vr": "PN", "Value": [{"Alphabetic": filled(pattern.patient_name)[:LONGEST_NAME]}]}
    return {"00100010": name, "00100020": {"vr": "LO", "Value": [filled(pattern.patient_id)]}}


def _next(here: Places) -> int:
    """The next number, on the disk before it is used."""
    path = here.data / "unidentified.json"
    try:
        fsops.make_folder(here.data)
        descriptor = os.open(here.data / ".unidentified.lock", os.O_RDWR | os.O_CREAT, fsops.FILE_MODE)
    except OSError as error:
        raise Held(f"no identity can be made: {here.data} takes no file ({error.strerror})", "make room") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        number = 1 + (int(json.loads(path.read_bytes())["number"]) if path.exists() else 0)
        fsops.write_json(path, {"version": 1, "number": number})
        return number
    except (OSError, ValueError, KeyError, TypeError) as error:
        fix = 'write {"version": 1, "number": N} with the last number given into it, or use {random}'
        raise Held(f"no identity can be made: {path} cannot be read or written ({error})", fix) from error
    finally:
        os.close(descriptor)
