"""``gateway inputs``: the video sources of this box, their inputs, and the formats and sizes that they offer."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from gateway.acquire.v4l2.listing import Source, sources
from gateway.verbs import tell


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    """3 when there is no video source."""
    found = sources()
    if args.json:
        tell.as_json({"sources": [_plain(source) for source in found]})
    elif not found:
        print("no video source: plug a camera or grabber in; ls -l /dev/video* shows what the system sees")
    else:
        for source in found:
            print("\n".join(_lines(source)))
    return 0 if found else 3


def _lines(source: Source) -> Iterator[str]:
    yield f'port = "{source.path}"  {source.card} ({source.driver})' if source.card else f'port = "{source.path}"'
    if source.problem:
        yield f"    {source.problem}"
    for one in source.inputs:
        chosen = ", set" if one.number == source.chosen else ""
        yield f'    input = "{one.number}"  {one.name}{chosen}: {"a signal" if one.signal else "no signal"}'
    for offer in dict.fromkeys(map(str, source.offers)):  # two orders of the same samples are one encoding
        yield f"    {offer}"


def _plain(source: Source) -> dict[str, object]:
    return {
        "port": source.path,
        "card": source.card,
        "driver": source.driver,
        "problem": source.problem or None,
        "inputs": [
            {"number": one.number, "name": one.name, "signal": one.signal, "set": one.number == source.chosen}
            for one in source.inputs
        ],
        "offers": [
            {"encoding": o.encoding, "columns": o.columns, "rows": o.rows, "rates": list(o.rates)}
            for o in source.offers
        ],
    }
