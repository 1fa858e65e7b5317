"""``gateway config check`` and ``gateway config reference``."""

from __future__ import annotations

import argparse

from gateway import configuration
from gateway.settings import Media


def arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_subparsers(dest="what", required=True)
    what.add_parser("check", help="read the configuration file and say what is wrong, where, and what is allowed")
    what.add_parser("reference", help="every setting as Markdown")


def run(args: argparse.Namespace) -> int:
    if args.what == "reference":
        print(configuration.reference())
        return 0
    settings = configuration.load(args.config)
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
