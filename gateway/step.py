"""A scheduled procedure step, read from its worklist item without any DICOM library.

The item is kept whole, as DICOM JSON (PS3.18 annex F), in the worklist cache and in the exam that uses it; the
header of an instance is made from the whole item by :mod:`gateway.dicom.mapping`. Here is only what a person
must see to choose, and what must be there to be chosen.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway import fsops
from gateway.errors import Held

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


@dataclass(frozen=True, slots=True)
class Worklist:
    """The last answer of one RIS."""

    source: str  # name of the RIS in the configuration
    fetched: float  # wall clock, seconds since the epoch
    steps: tuple[ScheduledStep, ...]


def keep_worklist(folder: Path, worklist: Worklist) -> None:
    """Replace the cached answer of ``worklist.source``, durably."""
    fsops.make_folder(folder)
    data = {"version": 1, "source": worklist.source, "fetched": worklist.fetched}
    fsops.write_json(folder / f"{worklist.source}.json", data | {"items": [s.item for s in worklist.steps]})


def cached_worklists(folder: Path) -> Iterable[Worklist]:
    """The cached answers of all RIS. Raises Held for a file that is damaged or of a newer format."""
    for path in sorted(folder.glob("*.json")):
        try:
            data = json.loads(path.read_bytes())
            if data["version"] > 1:
                raise Held(f"{path} has format version {data['version']}, newer than 1", "upgrade the gateway")
            steps = tuple(ScheduledStep(item) for item in data["items"])
            yield Worklist(data["source"], float(data["fetched"]), steps)
        except (ValueError, KeyError, TypeError) as error:
            raise Held(f"{path} is damaged ({error})", "delete it and run 'gateway worklist --refresh'") from error
