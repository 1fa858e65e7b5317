"""The manual page gateway(1), in man(7), from the tree of commands: it cannot tell what the program does not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from gateway import __version__
from gateway.settings import DEFAULT_FILE
from images.deb.tree import Command, Word, commands

SHARED = ("--help", "--config", "--verbose")  # of every command, and told once
FILES = (
    (str(DEFAULT_FILE), 'the only file to edit; "gateway config reference" prints every setting'),
    ("/var/lib/gateway", "recordings, instances, the ledger and the audit trail; the user gateway's alone"),
    ("/run/gateway", "the processes' local sockets"),
)
UNITS = (
    ("gateway.target", "all of it; gateway config apply starts it anew with a changed configuration"),
    ("capture@DEVICE.service", "records from one device of the configuration"),
    ("forward.service", "wraps, keeps, sends, copies to sticks, purges"),
    ("console.socket, console.service", "the page, on this box only"),
    ("gateway-check.service", "says in one line how the box is, when it has come up"),
    ("gateway-config.path", "says in the journal whether a changed configuration is right"),
    ("stick@NAME.service", "mounts one stick; started by udev"),
)
FINDING = (
    ("journalctl DEVICE=ecg1", "everything that one device said"),
    ("journalctl DESTINATION=pacs", "everything about one destination or RIS"),
    ("journalctl SOP_INSTANCE_UID=1.2.3", "the way of one instance"),
    ("journalctl -x -t gateway", "with an explanation, and what to do, where there is one"),
)
STATUSES = (
    ("0", "done"),
    ("1", "done, with findings or refusals"),
    ("2", "wrong use or configuration"),
    ("3", "a device or peer cannot be reached"),
    ("4", "held: a person must look"),
)


def page(at: float) -> str:
    """The page as roff; ``at`` is the date on it (seconds since 1970)."""
    return "\n".join(_lines(commands(), at)) + "\n"


def _lines(program: Command, at: float) -> Iterator[str]:
    day = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")
    yield f'.TH GATEWAY 1 "{day}" "gateway {__version__}" "Modality gateway"'
    yield from (".SH NAME", r"gateway \- DICOM modality gateway for devices that know no DICOM")
    yield ".SH SYNOPSIS"
    for command in program.commands:
        yield from (f".B gateway {' '.join(command.path)}", _operands(command), ".br")
    yield from (".SH DESCRIPTION", _text(program.help))
    yield _text(
        "It records what a device says, turns it into DICOM under the right patient, keeps it on disk and on a stick, "
        "sends it to the PACS with storage commitment, and reports the procedure step to the RIS. Commands that touch "
        "recordings are given as the user gateway:"
    )
    yield from (".PP", ".RS", ".B runuser -u gateway -- gateway status", ".RE")
    yield from (".SH OPTIONS OF ALL COMMANDS",)
    yield from _options(w for w in program.words if set(w.flags) & {*SHARED, "--version"})
    yield ".SH COMMANDS"
    for command in program.commands:
        yield f'.SS "{_text(" ".join(command.path))}"'
        yield from _command(command)
    yield from _table("EXIT STATUS", STATUSES)
    yield from _table("FILES", FILES)
    yield from _table("UNITS", UNITS)
    yield from _table("FINDING OUT WHAT HAPPENED", FINDING)
    yield from (".SH SEE ALSO", ".BR systemctl (1),", ".BR journalctl (1),", ".BR udevadm (8)")


def _command(command: Command) -> Iterator[str]:
    yield _text(command.help[:1].upper() + command.help[1:] + ".") if command.help else ""
    yield from _options(w for w in command.words if not set(w.flags) & set(SHARED))
    for below in command.commands:
        yield from (".PP", f".B gateway {' '.join(below.path)}", _operands(below), ".RS")
        yield _text(below.help[:1].upper() + below.help[1:] + ".") if below.help else ""
        yield from _options(w for w in below.words if not set(w.flags) & set(SHARED))
        yield ".RE"
    if command.epilog:
        yield from (".PP", ".nf", *(_text(line) for line in command.epilog.strip().splitlines()), ".fi")


def _operands(command: Command) -> str:
    if command.commands:
        return ".I " + _text("|".join(below.path[-1] for below in command.commands))
    shown = [f"[{_text(w.value)}]" if not w.required else _text(w.value) for w in command.words if not w.flags]
    return f".I {' '.join([*shown, '[OPTION]...'])}"


def _options(words: Iterator[Word]) -> Iterator[str]:
    for word in words:
        yield ".TP"
        flags = ", ".join(rf"\fB{_text(flag)}\fR" for flag in word.flags)
        yield " ".join(part for part in (flags, rf"\fI{_text(word.value)}\fR" if word.value else "") if part)
        told = word.help
        if word.choices and len(word.choices) >= 6:
            told += f"; one of {', '.join(word.choices)}"
        yield _text(told.removeprefix("; ")) or r"\&"


def _table(title: str, rows: tuple[tuple[str, str], ...]) -> Iterator[str]:
    yield f".SH {title}"
    for name, told in rows:
        yield from (".TP", f".B {_text(name)}", _text(told))


def _text(words: str) -> str:
    """Safe in roff: no escape, no request, a hyphen that can be copied."""
    safe = words.replace("\\", r"\e").replace("-", r"\-").replace('"', r"\(dq")
    return rf"\&{safe}" if safe.startswith((".", "'")) else safe
