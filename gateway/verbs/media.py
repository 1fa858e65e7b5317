"""``gateway media``: which media are there, what is on them, are they sound; allow, eject, repair, import."""

from __future__ import annotations

import argparse
import getpass
from pathlib import Path
from typing import Any

from gateway import configuration, local
from gateway.errors import Held, Misuse, Retry
from gateway.settings import Settings
from gateway.transfer import media
from gateway.transfer.media import pdi
from gateway.transfer.media.hashes import FOLDER
from gateway.transfer.media.medium import DICOMDIR
from gateway.transfer.sticks.register import Register
from gateway.verbs import tell

_ON_A_FOLDER = {
    "status": "which media are there, what is on them, what waits; or what is on one",
    "verify": "read it back: structure, links, files, hashes",
    "repair": "rebuild the DICOMDIR from the files",
    "pages": "make and mend INDEX.HTM and the pages behind it (IHE PDI)",
    "remove": "take one instance off the medium, so that no repair brings it back",
}
_OF_A_STICK = {
    "allow": "the box may use a stick that it asks about",
    "eject": "finish writing to a stick and unmount it",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_subparsers(dest="what", required=True)
    for name, words in _ON_A_FOLDER.items():
        one = what.add_parser(name, help=words)
        if name == "remove":
            one.add_argument("uid", metavar="UID", help="SOP Instance UID")
        one.add_argument("folder", nargs="?", type=Path, metavar="DIR", help="root of the file-set")
    what.choices["status"].add_argument("--json", action="store_true", help="one JSON object")
    what.choices["pages"].add_argument("--anew", action="store_true", help="draw everything again, also what is there")
    for name, words in _OF_A_STICK.items():
        one = what.add_parser(name, help=words)
        one.add_argument("stick", metavar="NAME", help="as gateway media status calls it, for example sdb1")
        one.add_argument("--why", default="", help="for the audit trail")
    back = what.add_parser("import", help="bring back what this box and its PACS lack")
    back.add_argument("folder", type=Path, metavar="DIR", help="root of the medium")
    back.add_argument("--dry-run", action="store_true", help="look at everything, take nothing")
    back.add_argument("--release", action="store_true", help="you checked it: patients of other media belong here, too")
    back.add_argument("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    if args.what == "import":
        from gateway.verbs import media_import  # noqa: PLC0415 - it loads pydicom, which the others do without

        return media_import.run(args)
    if args.what in _OF_A_STICK:
        settings = configuration.load(args.config, adapters=False)
        answer = decide(settings, args.what, args.stick, getpass.getuser(), args.why)
        print(answer["words"])
        return 0 if answer.get("done", True) else 1
    if args.what == "status" and args.folder is None:
        return _status(configuration.load(args.config, adapters=False), args.json)
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
        _refuse_if_counted_on(args, args.uid)
        print(f"{media.remove(root, args.uid)} was taken off the medium at {root}")
        return 0
    if args.what == "status":
        print(media.status(root))
        return 0
    report = media.verify(root, _register(args))
    print(report)
    return 0 if report.sound else 1


def _refuse_if_counted_on(args: argparse.Namespace, uid: str) -> None:
    """Held if this box let, or may let, its own file go because of the copy on a medium; on another machine: nothing.

    Such a copy stands for the recording. A waiver is a person's word, in the audit trail, that it does so no longer.
    """
    if not Path(args.config).exists():
        return
    settings = configuration.load(args.config, adapters=False)
    request = {"do": "queue-show", "instance": uid}
    try:
        answer = local.ask_if_there(settings.places.socket("forward"), request)
    except Misuse:  # this box does not know the instance
        return
    if answer is None:
        raise Retry(
            "forward is not running: whether this box counts on that copy is not known",
            "start it (systemctl start forward) and give the command again; nothing was removed",
        )
    for one in answer.get("deliveries", ()):
        if one["policy"] == "media-verified" and one["state"] != "QUEUED" and one["waived"] is None:
            raise Held(
                f"this box counts on the copy of {uid} on a medium: nothing was removed",
                f"gateway queue waive {uid} --destination {one['destination']} first, if the recording may go",
            )


def decide(settings: Settings, what: str, name: str, who: str, why: str = "") -> dict[str, Any]:
    """Ask forward to "allow" or "eject" a stick; the answer's ``words`` say what happened."""
    request = {"do": f"media-{what}", "name": name, "who": who, "why": why}
    return local.ask(settings.places.socket("forward"), request, timeout=60)


def _status(settings: Settings, as_json: bool) -> int:
    """All media that are there, and the file-sets that the box remembers. Works without forward, as far as it goes."""
    if settings.media is None:
        raise Misuse("no medium is configured", "name its folder, or add a [media] section")
    answer = local.ask_if_there(settings.places.socket("forward"), {"do": "status"}, 10.0)
    now = (answer or {}).get("media")
    register = Register(settings.places.media)
    kept = [
        {
            "file_set_id": e.file_set_id,
            "file_set_uid": e.file_set_uid,
            "label": e.label,
            "serial": e.serial,
            "copies": register.count(e.file_set_uid),
            "first_seen": e.first_seen,
            "last_seen": e.last_seen,
        }
        for e in register.entries()
    ]
    if as_json:
        tell.as_json({"media": now, "file_sets": kept})
        return 0
    if now is None:
        print("forward is not running: what is plugged in is not known")
    else:
        for line in lines(now):
            print(line)
    if kept:
        print()
        head = ("FILE-SET", "LABEL", "SERIAL", "COPIES", "FIRST", "LAST", "UID")
        tell.table(head, [_row(k) for k in kept])
    return 0


def lines(now: dict[str, Any]) -> list[str]:
    """What forward says of the media, for people: also in ``gateway status``."""
    waits = now.get("QUEUED", 0)
    found = [f"{waits} instances wait to be copied" if waits else "nothing waits to be copied"]
    for one in now["present"]:
        called = one["label"] or one["serial"]
        on = (
            f"file-set {one['file_set_id']}, {one['instances']} instances" if one["file_set_uid"] else "no file-set yet"
        )
        name = f"{one['name']} ({called})" if called else one["name"]
        found.append(f"{name}: {on}, {one['free']} MiB free; {one['words']}")
    found += [f"{one['name']} ({one['label'] or 'no label'}): {one['words']}" for one in now["sticks"]]
    if len(found) == 1:
        found.append("no medium is there")
    return found


def _row(kept: dict[str, Any]) -> tuple[str, ...]:
    seen = (tell.when(kept["first_seen"]), tell.when(kept["last_seen"]))
    named = (kept["file_set_id"] or "-", kept["label"] or "-", kept["serial"] or "-", str(kept["copies"]))
    return (*named, *seen, kept["file_set_uid"])


def _register(args: argparse.Namespace) -> media.Kept:
    """What this box remembers of file-sets; nothing where there is no configuration, on another machine."""
    if not Path(args.config).exists():
        return lambda _uid: {}
    return Register(configuration.load(args.config, adapters=False).places.media).remembered


def _root(args: argparse.Namespace) -> Path:
    if args.folder is not None:
        return Path(args.folder)
    settings = configuration.load(args.config)
    if settings.media is None or settings.media.folder is None:
        raise Misuse("no folder is configured that is a medium", "name the root of the medium")
    return settings.media.folder


def _about(args: argparse.Namespace) -> pdi.About:
    """Who makes the pages; on a machine that is no box, nobody is named."""
    try:
        return pdi.about(configuration.load(args.config))
    except Misuse:
        if args.folder is None:
            raise
        return pdi.About()
