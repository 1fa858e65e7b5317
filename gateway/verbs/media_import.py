"""``gateway media import DIR``: what a medium has and this box lacks goes into the spool, once.

Given again, it goes on where it was stopped. Patients are counted, never named.
"""

from __future__ import annotations

import argparse
import getpass
import time
from typing import Any

from gateway import configuration, local
from gateway.errors import Retry
from gateway.settings import Settings
from gateway.spool import imports
from gateway.transfer.importing import Imported, Importer
from gateway.transfer.media import reading
from gateway.transfer.media.walking import shown
from gateway.verbs import tell

_MOST_SAID = 20  # lines of each kind


def run(args: argparse.Namespace) -> int:
    """0; 1 if something is damaged and left out; 4 if something waits for a person; 3 if forward or medium is away."""
    settings = configuration.load(args.config, adapters=False)
    line = _Line()
    done = _import(args, settings, line)
    if args.json:
        tell.as_json(_as_json(done, args.dry_run))
    else:
        line.done(f"{done.medium.root}: {done.medium.how}: {len(done.medium.instances)} instances")
        for text in _lines(done, args.dry_run):
            print(text)
    if done.left_out:
        return 1
    return 4 if done.held or done.other else 0


def _import(args: argparse.Namespace, settings: Settings, line: _Line) -> Imported:
    here = settings.places

    def ask(request: dict[str, Any]) -> dict[str, Any]:
        return local.ask(here.socket("forward"), request, timeout=60)

    ask({"do": "import-known", "instances": []})  # before a long look at a slow stick
    with imports.claimed(here):
        try:
            medium = reading.read(args.folder, here.media, lambda n: line.show(f"{n} files of {args.folder} looked at"))
        except OSError as error:
            words = f"the medium at {args.folder} cannot be read ({error.strerror})"
            raise Retry(words, "plug it in again, or try another reader") from error
        return Importer(settings, ask, getpass.getuser(), line.show, args.release, args.dry_run).run(medium)


class _Line:
    """Progress on standard error, for what takes longer than a second, once a second."""

    def __init__(self) -> None:
        self._progress = tell.Progress()
        self._next = time.monotonic() + 1.0

    def show(self, text: str) -> None:
        if text and time.monotonic() >= self._next:
            self._progress.show(text)
            self._next = time.monotonic() + 1.0

    def done(self, text: str) -> None:
        self._progress.done(text)


def _lines(done: Imported, dry: bool) -> list[str]:
    found = []
    if done.taken:
        would = "would be imported" if dry else "imported"
        found.append(f"{done.taken} {would}, of {len(done.patients)} patients")
    if done.known:
        found.append(f"{done.known} known here already")
    if done.held:
        fix = "--release when you give it" if dry else f"gateway queue release {done.name}"
        words = "check that their patients belong here, then"
        found.append(f"{done.held} of them held, since no gateway of this institution made them: {words} {fix}")
    if done.medium.others:
        found.append(f"{done.medium.others} other files are no DICOM")
    for title, rows in (
        ("left out, damaged", done.left_out),
        ("left out, another object", done.other),
        ("imported, but not by the standard's tables", done.findings),
    ):
        found += _some(title, rows)
    return found or ["nothing to import"]


def _some(title: str, rows: list[tuple[str, str]]) -> list[str]:
    found = [f"{title}: {shown(file_id)}: {words}" for file_id, words in rows[:_MOST_SAID]]
    return [*found, *([f"{title}: {len(rows) - _MOST_SAID} more (--json names all)"] if len(rows) > _MOST_SAID else [])]


def _as_json(done: Imported, dry: bool) -> dict[str, Any]:
    def rows(some: list[tuple[str, str]]) -> list[dict[str, str]]:
        return [{"file": shown(file_id), "words": words} for file_id, words in some]

    return {
        "medium": str(done.medium.root),
        "how": done.medium.how,
        "file_set_uid": done.medium.file_set_uid,
        "instances": len(done.medium.instances),
        "import": done.name,
        "dry_run": dry,
        "imported": done.taken,
        "held": done.held,
        "patients": len(done.patients),
        "known": done.known,
        "others": done.medium.others,
        "left_out": rows(done.left_out),
        "other_objects": rows(done.other),
        "findings": rows(done.findings),
    }
