"""Rows of acquisitions and instances: taking them up, finding them, purging them, their flags."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.spool import marks
from gateway.spool.layout import Described
from gateway.spool.ledger import Ledger
from gateway.spool.states import ACQUISITION, DELIVERY, INSTANCE, Acquisition, Delivery, Instance, Rank, advance


@dataclass(frozen=True, slots=True)
class Origin:
    """Where instances come from: one wrapping (``folder``) of one acquisition."""

    folder: str  # name below instances/
    acquisition: str
    exam: str
    device: str
    test: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """One destination of an instance, and what it must do before the box may forget. Fixed when it is wrapped."""

    destination: str
    policy: str
    may_be_there: bool = False  # it is asked for its commitment before anything is sent
    held: str | None = None  # why a person must say first whether it goes there
    rank: Rank = Rank.ROUTINE
    taken_by: str | None = None  # the stand-in that has it in place of this destination
    stands_in_for: str | None = None  # the destination in whose place this one gets it


Choose = Callable[[Described], Iterable[Wanted]]


def of_import(wanted: Iterable[Wanted]) -> tuple[Wanted, ...]:
    """Where that has to go which a medium brought back: to each PACS, which may have it; not to a medium again."""
    return tuple(
        replace(w, may_be_there=w.policy == "commitment") for w in wanted if w.policy in ("commitment", "stored")
    )


def see(ledger: Ledger, folder: Path, exam: str, device: str, test: bool) -> Acquisition:
    """Make sure the acquisition in ``folder`` has a row; returns its state.

    One that a person discards in this moment gets none: its folder goes before its row does (spool.leftovers).
    """
    with ledger.change() as c:
        if folder.exists():
            c.execute(
                "INSERT INTO acquisitions (id, exam, device, test, state) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET exam = excluded.exam",
                (folder.name, exam, device, test, Acquisition.RECORDING),
            )
        return _acquisition_state(c, folder.name)


def ended(ledger: Ledger, acquisition: str, interrupted: bool) -> None:
    """The record file has its END. A repetition changes nothing."""
    with ledger.change() as c:
        if (state := _acquisition_state(c, acquisition)) is Acquisition.RECORDING:
            state = advance(ACQUISITION, state, "cut off" if interrupted else "ended")
            c.execute(
                "UPDATE acquisitions SET state = ?, interrupted = ? WHERE id = ?", (state, interrupted, acquisition)
            )


def hold_acquisition(ledger: Ledger, acquisition: str, words: str | None) -> None:
    """Note why a person must look (None: no longer); the file held.json beside the data is the truth."""
    with ledger.change() as c:
        c.execute("UPDATE acquisitions SET held = ? WHERE id = ?", (words, acquisition))


def attribute(ledger: Ledger, acquisition: str, exam: str) -> None:
    """Note whose it is, and that it is not held for want of that; said before its folder's held.json goes."""
    with ledger.change() as c:
        c.execute("UPDATE acquisitions SET exam = ?, held = NULL WHERE id = ?", (exam, acquisition))


def add(
    ledger: Ledger,
    origin: Origin,
    found: Sequence[tuple[Described, str | None]],
    wanted: Sequence[Wanted] | Choose,
    now: float,
) -> None:
    """Take up all instances of one wrapping with their SHA-256 (None: computed later), queued to ``wanted``: the same
    for all, or chosen for each.

    Idempotent: what is known already stays as it is.
    """
    with ledger.change() as c:
        insert(c, origin, found, wanted, now)
        state = _acquisition_state(c, origin.acquisition)
        if state is Acquisition.KEPT:
            state = advance(ACQUISITION, state, "wrapped")
            c.execute("UPDATE acquisitions SET state = ?, held = NULL WHERE id = ?", (state, origin.acquisition))


def insert(
    c: sqlite3.Connection,
    origin: Origin,
    found: Sequence[tuple[Described, str | None]],
    wanted: Sequence[Wanted] | Choose,
    now: float,
) -> None:
    """The rows of :func:`add`, inside a transaction that has more to say; held or waived if that lies beside them."""
    for one, sha256 in found:
        c.execute(
            "INSERT OR IGNORE INTO instances (uid, class, syntax, path, size, sha256, folder, acquisition,"
            " exam, device, series_uid, series_description, protocol_name, modality, test, wrapped_at, state)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(one.uid, one.sop_class, one.syntax, one.path, one.size, sha256),
                *(origin.folder, origin.acquisition, origin.exam, origin.device),
                *(one.series_uid, one.series_description, one.protocol_name, one.modality),
                *(origin.test, now, Instance.SPOOLED),
            ),
        )
        queue(c, one, wanted(one) if callable(wanted) else wanted, now)


