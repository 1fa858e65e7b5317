"""``gateway worklist``: what the RIS has scheduled, with the age of the answer and what an item lacks."""

from __future__ import annotations

import argparse
import fnmatch
import time

from gateway import configuration
from gateway.errors import GatewayError, Misuse, Retry
from gateway.settings import Settings
from gateway.step import ScheduledStep, value
from gateway.transfer.ris.worklist_poller import fetch
from gateway.verbs import tell
from gateway.worklists import Worklist, cached_worklists

FOR = {
    "patient": ("ID", "Patient ID"),
    "name": ("NAME", "patient's name, as FAMILY^GIVEN; * and ? are wild cards"),
    "accession": ("N", "Accession Number"),
    "procedure": ("ID", "Requested Procedure ID"),
}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--refresh", action="store_true", help="ask the RIS now; with --patient and the like, for that patient only"
    )
    for name, (metavar, words) in FOR.items():
        parser.add_argument(f"--{name}", metavar=metavar, help=f"only this {words}")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    settings = configuration.load(args.config, adapters=False)
    asked = {name: found for name in FOR if (found := getattr(args, name))}
    if args.refresh:
        refresh(settings, asked)
    lists = list(cached_worklists(settings.places.worklist))
    if args.json:
        tell.as_json({"worklists": [_as_json(w, asked) for w in lists]})
        return 0
    if not lists:
        tell.note("no worklist yet: gateway worklist --refresh asks the RIS")
    for found in lists:
        tell.note(_headed(found))
        rows = [_row(step) for step in found.steps if _wanted(step, asked)]
        tell.table(("STEP", "START", "PATIENT ID", "NAME", "BORN", "PROCEDURE", "LACKS"), rows)
    return 0


def refresh(settings: Settings, asked: dict[str, str] | None = None) -> None:
    """Ask every RIS that has a worklist, and keep the answers; one that does not answer bars no other.

    ``asked``: for one patient only (keys of :data:`FOR`). Raises Retry naming the RIS that do not answer.
    """
    those = [ris for ris in settings.ris if ris.worklist]
    if not those:
        raise Misuse("no RIS with a worklist is configured", "add a [[ris]] section")
    failed: dict[str, GatewayError] = {}
    for ris in those:
        try:
            fetch(settings, ris, time.time(), asked)
        except GatewayError as error:
            failed[ris.name] = error
    if len(failed) == 1:
        raise next(iter(failed.values()))
    if failed:
        words = "; ".join(f"{name}: {error.message}" for name, error in failed.items())
        raise Retry(words, "what they answered before is kept: gateway worklist")


def _headed(found: Worklist) -> str:
    asked = ", ".join(f"{name} {value}" for name, value in found.asked.items())
    more = "; the RIS has more than were taken (setting most)" if found.more else ""
    return f"{found.source}{f', asked for {asked}' if asked else ''}: {tell.age(time.time() - found.fetched)} old{more}"


def _wanted(step: ScheduledStep, asked: dict[str, str]) -> bool:
    has = {
        "patient": step.patient_id,
        "name": step.patient_name,
        "accession": step.accession_number,
        "procedure": value(step.item, "00401001"),
    }
    return all(fnmatch.fnmatchcase(has[name].casefold(), wanted.casefold()) for name, wanted in asked.items())


def _row(step: ScheduledStep) -> tuple[str, ...]:
    lacks = ", ".join(step.missing)
    named = (step.patient_id, step.patient_name, step.birth_date)
    return (step.step_id or "?", step.start, *named, step.procedure, lacks)


def _as_json(found: Worklist, asked: dict[str, str]) -> dict[str, object]:
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
        if _wanted(s, asked)
    ]
    about = {"source": found.source, "fetched": found.fetched, "asked": found.asked, "more": found.more}
    return about | {"steps": steps}
