"""``gateway echo``: does a peer answer, and which kinds of instances does it take?"""

from __future__ import annotations

import argparse

from gateway.transfer import echo
from gateway.transfer.names import CLASSES, SYNTAXES
from gateway.verbs import address, tell


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "peer", nargs="?", metavar="PEER", help="AET@HOST:PORT, a URL, or a name from the configuration"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    peer = address.peer(args, args.peer)
    result = echo.echo(peer)
    if args.json:
        accepted = {CLASSES[uid]: [SYNTAXES[s] for s in syntaxes] for uid, syntaxes in result.accepted.items()}
        tell.as_json({"peer": str(peer), "seconds": round(result.seconds, 3), "tls": result.tls, "accepted": accepted})
    else:
        print(result)
    return 0
