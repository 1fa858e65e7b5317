"""``gateway replay TRANSCRIPT --device DEVICE``: the bytes of an earlier recording through the same adapter again.

A transcript is an acquisition's record file, or its folder. The result is an acquisition of its own; without an
identity it belongs to nobody and is held.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from gateway import configuration, exam
from gateway.acquire import replay as transcript
from gateway.clock import Clock
from gateway.errors import Misuse
from gateway.places import RECORDS
from gateway.verbs import identity, tell
from gateway.verbs.exams import stop_exam


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("transcript", type=Path, metavar="TRANSCRIPT")
    parser.add_argument("--device", required=True, metavar="DEVICE", help="whose adapter and options to use")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    identity.arguments(parser)


def run(args: argparse.Namespace) -> int:
    settings = configuration.load(args.config)
    settings.device(args.device)
    file = args.transcript / RECORDS if args.transcript.is_dir() else args.transcript
    if not file.is_file():
        raise Misuse(f"{file} is no transcript", "name an acquisition's folder or its record file")
    named = identity.from_arguments(settings, args)
    # The exam is on no device: what the live one records meanwhile is not this patient's.
    found = exam.open_exam(settings.places, Clock(settings.clock.trust), (), *named) if named else None
    try:
        acquisition = transcript.keep(settings, args.device, found.exam if found else None, file)
    finally:
        if found is not None:
            stop_exam(settings, found.exam)
    if args.json:
        tell.as_json({"acquisition": acquisition, "exam": found.exam if found else None})
    else:
        whose = f"exam {found.exam}" if found else "nobody: it is held until a person says whose it is"
        print(f"kept: acquisition {acquisition} of {whose}")
    return 0 if found else 4
