"""The audit trail: who decided what, when, why; one JSON object per line, only ever appended.

A line is on the medium before what it tells of happens. No patient data: subjects are ids and UIDs. Where there is an
audit repository, what left the box is noted, too (gateway.transfer.auditing).
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gateway import fsops
from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.model import Instant
from gateway.settings import Settings

log = logging.getLogger(__name__)
_lock = threading.Lock()
_EVERY = {"at", "who", "what", "subject"}
_LONGEST = 1 << 20  # bytes of a line


def append(
    path: Path, at: Instant, who: str, what: str, subject: str, why: str = "", instances: Sequence[str] = ()
) -> None:
    """Record one decision durably. ``who`` is a person's name, or "rule" for what the configuration decided.

    ``why`` stands in the file only, if a person gave it.
    """
    entry: dict[str, Any] = {"at": at.wall, "trusted": at.trusted, "who": who, "what": what}
    entry |= {"subject": subject, "why": why}
    if instances:
        entry["instances"] = list(instances)
    line = json.dumps(entry, ensure_ascii=False).encode() + b"\n"
    with _lock:
        new = not path.exists()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, fsops.FILE_MODE)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                line = b"\n" + line  # a power cut tore the last line; this one must stand alone
            fsops.extend(descriptor, line, size)
            fsops.sync(descriptor, path)
        finally:
            os.close(descriptor)
        if new:
            fsops.sync_folder(path.parent)
    if not instances:
        told = f" ({why})" if why and who == "rule" else ""  # what a person wrote may name a patient
        log.info("%s: %s %s%s", who, what, subject, told)


def left(settings: Settings, clock: Clock, what: str, to: str, uids: Sequence[str]) -> None:
    """Note what has left the box ("transfer" to a destination, "export" to a medium), if there is a repository to tell.

    Never stands in the way of the transfer: on a full disk, what was taken must be known to be, so that room comes.
    """
    if not settings.audit.host or not uids:
        return
    try:
        append(settings.places.audit, clock.now(), "rule", what, to, instances=uids)
    except (OSError, GatewayError) as error:
        log.error("the %s of %d instances to %s is not in the audit trail: %s", what, len(uids), to, error)


def entries(path: Path, start: int, most: int) -> list[tuple[dict[str, Any], int]]:
    """At most so many entries from byte ``start`` on, each with the byte behind it. A torn line is passed over."""
    found: list[tuple[dict[str, Any], int]] = []
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        return found
    with stream:
        stream.seek(start)
        while len(found) < most and (line := stream.readline(_LONGEST)).endswith(b"\n"):
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict) and entry.keys() >= _EVERY:
                found.append((entry, stream.tell()))
    return found
