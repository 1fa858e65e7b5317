"""Files beside a recording that a person reads or decides: held.json (why it waits), attributed.json (whose it is).

They lie beside the data, not in the ledger, so that deleting the ledger forgets no reason and no decision.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway import fsops
from gateway.acquire.recorder import read_facts
from gateway.errors import Held
from gateway.model import Facts, from_json, to_json
from gateway.places import FACTS, HELD
from gateway.spool import layout

ATTRIBUTED = "attributed.json"
# Reasons that end by themselves: somebody attributes the exam, the clock becomes trusted.
UNATTRIBUTED = "unattributed"
CLOCK = "clock"
# Reasons that need a person's release.
REFUSED = "refused"
DEFECT = "defect"
PERSON = "person"
DOUBT = "doubt"  # spool.doubts
ENDS_BY_ITSELF = frozenset({UNATTRIBUTED, CLOCK})


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a recording is held. ``kind`` is one of the words above."""

    kind: str
    words: str
    fix: str
    since: float  # wall clock
    version: int = 1

    def __str__(self) -> str:
        return f"{self.words}; {self.fix}" if self.fix else self.words


def hold(folder: Path, reason: Reason) -> None:
    """Hold the recording in ``folder``; the reason is on the medium afterwards."""
    fsops.write_json(folder / HELD, to_json(reason))


def reason(folder: Path) -> Reason | None:
    """Why it is held, if it is. A file that cannot be read holds too: that is the safe side."""
    try:
        return from_json(Reason, json.loads((folder / HELD).read_bytes()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        return Reason(DEFECT, f"{HELD} cannot be read ({error})", "gateway queue release, when it may go on", 0.0)


def release(folder: Path) -> None:
    fsops.unlink(folder / HELD)


def facts(folder: Path) -> Facts | None:
    """The recording's facts; None if there are none (yet). Raises Held for damage or a newer format."""
    return read_facts(folder) if (folder / FACTS).exists() else None


def attribute(folder: Path, exam: str) -> None:
    """Say to which exam a recording belongs that was made outside any, or in one whose file is lost.

    The caller has a person's word, and wrote down which exam the recording named before.
    """
    recorded = facts(folder)
    if recorded is not None and recorded.exam is not None:
        fsops.write_json(folder / FACTS, to_json(dataclasses.replace(recorded, exam=exam)))
    else:
        fsops.write_json(folder / ATTRIBUTED, {"version": 1, "exam": exam})


def correct(folder: Path, exam: str, before: str) -> None:
    """Say that a recording belongs to another exam than the one it had been taken for.

    The caller has a person's word and wrote it down, and sees to it that nobody is offered what was made before.
    """
    recorded = facts(folder)
    earlier = _attributed(folder).get("before", []) if recorded is not None else []
    fsops.write_json(folder / ATTRIBUTED, {"version": 1, "exam": exam, "before": [*earlier, before]})


def exam_of(folder: Path, recorded: Facts) -> str | None:
    """The exam a person gave it to when it had been taken for another's; else the one it was recorded in; else the one
    that it was given to since it had none. Raises Held if the file that says so is damaged."""
    given = _attributed(folder)
    if recorded.exam is not None and not given.get("before"):
        return recorded.exam
    return given.get("exam")


def corrected(folder: Path) -> str:
    """The exam that it was given to when it had been another's; "" if that never happened, or if nobody can say."""
    try:
        given = _attributed(folder)
    except Held:
        return ""
    return str(given["exam"]) if given.get("before") else ""


def exam_of_folder(folder: Path, recorded: Facts, wrapping: str) -> str:
    """The exam that one wrapping of the recording was made for, by its folder's name; "" for what is of none."""
    if layout.is_rejection(wrapping):
        return ""
    earlier = _attributed(folder).get("before", [])
    return layout.exam_in(wrapping) or (str(earlier[0]) if earlier else exam_of(folder, recorded) or "")


def _attributed(folder: Path) -> dict[str, Any]:
    path = folder / ATTRIBUTED
    try:
        found = json.loads(path.read_bytes())
        return {"exam": str(found["exam"]), "before": [str(name) for name in found.get("before", [])]}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Held(f"{path} is damaged ({error})", "attribute the recording again") from error


def exam_if_known(folder: Path, recorded: Facts) -> str:
    """Like :func:`exam_of`, for a list: "" if it is nobody's, or if nobody can say."""
    try:
        return exam_of(folder, recorded) or ""
    except Held:
        return ""
