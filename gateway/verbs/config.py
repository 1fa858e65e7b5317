"""``gateway config check``, ``gateway config reference`` and ``gateway config apply``.

A wrong file changes nothing: the processes that run go on with the one they read.
"""

from __future__ import annotations

import argparse
import os
import subprocess
from collections.abc import Iterator

from gateway import configuration, local
from gateway.errors import Fatal, GatewayError, Held, Misuse
from gateway.settings import DEFAULT_FILE, Media, Settings

TARGET = "gateway.target"


def arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_subparsers(dest="what", required=True)
    check = what.add_parser(
        "check", help="read the configuration file and say what is wrong, where, and what is allowed"
    )
    check.add_argument("--quiet", action="store_true", help="say only what is wrong; notes are no reason not to start")
    what.add_parser("reference", help="every setting as Markdown")
    apply = what.add_parser("apply", help="check it, then start all processes anew with it; root only")
    apply.add_argument("--even-while-recording", action="store_true", help="what is being recorded gets a gap")


def run(args: argparse.Namespace) -> int:
    if args.what == "reference":
        print(configuration.reference())
        return 0
    settings = configuration.load(args.config)
    if args.what == "apply":
        _apply(args, settings)
        return 0
    if args.quiet:
        return 0
    devices = ", ".join(f"{d.name} ({d.adapter})" for d in settings.devices) or "none"
    print(f"{args.config}: all right")
    print(f"  AE title      {settings.box.ae_title}")
    print(f"  devices       {devices}")
    print(f"  RIS           {', '.join(r.name for r in settings.ris) or 'none: every exam is unscheduled'}")
    print(f"  destinations  {', '.join(d.name for d in settings.destinations) or 'none: nothing is ever deleted'}")
    print(f"  media         {_media(settings.media)}")
    from gateway.spool import coverage  # noqa: PLC0415  it loads the tables of DICOM, and a mistake needs none

    found = coverage.notes(settings)
    for note in found:
        print(f"  note: {note}")
    return 1 if found else 0


def _media(wanted: Media | None) -> str:
    if wanted is None:
        return "none"
    return ", ".join([*([str(wanted.folder)] if wanted.folder else []), *(f"stick {s}" for s in wanted.sticks)])


def _apply(args: argparse.Namespace, settings: Settings) -> None:
    """Raises Misuse or Held before anything is touched, Fatal with systemd's words."""
    if args.config != DEFAULT_FILE:
        raise Misuse(f"the services read {DEFAULT_FILE}, not {args.config}", "copy it there first")
    if os.geteuid() != 0:
        raise Misuse("only root may start services anew", "sudo gateway config apply")
    busy = [] if args.even_while_recording else list(_recording(settings))
    if busy:
        raise Held(
            f"{', '.join(busy)} is being recorded: nothing was changed",
            "try again when it is over, or say --even-while-recording: it then gets a gap",
        )
    for words in (["daemon-reload"], ["restart", TARGET]):  # the first makes units of the devices (systemd/generator)
        done = subprocess.run(["systemctl", *words], check=False, capture_output=True, text=True)
        if done.returncode:
            raise Fatal(f"systemctl {' '.join(words)}: {done.stderr.strip()}", f"systemctl status {TARGET}")
    print("applied; gateway status says how it goes")


def _recording(settings: Settings) -> Iterator[str]:
    """The devices that record now, also such as are no longer configured."""
    for socket in sorted(settings.places.runtime.glob("capture-*.sock")):
        try:
            if local.ask(socket, {"do": "status"}).get("recording"):
                yield socket.stem.removeprefix("capture-")
        except GatewayError:
            continue  # nobody answers there: nothing is recorded
