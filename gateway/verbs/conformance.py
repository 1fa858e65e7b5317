"""``gateway conformance``: what this box speaks, as documents that are written from the tables that it runs by."""

from __future__ import annotations

import argparse

from gateway.verbs.statement import markdown, printed, statements


def arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--ihe", action="store_true", help="the IHE integration statement")
    what.add_argument("--header", action="store_true", help="where each attribute of an instance comes from")
    parser.add_argument("--html", action="store_true", help="one HTML file to read or to print, not Markdown")


def run(args: argparse.Namespace) -> int:
    make = statements.integration if args.ihe else statements.header if args.header else statements.conformance
    print((printed if args.html else markdown).written(make()), end="")
    return 0
