"""What root's process tells of a stick, and what a person answers: small files, each side writes in its own folder.

``RUNTIME-sticks/NAME.json`` is root's, readable for the spool's owner; nobody else can put one there, so what it says
of a mount is believed. ``RUNTIME/sticks/NAME.allow`` and ``NAME.eject`` are the spool's owner's, so root believes
nothing of them but this: a regular file of that user, reached without following a link, that holds the token told for
this very stick. An answer to a stick that was pulled meanwhile is none to the next one.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from gateway import fsops
from gateway.errors import Misuse
from gateway.model import from_json, to_json
from gateway.transfer.sticks.stick import valid_name

VERSION = 1
_END = ".json"
_LONGEST = 64 << 10  # bytes of one file
_READABLE = 0o640


class State(StrEnum):
    ASKED = "asked"
    MOUNTED = "mounted"
    REFUSED = "refused"
    OUT = "out"  # unmounted because a person said so: may be taken out


class Answer(StrEnum):
    ALLOW = "allow"
    EJECT = "eject"


@dataclass(frozen=True, slots=True)
class Told:
    """What is plugged in. ``token`` is this plugging in's own; ``device`` ("8:17") is what is mounted."""

    name: str
    token: str
    state: State
    words: str
    since: float  # wall clock
    label: str = ""
    serial: str = ""
    size: int = 0  # bytes
    device: str = ""


def tell(area: Path, told: Told, group: int) -> None:
    """Replace what is told of a stick; ``group`` may read it."""
    with fsops.new_file(area / f"{valid_name(told.name)}{_END}") as stream:
        stream.write(json.dumps({"version": VERSION} | to_json(told)).encode())
        if os.geteuid() == 0:
            os.fchown(stream.fileno(), -1, group)
        os.fchmod(stream.fileno(), _READABLE)


def forget(area: Path, name: str) -> None:
    fsops.unlink(area / f"{valid_name(name)}{_END}")


def all_told(area: Path) -> list[Told]:
    """Every stick that is plugged in, in the order in which they came. What cannot be read is not there."""
    found = []
    for path in sorted(area.glob(f"*{_END}")) if area.is_dir() else ():
        try:
            data = json.loads(path.read_bytes()[:_LONGEST])
            if data.pop("version") == VERSION and data["name"] == path.name.removesuffix(_END):
                found.append(from_json(Told, data))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # going away in this moment, or of another version
    return sorted(found, key=lambda told: (told.since, told.name))


def one_told(area: Path, name: str) -> Told:
    """Raises Misuse if no such stick is plugged in."""
    there = all_told(area)
    for told in there:
        if told.name == name:
            return told
    names = ", ".join(t.name for t in there) or "none"
    raise Misuse(f"no stick {name!r} is plugged in", f"plugged in: {names}")


def is_mounted(area: Path, told: Told) -> bool:
    """Whether the stick's folder really is where it is mounted: the process that told may have been killed since."""
    root = area / told.name
    try:
        here, above = root.lstat(), area.lstat()
    except OSError:
        return False
    return here.st_dev != above.st_dev and f"{os.major(here.st_dev)}:{os.minor(here.st_dev)}" == told.device


def answer(answers: Path, told: Told, what: Answer) -> None:
    """A person's word on this very stick, as the spool's owner."""
    fsops.make_folder(answers)
    fsops.write_file(answers / f"{valid_name(told.name)}.{what}", told.token.encode())


def answered(answers: Path, told: Told, what: Answer, owner: int) -> bool:
    """Whether there is such an answer, asked by root. ``owner``: the only user (uid) whose word it may be."""
    try:
        folder = os.open(answers, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        name = f"{valid_name(told.name)}.{what}"
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY, dir_fd=folder)
    except OSError:
        return False
    finally:
        os.close(folder)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != owner:
            return False
        return os.read(descriptor, len(told.token) + 1) == told.token.encode()
    except OSError:
        return False
    finally:
        os.close(descriptor)


def now(told: Told, state: State, words: str, device: str = "") -> Told:
    """The same stick in another state."""
    return replace(told, state=state, words=words, device=device)
