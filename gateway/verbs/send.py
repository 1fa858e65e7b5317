"""``gateway send``: DICOM files to a peer, with progress, a summary, and an exit code that tells the truth."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

from gateway.errors import Misuse
from gateway.model import InstanceRef
from gateway.transfer import part10
from gateway.transfer.transports import transport
from gateway.verbs import address, tell

DIRECTORY = "1.2.840.10008.1.3.10"  # Media Storage Directory Storage: the DICOMDIR, which describes and is not sent


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--to",
        metavar="PEER",
        help="AET@HOST:PORT, the URL of DICOMweb services, or a destination's name from the configuration",
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="FILE|DIR")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    """0 if the peer took every instance, 1 if it refused one, 3 if it could not be reached for one."""
    peer = address.peer(args, args.to)
    instances, skipped = _instances(args.paths)
    progress, began = tell.Progress(), time.monotonic()
    outcomes = []
    for instance, outcome in transport(peer.web is not None).send(peer, instances, None):
        outcomes.append((instance, outcome))
        progress.show(f"{len(outcomes)} of {len(instances)} to {peer.title}")
    bad = [(i, o) for i, o in outcomes if o.kind not in ("done", "warned")]
    seconds = time.monotonic() - began
    sent = len(outcomes) - len(bad)
    if args.json:
        tell.as_json(
            {
                "sent": sent,
                "refused": [{"file": i.path, "code": str(o.code), "words": o.words} for i, o in bad],
                "skipped": [str(path) for path in skipped],
                "seconds": round(seconds, 3),
            }
        )
    else:
        progress.done(f"{sent} of {len(instances)} sent to {peer.title} in {seconds:.2f} s")
        for path in skipped:
            tell.note(f"  {path}: no DICOM file, skipped")
        for instance, outcome in bad:
            tell.note(f"  {instance.path}: {outcome.words}")
    if any(o.kind == "retry" for _, o in bad):
        return 3
    return 1 if bad else 0


def _instances(paths: list[Path]) -> tuple[list[InstanceRef], list[Path]]:
    """The DICOM files below ``paths``, each once; others found in a folder are skipped, named ones must be DICOM."""
    found, skipped = [], []
    for path in dict.fromkeys(_files(paths)):
        try:
            instance = part10.instance(path)
            if instance.sop_class_uid != DIRECTORY:
                found.append(instance)
        except Misuse:
            if path in paths:
                raise
            skipped.append(path)
    if not found:
        raise Misuse("there is no DICOM file to send", "name Part 10 files or folders of them")
    return found, skipped


def _files(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.is_file())
        elif path.is_file():
            yield path
        else:
            raise Misuse(f"{path} does not exist", "name files or folders")
