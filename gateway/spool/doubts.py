"""Why a recording may not be its exam's patient's: the device named another, or the RIS changed the step meanwhile.

What is in doubt is held until a person has looked. Who releases it says: it is this exam's all the same; that is kept
beside the recording, so that neither a restart nor the loss of the ledger asks again. A new doubt is asked about anew::

    acquisitions/ID/confirmed.json     {"version": 1, "exam": EXAM, "doubts": what the person had before them}
"""

from __future__ import annotations

import json
from pathlib import Path

from gateway import fsops
from gateway.errors import Held
from gateway.exam import changed
from gateway.matching import IDENTIFIERS, contradicted
from gateway.model import Attributed, Exam
from gateway.places import IDENTIFIED, Places

CONFIRMED = "confirmed.json"


def said(folder: Path) -> dict[str, list[str]]:
    """What the device said of patient and order, by kind of identifier. Raises Held if that cannot be read."""
    path = folder / IDENTIFIED
    try:
        data = json.loads(path.read_bytes())
        if data["version"] > 1:
            raise Held(f"{path} has format version {data['version']}, newer than 1", "upgrade the gateway")
        found: dict[str, list[str]] = {}
        for kind, text in data["said"]:
            if kind not in IDENTIFIERS:
                raise ValueError("an unknown kind of identifier")
            found.setdefault(kind, []).append(str(text))
        return found
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError) as error:
        raise Held(f"{path} cannot be read ({error})", "attribute the recording: gateway exam attribute") from error


def about(here: Places, folder: Path, whose: Exam) -> str:
    """In words, without any identifier, why it may not be this exam's patient's; "" if nothing speaks against it.

    Raises Held as :func:`said` does.
    """
    found = tuple(_doubts(here, folder, whose))
    return "" if not found or set(found) <= _confirmed(folder, whose.exam) else "; ".join(found)


def confirm(here: Places, folder: Path, whose: Exam) -> None:
    """A person looked, and the recording is this exam's all the same. The caller wrote down who it was."""
    found = sorted(_doubts(here, folder, whose))
    if found:
        fsops.write_json(folder / CONFIRMED, {"version": 1, "exam": whose.exam, "doubts": found})


def _doubts(here: Places, folder: Path, whose: Exam) -> list[str]:
    found = []
    if whose.attribution.how is not Attributed.NOBODY:
        other = contradicted(said(folder), whose.attribution.items)
        if other:
            found.append(f"the device named another {' and '.join(other).replace('_', ' ')} than exam {whose.exam} has")
    if what := changed(here, whose.exam):
        found.append(f"the RIS changed {' and '.join(what)} of the step while exam {whose.exam} was open")
    return found


def _confirmed(folder: Path, exam: str) -> set[str]:
    try:
        data = json.loads((folder / CONFIRMED).read_bytes())
        return set(data["doubts"]) if data["exam"] == exam else set()
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return set()
