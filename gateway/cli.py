"""The ``gateway`` command: a table of verbs, and what all of them share.

A verb's module is imported only when it is called, so that ``send`` does not pay for what ``forward`` needs. It
offers ``arguments(parser)`` and ``run(args) -> exit code``.

Exit codes: 0 done; 1 done, with findings or refusals; 2 wrong use or configuration; 3 a device or peer cannot
be reached; 4 held: a person must look.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from gateway import __version__
from gateway.errors import GatewayError, in_words
from gateway.service import set_up_logging
from gateway.settings import DEFAULT_FILE

VERBS = {
    "demo": ("gateway.verbs.demo", "the main job end to end, with no hardware and no hospital"),
    "config": ("gateway.verbs.config", "check the configuration file, or print the reference"),
    "worklist": ("gateway.verbs.worklist", "the scheduled procedure steps, from the cache or the RIS"),
    "exam": ("gateway.verbs.exams", "start, stop, list, show or attribute an exam"),
    "acquire": ("gateway.verbs.acquire", "one exam, one recording"),
    "trigger": ("gateway.verbs.trigger", "what a foot switch does: start or stop a recording"),
    "inputs": ("gateway.verbs.inputs", "the video sources of this box, their inputs, and what they can show"),
    "replay": ("gateway.verbs.replay", "play a recorded byte stream through an adapter again"),
    "status": ("gateway.verbs.status", "one line says whether all is well; then the details"),
    "queue": ("gateway.verbs.queue", "what waits, why, and what a person may decide about it"),
    "send": ("gateway.verbs.send", "send DICOM files to a peer"),
    "echo": ("gateway.verbs.echo", "ask a peer whether it answers, and what it accepts"),
    "check": ("gateway.verbs.check", "check DICOM files against the standard's tables"),
    "plot": ("gateway.verbs.plot", "draw an ECG on millimetre paper"),
    "media": ("gateway.verbs.media", "the removable medium: status, verify, repair, import"),
    "conformance": ("gateway.verbs.conformance", "what this box speaks, from its own tables"),
    "support-bundle": ("gateway.verbs.support", "a file for support, without patient data"),
    "capture": ("gateway.capture", "process: record from one device"),
    "forward": ("gateway.forward", "process: wrap, keep, forward"),
    "console": ("gateway.console", "process: the status page and the local API"),
    "stick": ("gateway.stick", "process of root: mount one stick that was plugged in, if it may be used"),
}

PROCESSES = ("capture", "forward", "console", "stick")


def main(argv: list[str] | None = None) -> int:
    """Run one verb; errors that are answers become one line and an exit code, never a traceback."""
    words = sys.argv[1:] if argv is None else argv
    args = _parse(words)
    set_up_logging(args.verbose)
    if args.verb not in PROCESSES and not args.verbose:
        logging.getLogger("gateway").setLevel(logging.WARNING)  # a command says its result itself
    try:
        return int(args.run(args))
    except GatewayError as error:
        print(f"gateway: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        print(f"gateway: {in_words(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("gateway: stopped", file=sys.stderr)
        return 130


def _parse(words: list[str]) -> argparse.Namespace:
    wanted = next((w for w in words if w in VERBS), None)
    parser = command_line((wanted,) if wanted else ())
    return parser.parse_args(words, argparse.Namespace(config=DEFAULT_FILE, verbose=False))


def command_line(wanted: Iterable[str] = VERBS) -> argparse.ArgumentParser:
    """The parser of all commands, with the arguments of those in ``wanted``. The manual page is made from it, too."""
    parser = argparse.ArgumentParser(
        prog="gateway",
        description="DICOM modality gateway for devices that know no DICOM.",
        epilog="exit codes: 0 done; 1 findings or refusals; 2 wrong use or configuration; "
        "3 a device or peer cannot be reached; 4 held: a person must look",
        parents=[_shared()],
    )
    parser.add_argument("--version", action="version", version=f"gateway {__version__}")
    commands = parser.add_subparsers(dest="verb", required=True, metavar="COMMAND")
    wanted = set(wanted)
    for verb, (module, words_) in VERBS.items():
        sub = commands.add_parser(
            verb, help=words_, description=words_[0].upper() + words_[1:] + ".", parents=[_shared()]
        )
        if verb in wanted:
            loaded = importlib.import_module(module)
            loaded.arguments(sub)
            sub.set_defaults(run=loaded.run)
            for nested in _nested(sub):
                _add_shared(nested)
    return parser


def _shared() -> argparse.ArgumentParser:
    """Options that may stand before or behind the verb; made anew each time, since argparse shares what it is given."""
    shared = argparse.ArgumentParser(add_help=False)
    _add_shared(shared)
    return shared


def _add_shared(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, default=argparse.SUPPRESS, metavar="FILE", help="configuration file")
    parser.add_argument("-v", "--verbose", action="store_true", default=argparse.SUPPRESS, help="say more")


def _nested(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """The parsers of a verb's own sub-verbs ("exam start")."""
    actions = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]  # argparse names no other way
    return [nested for action in actions for nested in action.choices.values()]


if __name__ == "__main__":
    sys.exit(main())
