"""Whether a spooled file is still what was written: asked before it is offered to anybody, or copied anywhere."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from gateway.spool import instances, layout
from gateway.spool.deliveries import Due
from gateway.spool.ledger import Ledger

log = logging.getLogger(__name__)


def sha256(ledger: Ledger, one: Due, beat: Callable[[], None]) -> str | None:
    """The file's SHA-256, read now; None, an alarm, and the instance marked, if the file is not as it was."""
    try:
        found = layout.sha256(Path(one.instance.path), beat)
    except OSError as error:
        _alarm(ledger, one, f"its file cannot be read ({error.strerror})")
        return None
    if one.sha256 is None:
        instances.keep_hash(ledger, one.instance.sop_instance_uid, found)
    elif one.sha256 != found:
        _alarm(ledger, one, "its file is not what was written")
        return None
    return found


def _alarm(ledger: Ledger, one: Due, words: str) -> None:
    uid = one.instance.sop_instance_uid
    instances.mark_corrupt(ledger, uid, words)
    log.error("instance %s is not sent: %s; check the disk: gateway queue show %s", uid, words, uid)
