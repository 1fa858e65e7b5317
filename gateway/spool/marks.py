"""Marks of an instance's deliveries that must outlive the ledger: that one is held, or waived, and why.

It lies beside the instance and goes with its folder; whoever takes the instance up again reads it::

    instances/.../UID.deliveries.json     {"version": 1, "destinations": {NAME: {"held", "code", "waived"}}}

It is on the medium before the ledger says so. A destination that refuses to commit is not noted here: it is asked again
after a loss of the ledger, and says it again.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gateway import fsops
from gateway.errors import Retry
from gateway.model import from_json, to_json

VERSION = 1
END = ".deliveries.json"
EVERY = "*"  # in place of a name: whichever is not named; of a file that cannot be read, or of what a medium brought
_lock = threading.Lock()  # several couriers, and a person


@dataclass(frozen=True, slots=True)
class Mark:
    """Of one delivery, in words; None: it is not."""

    held: str | None = None
    code: str = ""  # the destination's, if it refused
    waived: str | None = None


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
    _change(instance, destination, lambda before: Mark(words, code, before.waived))


def waive(instance: Path, destination: str, words: str) -> None:
    """Raises Retry, and nothing is waived, if it cannot be written now."""
    _change(instance, destination, lambda before: Mark(before.held, before.code, words))


def release(instance: Path, destination: str | None) -> None:
    """For one destination, or for all (None); a waiver stays. Raises Retry, and all stays held, as the others do."""
    _change(instance, destination, lambda before: Mark(waived=before.waived))


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
