"""``gateway media``: what is on the medium, is it sound, rebuild its DICOMDIR, make its pages, take one off."""

from __future__ import annotations

import argparse
from pathlib import Path

from gateway import configuration
from gateway.errors import Misuse
from gateway.transfer import media
from gateway.transfer.media import pdi
from gateway.transfer.media.hashes import FOLDER
from gateway.transfer.media.medium import DICOMDIR


def arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_subparsers(dest="what", required=True)
    for name, words in (
        ("status", "what is on the medium"),
        ("verify", "read it back: structure, links, files, hashes"),
        ("repair", "rebuild the DICOMDIR from the files"),
        ("pages", "make and mend INDEX.HTM and the pages behind it (IHE PDI)"),
        ("remove", "take one instance off the medium, so that no repair brings it back"),
        ("import", "bring a medium's instances into the spool (not yet)"),
    ):
        one = what.add_parser(name, help=words)
        if name == "remove":
            one.add_argument("uid", metavar="UID", help="SOP Instance UID")
        one.add_argument("folder", nargs="?", type=Path, metavar="DIR", help="root of the file-set")
        if name == "pages":
            one.add_argument("--anew", action="store_true", help="draw everything again, also what is there")


def run(args: argparse.Namespace) -> int:
    if args.what == "import":
        raise Misuse("media import is not built yet", "send the files instead: gateway send --to AET@HOST:PORT DIR")
    root = _root(args)
    if args.what != "status" and root.is_dir() and not any((root / name).exists() for name in (DICOMDIR, FOLDER)):
        raise Misuse(f"{root} is no file-set: it has no DICOMDIR", "name the root of a medium")
    if args.what == "repair":
        print(media.repair(root))
        return 0
    if args.what == "pages":
        count = pdi.refresh(root, _about(args), check=True, anew=args.anew)
        print(f"{root}: {count} instances got their place on a page" if count else f"{root}: the pages are up to date")
        return 0
    if args.what == "remove":
        print(f"{media.remove(root, args.uid)} was taken off the medium at {root}")
        return 0
    if args.what == "status":
        print(media.status(root))
        return 0
    report = media.verify(root)
    print(report)
    return 0 if report.sound else 1


def _root(args: argparse.Namespace) -> Path:
    if args.folder is not None:
        return Path(args.folder)
    settings = configuration.load(args.config)
    if settings.media is None:
        raise Misuse("no medium is configured", "name its folder, or add a [media] section")
    return settings.media.folder


def _about(args: argparse.Namespace) -> pdi.About:
    """Who makes the pages; on a machine that is no box, nobody is named."""
    try:
        return pdi.about(configuration.load(args.config))
    except Misuse:
        if args.folder is None:
            raise
        return pdi.About()
