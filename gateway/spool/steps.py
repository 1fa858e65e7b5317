"""Rows of performed procedure steps, one per exam and RIS, and what each exam has brought forth."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from gateway.model import InstanceRef
from gateway.spool.ledger import Ledger
from gateway.spool.states import STEP, Acquisition, Step, advance


def done(ledger: Ledger, ris: str) -> frozenset[str]:
    """Exams of which this RIS needs to hear nothing more."""
    rows = ledger.query("SELECT exam FROM steps WHERE ris = ? AND state = ?", ris, Step.DONE)
    return frozenset(r["exam"] for r in rows)


def open_step(ledger: Ledger, exam: str, ris: str, now: float) -> sqlite3.Row:
    """The row of this step, made if it is new."""
    found = ledger.query("SELECT * FROM steps WHERE exam = ? AND ris = ?", exam, ris)
    if not found:
        with ledger.change() as c:
            c.execute(
                "INSERT INTO steps (exam, ris, state, changed_at) VALUES (?, ?, ?, ?)", (exam, ris, Step.QUEUED, now)
            )
        found = ledger.query("SELECT * FROM steps WHERE exam = ? AND ris = ?", exam, ris)
    return found[0]


def advance_step(ledger: Ledger, exam: str, ris: str, event: str, code: str, words: str, now: float) -> None:
    """ "created" after the N-CREATE, "finished" after the final N-SET."""
    with ledger.change() as c:
        row = c.execute("SELECT state FROM steps WHERE exam = ? AND ris = ?", (exam, ris)).fetchone()
        c.execute(
            "UPDATE steps SET state = ?, attempts = 0, next_try = 0, held = NULL, code = ?, words = ?,"
            " changed_at = ?"
            " WHERE exam = ? AND ris = ?",
            (advance(STEP, Step(row["state"]), event), code, words, now, exam, ris),
        )


def postpone_step(ledger: Ledger, exam: str, ris: str, until: float, words: str, now: float) -> None:
    with ledger.change() as c:
        c.execute(
            "UPDATE steps SET attempts = attempts + 1, next_try = ?, words = ?, changed_at = ?"
            " WHERE exam = ? AND ris = ?",
            (until, words, now, exam, ris),
        )


def note_code(ledger: Ledger, exam: str, ris: str, code: str) -> None:
    """Note the last status, or that a message is on its way whose answer may never be heard."""
    with ledger.change() as c:
        c.execute("UPDATE steps SET code = ? WHERE exam = ? AND ris = ?", (code, exam, ris))


def hold_step(ledger: Ledger, exam: str, ris: str, words: str | None, now: float) -> None:
    """Hold the step for a person, or (None) release it."""
    with ledger.change() as c:
        c.execute(
            "UPDATE steps SET held = ?, words = coalesce(?, words), next_try = 0, changed_at = ?"
            " WHERE exam = ? AND ris = ?",
            (words, words, now, exam, ris),
        )


def resting(ledger: Ledger, ris: str, now: float, most: float) -> frozenset[str]:
    """Exams whose step is held, or tried again only later; a time further away than ``most`` is a clock set back."""
    rows = ledger.query(
        "SELECT exam FROM steps WHERE ris = ? AND (held IS NOT NULL OR next_try > ? AND next_try <= ?)",
        *(ris, now, now + most),
    )
    return frozenset(r["exam"] for r in rows)


def unknown_acquisitions(ledger: Ledger, names: Iterable[str]) -> list[str]:
    """Those of ``names`` of which the ledger does not know whose they are; asked in portions, there may be 100 000.

    What it knows as nobody's may have been given to an exam since: the file that says so comes before the row.
    """
    found, rest = [], iter(names)
    while some := list(itertools.islice(rest, 500)):
        marks = ", ".join("?" * len(some))
        known = ledger.query(
            f"SELECT id FROM acquisitions WHERE id IN ({marks}) AND (exam <> '' OR state = ?)",  # noqa: S608
            *(*some, Acquisition.WRAPPED),
        )
        found += sorted(set(some) - {r["id"] for r in known})
    return found


def unsettled_acquisitions(ledger: Ledger, exam: str) -> list[str]:
    """Acquisitions of the exam that are neither wrapped nor held: the final N-SET waits for them."""
    rows = ledger.query(
        "SELECT id FROM acquisitions WHERE exam = ? AND state <> ? AND held IS NULL", exam, Acquisition.WRAPPED
    )
    return [r["id"] for r in rows]


def held_acquisitions(ledger: Ledger, exam: str) -> list[str]:
    """Acquisitions of the exam that are held, and not wrapped."""
    rows = ledger.query(
        "SELECT id FROM acquisitions WHERE exam = ? AND state <> ? AND held IS NOT NULL", exam, Acquisition.WRAPPED
    )
    return [r["id"] for r in rows]


def undecided(ledger: Ledger, exam: str, sop_class_uid: str, devices: Iterable[str]) -> bool:
    """Whether a destination has yet to say if it takes this class, which for these devices may be wrapped again."""
    names = tuple(devices)
    marks = ", ".join("?" * len(names))
    found = ledger.query(
        "SELECT 1 FROM instances i JOIN deliveries d ON d.instance = i.uid WHERE i.exam = ? AND i.class = ?"  # noqa: S608
        f" AND i.device IN ({marks}) AND i.corrupt IS NULL AND d.state = 'QUEUED' AND d.held IS NULL"
        " AND d.waived IS NULL AND d.taken_by IS NULL AND d.policy IN ('commitment', 'stored') LIMIT 1",
        *(exam, sop_class_uid, *names),
    )
    return bool(found)


def series(ledger: Ledger, data: Path, exam: str) -> list[tuple[sqlite3.Row, list[InstanceRef]]]:
    """What the exam brought forth: one row that describes each series, with its instances.

    An instance that no destination takes, since another wrapping goes there in its place, is left out.
    """
    rows = ledger.query(
        "SELECT * FROM instances i WHERE exam = ? AND (NOT EXISTS (SELECT 1 FROM deliveries d"
        " WHERE d.instance = i.uid AND d.superseded_by IS NOT NULL) OR EXISTS (SELECT 1 FROM deliveries d"
        " WHERE d.instance = i.uid AND d.superseded_by IS NULL AND d.taken_by IS NULL AND d.policy <> 'copy'))"
        " ORDER BY series_uid, wrapped_at, uid",
        exam,
    )
    found: dict[str, tuple[sqlite3.Row, list[InstanceRef]]] = {}
    for r in rows:
        reference = InstanceRef(r["class"], r["uid"], r["syntax"], str(data / r["path"]), r["size"])
        found.setdefault(r["series_uid"], (r, []))[1].append(reference)
    return list(found.values())
