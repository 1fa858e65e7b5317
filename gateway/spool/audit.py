"""The audit trail: who decided what, when, why; one JSON object per line, only ever appended.

A line is on the medium before what it tells of happens. No patient data: subjects are ids and UIDs.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from pathlib import Path

from gateway import fsops
from gateway.model import Instant

log = logging.getLogger(__name__)
_lock = threading.Lock()


def append(path: Path, at: Instant, who: str, what: str, subject: str, why: str = "") -> None:
    """Record one decision durably. ``who`` is a person's name, or "rule" for what the configuration decided."""
    entry = {"at": at.wall, "trusted": at.trusted, "who": who, "what": what, "subject": subject, "why": why}
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
    log.info("%s: %s %s%s", who, what, subject, f" ({why})" if why else "")
