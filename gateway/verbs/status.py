"""``gateway status``: one line says whether all is well; then devices, queue, destinations, medium, clock."""

from __future__ import annotations

import argparse
import time
from typing import Any

from gateway import configuration
from gateway.verbs import tell
from gateway.verbs.media import lines as media_lines
from gateway.verbs.overview import Light, Overview, overview

_LOOK = 1.0  # seconds between two looks at a box that comes up


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--line", action="store_true", help="only the one line")
    parser.add_argument(
        "--settle", type=float, default=0.0, metavar="SECONDS", help="wait so long for what does not work (yet)"
    )


def run(args: argparse.Namespace) -> int:
    """0 when all is well, 1 with findings, 3 when a process does not run."""
    settings = configuration.load(args.config, adapters=False)
    until = time.monotonic() + args.settle
    while (found := overview(settings)).light is Light.FAILED and time.monotonic() < until:
        time.sleep(_LOOK)
    if args.json:
        tell.as_json(found.as_json())
    elif args.line:
        print(found.words)
    else:
        print(found.words)
        for finding in found.findings:
            print(f"  - {finding.words}" + (f": {finding.fix}" if finding.fix else ""))
        _details(found)
    return {"well": 0, "look": 1, "failed": 3}[found.light.value]


def _details(found: Overview) -> None:
    print()
    rows = [(d.name, d.adapter, *_device(d.answer)) for d in found.devices]
    if rows:
        tell.table(("DEVICE", "ADAPTER", "STATE", "SAMPLES", "KEPT UP TO", "MISSING", "EXAM"), rows)
    forward = found.forward
    if forward is None or "queue" not in forward:
        return
    queue = forward["queue"]
    waits = f", oldest {tell.age(time.time() - queue['oldest'])}" if queue["oldest"] else ""
    held = queue["held_recordings"] + queue["held_deliveries"] + queue["held_steps"]
    print(
        f"\nqueue       {queue['unfinished']} of {queue['instances']} instances wait{waits}; "
        f"{queue['to_wrap']} recordings to wrap; {held} held"
    )
    for one in forward["destinations"]:
        now = f"; {one['now']}" if one.get("now") else ""
        role = f" (stands in for {one['stands_in_for']})" if one.get("stands_in_for") else ""
        print(f"{one['name']:<11} {_counts(one)}{_words(one)}{now}{role}")
    for one in forward["ris"]:
        for part in ("worklist", "mpps"):
            if part in one:
                print(f"{one['name']:<11} {part}: {_answers(one[part])}{_words(one[part])}")
    if forward["media"] is not None:
        print(f"{'media':<11} {_counts(forward['media'])}")
        for line in media_lines(forward["media"]):
            print(f"{'':<11} {line}")
    room = forward["space"]
    print(f"{'disk':<11} {room['free']} MiB free, {room['reserve']} reserved")
    print(f"{'clock':<11} {'synchronized' if forward['clock']['trusted'] else 'not synchronized'}")


def _device(answer: dict[str, Any] | None) -> tuple[str, str, str, str, str]:
    """State, samples so far, how many of them no power cut can take, how many are missing, exam."""
    if answer is None or "state" not in answer:
        return "no capture process", "", "", "", ""
    counts = (str(answer[name]) for name in ("samples", "durable", "missing"))
    return answer["state"], *counts, answer["exam"] or ""


def _counts(one: dict[str, Any]) -> str:
    states = ("QUEUED", "STORED", "REQUESTED", "COMMITTED", "VERIFIED")
    shown = [f"{one[state]} {state.lower()}" for state in states if one.get(state)]
    return ", ".join(shown) or "nothing yet"


def _answers(one: dict[str, Any]) -> str:
    return {True: "answers", False: "does not answer", None: "not asked yet"}[one["answers"]]


def _words(one: dict[str, Any]) -> str:
    return f" ({one['words']})" if one.get("words") and one.get("answers") is False else ""
