"""``gateway trigger DEVICE``: what a foot switch does. Recording starts in the open exam; again, and it stops."""

from __future__ import annotations

import argparse

from gateway import configuration, exam, local


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("device", metavar="DEVICE")


def run(args: argparse.Namespace) -> int:
    settings = configuration.load(args.config, adapters=False)
    settings.device(args.device)
    socket = settings.places.socket(f"capture-{args.device}")
    if local.ask(socket, {"do": "status"})["recording"]:
        local.ask(socket, {"do": "stop"})
        print(f"{args.device}: recording stopped")
        return 0
    found = exam.current(settings.places, args.device)
    local.ask(socket, {"do": "start", "exam": found.exam if found else None, "seconds": None})
    whose = f"exam {found.exam}" if found else "no open exam: it will be held until a person says whose it is"
    print(f"{args.device}: recording, {whose}")
    return 0 if found else 4
