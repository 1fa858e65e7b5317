"""The cached worklists: what each RIS answered last, on the disk, so that it is there when the network is not.

Two answers are kept of each RIS: the one for this station and day, and the last one to a question for a patient. They
are written and read one item at a time, so that a RIS with thousands of steps costs no memory::

    worklist/NAME.json          {"version", "source", "fetched", "asked"}
    worklist/NAME.asked.json    an item, as DICOM JSON (PS3.18 F)      as many lines as there are items
                                {"items": how many, "more": whether the RIS had more than were taken}

An answer without its last line is damaged. One of version 1 was a single JSON object.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway import fsops
from gateway.errors import Held
from gateway.step import ScheduledStep

VERSION = 2
ASKED_LASTS = 43200.0  # seconds; what was found for a patient longer ago is asked for again, not chosen from
_ASKED = ".asked"
_END = "items"  # its key in the last line; an item's keys are tags


@dataclass(frozen=True, slots=True)
class Worklist:
    """One answer of one RIS. ``steps`` may be an iterator while it is being kept; what is read has a tuple."""

    source: str  # name of the RIS in the configuration
    fetched: float  # wall clock, seconds since the epoch
    steps: Iterable[ScheduledStep]
    asked: dict[str, str] = field(default_factory=dict)  # the patient that was asked for; empty: this station's day
    more: bool = False  # the RIS had more than were taken


def keep_worklist(folder: Path, worklist: Worklist, most: int = 0) -> int:
    """Replace the cached answer of ``worklist.source``, durably; returns the number of items.

    The old answer stays if an item cannot be had. ``most``: so many are all that were taken, and there may be more.
    """
    fsops.make_folder(folder)
    head = {"version": VERSION, "source": worklist.source, "fetched": worklist.fetched, "asked": worklist.asked}
    count = 0
    with fsops.new_file(_path(folder, worklist.source, bool(worklist.asked))) as stream:
        stream.write(_line(head))
        for step in worklist.steps:
            stream.write(_line(step.item))
            count += 1
        stream.write(_line({_END: count, "more": worklist.more or 0 < most <= count}))
    return count


def cached_worklists(folder: Path) -> Iterator[Worklist]:
    """The cached answers of all RIS. Raises Held for a file that is damaged or of a newer format."""
    for path in sorted(folder.glob("[!.]*.json")):
        head, *lines = _lines(path)
        steps = tuple(ScheduledStep(item, head["source"]) for item in lines if _END not in item)
        more = bool(lines) and bool(lines[-1].get("more"))
        yield Worklist(head["source"], float(head["fetched"]), steps, head.get("asked", {}), more)


def steps_of(folder: Path, source: str) -> Iterator[ScheduledStep]:
    """The items of the broad answer of one RIS, one in memory at a time. Raises Held as :func:`cached_worklists`."""
    lines = _lines(_path(folder, source, False))
    next(lines)
    yield from (ScheduledStep(item, source) for item in lines if _END not in item)


def choices(lists: Iterable[Worklist], now: float) -> list[ScheduledStep]:
    """What a person may choose from: each step of each RIS once, as its newest answer has it.

    An answer about a patient that is too old is passed over: nobody can say whether it is still true.
    """
    found: list[ScheduledStep] = []
    newer: set[tuple[str, ...]] = set()
    for answer in sorted(lists, key=lambda one: -one.fetched):
        if not answer.asked or now - answer.fetched < ASKED_LASTS:
            fresh = [step for step in answer.steps if _key(step) not in newer]
            newer |= {_key(step) for step in fresh}
            found += fresh
    return found


def _key(step: ScheduledStep) -> tuple[str, ...]:
    """What tells two steps of one RIS apart; an item without an ID is told by what else it has."""
    other = () if step.step_id else (step.study_uid, step.accession_number, step.patient_id, step.start)
    return (step.source, step.step_id, *other)


def _path(folder: Path, source: str, asked: bool) -> Path:
    return folder / f"{source}{_ASKED if asked else ''}.json"


def _line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """The head, the items, the end. Raises Held, at the head or where it breaks off, for what is not whole."""
    try:
        with path.open("rb") as stream:
            first = stream.readline()
            if first.strip() == b"{":  # version 1
                head = json.loads(first + stream.read())
                yield {name: head[name] for name in ("version", "source", "fetched")}
                yield from head["items"]
                return
            head = json.loads(first)
            if head["version"] > VERSION:
                raise Held(f"{path} has format version {head['version']}, newer than {VERSION}", "upgrade the gateway")
            yield {"version": head["version"], "source": head["source"], "fetched": head["fetched"]} | head
            for count, line in enumerate(stream):
                item = json.loads(line)
                yield item
                if _END in item:
                    if item[_END] != count:
                        raise ValueError(f"{count} of {item[_END]} items")
                    return
            raise ValueError("its end is missing")
    except (ValueError, KeyError, TypeError) as error:
        raise Held(f"{path} is damaged ({error})", "delete it and run 'gateway worklist --refresh'") from error
