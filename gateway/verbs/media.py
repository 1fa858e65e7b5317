"""``gateway media``: what is on a medium, is it sound, rebuild its DICOMDIR, take off an instance, bring back all."""

from __future__ import annotations

import argparse
from pathlib import Path

from gateway import configuration
from gateway.errors import Misuse
from gateway.transfer import media
from gateway.transfer.media.hashes import FOLDER
from gateway.transfer.media.medium import DICOMDIR


def arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_subparsers(dest="what", required=True)
    for name, words in (
        ("status", "what is on the medium"),
        ("verify", "read it back: structure, links, files, hashes"),
        ("repair", "rebuild the DICOMDIR from the files"),
        ("remove", "take one instance off the medium, so that no repair brings it back"),
    ):
        one = what.add_parser(name, help=words)
        if name == "remove":
            one.add_argument("uid", metavar="UID", help="SOP Instance UID")
        one.add_argument("folder", nargs="?", type=Path, metavar="DIR", help="root of the file-set")
    back = what.add_parser("import", help="bring back what this box and its PACS lack")
    back.add_argument("folder", type=Path, metavar="DIR", help="root of the medium")
    back.add_argument("--dry-run", action="store_true", help="look at everything, take nothing")
    back.add_argument("--release", action="store_true", help="you checked it: patients of other media belong here, too")
    back.add_argument("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    if args.what == "import":
        from gateway.verbs import media_import  # noqa: PLC0415 - it loads pydicom, which the others do without

        return media_import.run(args)
    root = _root(args)
    if args.what != "status" and root.is_dir() and not any((root / name).exists() for name in (DICOMDIR, FOLDER)):
        raise Misuse(f"{root} is no file-set: it has no DICOMDIR", "name the root of a medium")
    if args.what == "repair":
        print(media.repair(root))
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
