"""``gateway trigger DEVICE``: what a foot switch does. Recording starts in the open exam; again, and it stops.

An image source takes a still, or starts a clip and stops it.
"""

from __future__ import annotations

import argparse

from gateway import configuration, local
from gateway.acquire.shutter import CLIP, STILL


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("device", metavar="DEVICE")
    takes = parser.add_mutually_exclusive_group()
    takes.add_argument("--still", dest="takes", action="store_const", const=STILL, help="of an image source: one frame")
    takes.add_argument("--clip", dest="takes", action="store_const", const=CLIP, help="a clip, or its end")


def run(args: argparse.Namespace) -> int:
    settings = configuration.load(args.config, adapters=False)
    settings.device(args.device)
    answer = local.ask(settings.places.socket(f"capture-{args.device}"), {"do": "trigger", "takes": args.takes})
    if answer["stopped"]:
        print(f"{args.device}: recording stopped")
        return 0
    done = "a still is kept" if answer.get("taken") else "recording"
    if (exam := answer["exam"]) is None:
        print(f"{args.device}: {done}, no open exam: it will be held until a person says whose it is")
        return 4
    print(f"{args.device}: {done}, exam {exam}")
    return 0
