"""``gateway worklist``: what the RIS has scheduled, with the age of the answer and what an item lacks."""

from __future__ import annotations

import argparse
import time

from gateway import configuration
from gateway.errors import Misuse
from gateway.settings import Settings
from gateway.step import ScheduledStep, Worklist, cached_worklists, keep_worklist
from gateway.transfer import peers, worklist
from gateway.verbs import tell


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--refresh", action="store_true", help="ask the RIS now")
    parser.add_argument("--patient", metavar="ID", help="only this Patient ID")
    parser.add_argument("--accession", metavar="N", help="only this Accession Number")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    settings = configuration.load(args.config, adapters=False)
    if args.refresh:
        refresh(settings)
    lists = list(cached_worklists(settings.places.worklist))
    if args.json:
        tell.as_json({"worklists": [_as_json(w, args) for w in lists]})
        return 0
    if not lists:
        tell.note("no worklist yet: gateway worklist --refresh asks the RIS")
    for found in lists:
        tell.note(f"{found.source}: {tell.age(time.time() - found.fetched)} old")
        rows = [_row(step) for step in found.steps if _wanted(step, args)]
        tell.table(("STEP", "START", "PATIENT ID", "NAME", "BORN", "PROCEDURE", "LACKS"), rows)
    return 0


def refresh(settings: Settings) -> None:
    """Ask every RIS that has a worklist, and keep the answers. Raises Retry naming the RIS that does not answer."""
    asked = [ris for ris in settings.ris if ris.worklist]
    if not asked:
        raise Misuse("no RIS with a worklist is configured", "add a [[ris]] section")
    for ris in asked:
        steps = worklist.query(peers.ris(settings.box, ris), **worklist.broad(settings.box, ris))
        keep_worklist(settings.places.worklist, Worklist(ris.name, time.time(), steps))


def _wanted(step: ScheduledStep, args: argparse.Namespace) -> bool:
    same_patient = args.patient in (None, step.patient_id)
    return same_patient and args.accession in (None, step.accession_number)


def _row(step: ScheduledStep) -> tuple[str, ...]:
    lacks = ", ".join(step.missing)
    named = (step.patient_id, step.patient_name, step.birth_date)
    return (step.step_id or "?", step.start, *named, step.procedure, lacks)


def _as_json(found: Worklist, args: argparse.Namespace) -> dict[str, object]:
    steps = [
        {
            "step_id": s.step_id,
            "start": s.start,
            "patient_id": s.patient_id,
            "patient_name": s.patient_name,
            "birth_date": s.birth_date,
            "accession_number": s.accession_number,
            "procedure": s.procedure,
            "missing": list(s.missing),
            "item": s.item,
        }
        for s in found.steps
        if _wanted(s, args)
    ]
    return {"source": found.source, "fetched": found.fetched, "steps": steps}
