"""A scheduled procedure step, read from its worklist item without any DICOM library.

The item is kept whole, as DICOM JSON (PS3.18 annex F), in the worklist cache and in the exam that uses it; the
header of an instance is made from the whole item by :mod:`gateway.dicom.mapping`. Here is only what a person
must see to choose, and what must be there to be chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Item = dict[str, Any]

# What the standard calls type 1 in a worklist answer (PS3.4 table K.6-1) and a person would miss.
REQUIRED = {
    "00100010": "Patient's Name",
    "00100020": "Patient ID",
    "0020000D": "Study Instance UID",
    "00400100/00400009": "Scheduled Procedure Step ID",
}


def value(item: Item, path: str) -> str:
    """The first value at ``path`` as text: tags in hexadecimal, first items of sequences by '/'; "" if absent.

    A person name gives its alphabetic, else ideographic, else phonetic component group.
    """
    here: Any = item
    *outer, last = path.split("/")
    for tag in outer:
        values = here.get(tag, {}).get("Value") or [{}]
        here = values[0]
    values = here.get(last, {}).get("Value") or [""]
    found = values[0]
    if isinstance(found, dict):
        groups = [str(found.get(g, "")) for g in ("Alphabetic", "Ideographic", "Phonetic")]
        return next((g for g in groups if g.strip("^ ")), "")
    return "" if found is None else str(found)


@dataclass(frozen=True, slots=True)
class ScheduledStep:
    """One worklist item, with its keys at hand; ``item`` is all that the RIS said."""

    item: Item
    source: str = ""  # name of the RIS in the configuration

    @property
    def step_id(self) -> str:
        return value(self.item, "00400100/00400009")

    @property
    def patient_name(self) -> str:
        return value(self.item, "00100010")

    @property
    def patient_id(self) -> str:
        return value(self.item, "00100020")

    @property
    def birth_date(self) -> str:
        return value(self.item, "00100030")

    @property
    def sex(self) -> str:
        return value(self.item, "00100040")

    @property
    def accession_number(self) -> str:
        return value(self.item, "00080050")

    @property
    def study_uid(self) -> str:
        return value(self.item, "0020000D")

    @property
    def procedure(self) -> str:
        return value(self.item, "00400100/00400007") or value(self.item, "00321060")

    @property
    def modality(self) -> str:
        return value(self.item, "00400100/00080060")

    @property
    def start(self) -> str:
        """Scheduled start as ``YYYYMMDD HHMMSS``."""
        date = value(self.item, "00400100/00400002")
        return f"{date} {value(self.item, '00400100/00400003')[:6]}".strip()

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of required attributes that the RIS left out; shown, never hidden."""
        return tuple(name for path, name in REQUIRED.items() if not value(self.item, path))
