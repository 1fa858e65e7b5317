"""Files beside a recording that a person reads or decides: held.json (why it waits), attributed.json (whose it is).

They lie beside the data, not in the ledger, so that deleting the ledger forgets no reason and no decision.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from gateway import fsops
from gateway.acquire.recorder import read_facts
from gateway.errors import Held
from gateway.model import Facts, from_json, to_json
from gateway.places import FACTS, HELD

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


def exam_of(folder: Path, recorded: Facts) -> str | None:
    """The exam it was recorded in, else the one a person gave it to."""
    if recorded.exam is not None:
        return recorded.exam
    try:
        return str(json.loads((folder / ATTRIBUTED).read_bytes())["exam"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise Held(f"{folder / ATTRIBUTED} is damaged ({error})", "attribute the recording again") from error


def exam_if_known(folder: Path, recorded: Facts) -> str:
    """Like :func:`exam_of`, for a list: "" if it is nobody's, or if nobody can say."""
    try:
        return exam_of(folder, recorded) or ""
    except Held:
        return ""
