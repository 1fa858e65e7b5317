"""``gateway echo``: does a peer answer, and which kinds of instances does it take?"""

from __future__ import annotations

import argparse

from gateway.transfer import echo
from gateway.verbs import address, tell


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("peer", nargs="?", metavar="PEER", help="AET@HOST:PORT, or a name from the configuration")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    peer = address.peer(args, args.peer)
    result = echo.echo(peer)
    print(result)
    tell.note("")
    return 0