def queue(c: sqlite3.Connection, one: Described, wanted: Iterable[Wanted], now: float) -> None:
    """Queue an instance to ``wanted``; what is queued already stays as it is. Notes whether it goes anywhere at all."""
    c.executemany(
        "INSERT OR IGNORE INTO deliveries (instance, destination, policy, state, held, words, rank, taken_by,"
        " stands_in_for, queued_at, changed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                *(one.uid, w.destination, w.policy, _begins(w), w.held, w.held or ""),
                *(w.rank, w.taken_by, w.stands_in_for, now, now),
            )
            for w in wanted
        ],
    )
    # A further wrapping goes only where the first is refused: that it has no destination of its own is no news.
    c.execute(
        "UPDATE instances SET unrouted = NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.instance = uid AND"
        " d.policy <> 'copy') WHERE uid = ? AND folder = acquisition",
        (one.uid,),
    )
    _mark(c, one.uid, one.marks)


def _begins(wanted: Wanted) -> Delivery:
    return advance(DELIVERY, Delivery.QUEUED, "may be there") if wanted.may_be_there else Delivery.QUEUED


def _mark(c: sqlite3.Connection, uid: str, found: Mapping[str, marks.Mark]) -> None:
    """Hold or waive what is held or waived beside the instance; what names a destination counts more."""
    for name, mark in sorted(found.items(), key=lambda one: one[0] != marks.EVERY):
        c.execute(
            "UPDATE deliveries SET held = ?, waived = ?, code = ?, words = coalesce(?, ?, '')"
            " WHERE instance = ? AND ? IN (destination, ?)",
            (mark.held, mark.waived, mark.code, mark.held, mark.waived, uid, name, marks.EVERY),
        )


def instance(ledger: Ledger, uid: str) -> sqlite3.Row | None:
    found = ledger.query("SELECT * FROM instances WHERE uid = ?", uid)
    return found[0] if found else None


def advance_instance(ledger: Ledger, uid: str, event: str) -> None:
    """One step of the instance's own states: "purge", "unlinked"."""
    with ledger.change() as c:
        row = c.execute("SELECT state FROM instances WHERE uid = ?", (uid,)).fetchone()
        c.execute(
            "UPDATE instances SET state = ? WHERE uid = ?", (advance(INSTANCE, Instance(row["state"]), event), uid)
        )


def mark_corrupt(ledger: Ledger, uid: str, words: str) -> None:
    """Never sent again, never deleted: a person must look."""
    with ledger.change() as c:
        c.execute("UPDATE instances SET corrupt = coalesce(corrupt, ?) WHERE uid = ?", (words, uid))


def mark_whole(ledger: Ledger, uid: str, now: float) -> None:
    """The file is again what was written: it goes on where it stood."""
    with ledger.change() as c:
        c.execute("UPDATE instances SET corrupt = NULL, checked_at = ? WHERE uid = ?", (now, uid))


def checked(ledger: Ledger, good: Mapping[str, str], now: float) -> None:
    """These files (UID -> SHA-256) were read and are what was written; those without a hash have one from now on."""
    with ledger.change() as c:
        c.executemany(
            "UPDATE instances SET checked_at = ?, sha256 = coalesce(sha256, ?) WHERE uid = ?",
            [(now, sha256, uid) for uid, sha256 in good.items()],
        )


def mark_discarded(ledger: Ledger, uid: str) -> None:
    """A person gave up a test recording: it may be purged without any destination."""
    with ledger.change() as c:
        c.execute("UPDATE instances SET discarded = 1 WHERE uid = ?", (uid,))


def keep_hash(ledger: Ledger, uid: str, sha256: str) -> None:
    with ledger.change() as c:
        c.execute("UPDATE instances SET sha256 = coalesce(sha256, ?) WHERE uid = ?", (sha256, uid))


def _acquisition_state(c: sqlite3.Connection, acquisition: str) -> Acquisition:
    row = c.execute("SELECT state FROM acquisitions WHERE id = ?", (acquisition,)).fetchone()
    return Acquisition(row["state"]) if row else Acquisition.RECORDING
