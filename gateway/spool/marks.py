"""Marks of an instance's deliveries that must outlive the ledger: that one is held, or waived, and why; where a person
sent it whatever the rules say; and which stand-in took it in place of the destination that was down.

It lies beside the instance and goes with its folder; whoever takes the instance up again reads it::

    instances/.../UID.deliveries.json     {"version": 2, "destinations": {NAME: {"held", "code", "waived", ...}}}

It is on the medium before the ledger says so. A destination that refuses to commit is not noted here: it is asked again
after a loss of the ledger, and says it again.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from gateway import fsops
from gateway.errors import Retry
from gateway.model import from_json, to_json

VERSION = 2
END = ".deliveries.json"
EVERY = "*"  # in place of a name: whichever is not named; of a file that cannot be read, or of what a medium brought
_lock = threading.Lock()  # several couriers, and a person


@dataclass(frozen=True, slots=True)
class Mark:
    """Of one delivery, in words; None: it is not."""

    held: str | None = None
    code: str = ""  # the destination's, if it refused
    waived: str | None = None
    routed: str | None = None  # a person sent it here
    taken_by: str | None = None  # name of the stand-in that has it: it is not owed here any more


def of(instance: Path) -> dict[str, Mark]:
    """By destination. A file that cannot be read holds for :data:`EVERY` destination: that is the safe side."""
    path = _beside(instance)
    try:
        data = json.loads(path.read_bytes())
        if data["version"] > VERSION:
            raise ValueError(f"format version {data['version']}, newer than {VERSION}")
        return {name: from_json(Mark, one) for name, one in data["destinations"].items()}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return {EVERY: Mark(f"{path.name} cannot be read ({error}); gateway queue release, when it may go on")}


def hold(instance: Path, destination: str, words: str, code: str) -> None:
    """Raises Retry, and nothing is held, if it cannot be written now."""
    _change(instance, destination, lambda before: replace(before, held=words, code=code))


def waive(instance: Path, destination: str, words: str) -> None:
    """Raises Retry, and nothing is waived, if it cannot be written now."""
    _change(instance, destination, lambda before: replace(before, waived=words))


def route(instance: Path, destination: str, words: str) -> None:
    """A person sends it there. Raises Retry, and nothing is sent, if it cannot be written now."""
    _change(instance, destination, lambda before: replace(before, routed=words))


def take(instance: Path, destination: str, stand_in: str | None) -> None:
    """``stand_in`` has it in place of ``destination``; None: it has not, or not any more. Raises Retry as others do."""
    _change(instance, destination, lambda before: replace(before, taken_by=stand_in))


def release(instance: Path, destination: str | None) -> None:
    """For one destination, or for all (None); a waiver stays. Raises Retry, and all stays held, as the others do."""
    _change(instance, destination, lambda before: replace(before, held=None, code=""))


def _change(instance: Path, destination: str | None, change: Callable[[Mark], Mark]) -> None:
    path = _beside(instance)
    with _lock:
        before = of(instance)
        every = before.get(EVERY, Mark())
        found = before | {
            name: change(before.get(name, every)) for name in (before if destination is None else (destination,))
        }
        every = found.get(EVERY, Mark())  # while it stands, a name without a mark is an exception from it
        found = {name: one for name, one in found.items() if one != Mark() or every not in (Mark(), one)}
        if found == before or not path.parent.exists():  # nothing changes, or the instance is gone
            return
        try:
            if found:
                named = {name: to_json(one) for name, one in found.items()}
                fsops.write_json(path, {"version": VERSION, "destinations": named})
            else:
                fsops.unlink(path)
        except OSError as error:
            raise Retry(f"{path} cannot be written now ({error.strerror})", "make room on the disk") from error


def _beside(instance: Path) -> Path:
    return instance.with_name(instance.stem + END)
