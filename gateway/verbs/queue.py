"""``gateway queue``: what waits, why, and what a person may decide about it.

A subject is a SOP Instance UID, or the id of a recording that is no instance yet; a unique beginning will do. Every
decision is written to the audit trail with the name of the user who made it.
"""

from __future__ import annotations

import argparse
import getpass
import time
from typing import Any

from gateway import configuration, local
from gateway.errors import Misuse
from gateway.places import Places
from gateway.spool.states import FREES, Delivery
from gateway.transfer import names
from gateway.verbs import tell

DECISIONS = {
    "retry": "try its deliveries again now",
    "release": "let what is held go on",
    "hold": "do not send it for now",
    "waive": "do not wait for one destination any more",
    "route": "send it to one destination whatever the rules say",
    "rewrap": "send it to one destination as a class that it takes",
    "discard": "delete a test recording, or one without any sample",
    "attribute": "give a recording made outside any exam to one",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_subparsers(dest="what", required=True)
    what.add_parser("list", help="what is not finished yet")
    what.add_parser("show", help="all that is known of one").add_argument("subject")
    for name, words in DECISIONS.items():
        one = what.add_parser(name, help=words)
        one.add_argument("subject")
        one.add_argument("--why", default="", help="for the audit trail")
        if name in ("waive", "rewrap", "route"):
            one.add_argument("--destination", required=True, metavar="NAME")
        elif name == "attribute":
            one.add_argument("--to", required=True, metavar="EXAM")
        elif name in ("retry", "release", "hold"):
            one.add_argument("--destination", metavar="NAME", help="only this one")
        if name in ("retry", "release"):
            one.add_argument("--ris", metavar="NAME", help="the subject is an exam: tell this RIS again")
    for each in what.choices.values():
        each.add_argument("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    """0, or 4 when ``list`` shows something that waits for a person."""
    here = configuration.load(args.config, adapters=False).places
    if args.what == "list":
        return _list(here, args.json)
    subject = args.subject if getattr(args, "ris", None) else _whole(here, args.subject)
    if args.what == "show":
        return _show(local.ask(here.socket("forward"), {"do": "queue-show", "instance": subject}), args.json)
    request = {"do": args.what, "instance": subject, "who": getpass.getuser(), "why": args.why}
    request |= {k: v for k in ("destination", "to", "ris") if (v := getattr(args, k, None))}
    answer = local.ask(here.socket("forward"), request, timeout=60)
    if args.json:
        tell.as_json(answer)
    else:
        print(answer["words"])
    return 0


def _whole(here: Places, beginning: str) -> str:
    """The one subject in the queue that begins so; a name that is not in the queue stays as it is."""
    answer = local.ask(here.socket("forward"), {"do": "queue"})
    subjects = {row["id"] for row in answer["acquisitions"]} | {
        row["instance"] for row in (*answer["deliveries"], *answer["unrouted"])
    }
    fits = {s for s in subjects if s.startswith(beginning)}
    if len(fits) > 1 and beginning not in fits:
        raise Misuse(f"{len(fits)} in the queue begin with {beginning!r}", "write more of it")
    return fits.pop() if len(fits) == 1 else beginning


def _list(here: Places, as_json: bool) -> int:
    answer = local.ask(here.socket("forward"), {"do": "queue"})
    rows = answer["acquisitions"] + answer["deliveries"] + answer["steps"]
    code = 4 if answer["unrouted"] or any(row["held"] for row in rows) else 0
    if as_json:
        tell.as_json(answer)
        return code
    if not rows and not answer["unrouted"]:
        print("nothing waits")
        return code
    away = _away(here)
    shown = [(r["id"], "wrapping", r["state"], "", "", _why(r)) for r in answer["acquisitions"]]
    shown += [
        (r["instance"], r["destination"], r["state"], _since(r["queued_at"]), _next(r, away), _why(r))
        for r in answer["deliveries"]
    ]
    shown += [
        (r["instance"], "nowhere", "UNROUTED", _since(r["wrapped_at"]), "after a person", r["words"])
        for r in answer["unrouted"]
    ]
    shown += [
        (f"exam {r['exam']}", r["ris"], r["state"], _since(r["changed_at"]), _next(r, away), _why(r))
        for r in answer["steps"]
    ]
    tell.table(("WHAT", "TO", "STATE", "AGE", "NEXT TRY", "WHY"), shown)
    return code


def _away(here: Places) -> frozenset[str]:
    """The destinations that do not answer: all that goes there waits, not only what was tried."""
    answer = local.ask(here.socket("forward"), {"do": "status"})
    return frozenset(to["name"] for to in answer["destinations"] if to["answers"] is False)


def _finished(row: dict[str, Any]) -> bool:
    """Whether a delivery is as far as its policy asks; a step has none, and is not listed once it is done."""
    policy = row.get("policy")
    if policy is None:
        return False
    return Delivery(row["state"]) in FREES[policy] or (policy == "copy" and row["state"] == Delivery.STORED)


def _since(wall: float) -> str:
    return tell.age(time.time() - wall)


def _next(row: dict[str, Any], away: frozenset[str] = frozenset()) -> str:
    """When it goes on by itself, and what it waits for if that is no time."""
    if row["held"]:
        return "after a person"
    if row["state"] == "REQUESTED":
        return "with its report"
    if _finished(row):
        return ""
    left = row["next_try"] - time.time()
    if left > 0:
        return f"in {tell.age(left)}"
    return "when it answers" if row.get("destination") in away else "now"


def _why(row: dict[str, Any]) -> str:
    if row.get("taken_by"):
        return f"given to {row['taken_by']}, which stands in for it"
    if row["held"]:
        return f"HELD: {row['held']}"
    tries = row.get("attempts") or 0
    words = str(row.get("words") or "")
    words = f"{words} ({tries} attempts)" if tries and words else words
    instead = f"in place of {row['stands_in_for']}" if row.get("stands_in_for") else ""
    return "; ".join(w for w in (instead, words) if w)


def _delivery(row: dict[str, Any]) -> str:
    """Where one delivery stands: state, age, tries, what is next, and the reason."""
    words = f"{row['state']}, queued {_since(row['queued_at'])} ago, changed {_since(row['changed_at'])} ago"
    if row["waived"]:
        return f"{words}; {row['waived']}"
    words += "" if _finished(row) or row["taken_by"] else f", next try {_next(row)}"
    return f"{words}: {_why(row)}" if _why(row) else words


def _show(answer: dict[str, Any], as_json: bool) -> int:
    if as_json:
        tell.as_json(answer)
        return 0
    for name, value in (answer.get("instance") or answer.get("acquisition") or {}).items():
        print(f"{name:<20} {'' if value is None else value}")
    for row in answer.get("deliveries", []):
        print(f"to {row['destination']:<17} {_delivery(row)}")
        if row["sent_sha256"]:
            how = f"sent as {names.syntax(row['sent_syntax'])}, " if row["sent_syntax"] else "sent as it is, "
            print(f"{'':<20} {how}SHA-256 of that file {row['sent_sha256']}")
    if words := answer.get("words"):
        print(f"{'purgeable':<20} {words}")
    return 0
