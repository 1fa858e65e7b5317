"""A damaged instance made anew from its raw recording, when a person asks for it: the very same bytes, or nothing.

Wrapping is repeatable: UIDs are derived, times are the recording's. So the hash that was kept says whether what is
made now is what was made then; an upgrade in between may have changed the header, and that must not pass for the same.
"""

from __future__ import annotations

import threading

from gateway import exam, fsops
from gateway.clock import Clock
from gateway.errors import Held
from gateway.settings import Settings
from gateway.spool import dating, instances, layout
from gateway.spool.intake import Wrap
from gateway.spool.ledger import Ledger

_one_at_a_time = threading.Lock()


def _unwatched() -> None:
    """A person waits for it at the desk, and no watchdog."""


def remake(settings: Settings, ledger: Ledger, clock: Clock, wrap: Wrap, uid: str) -> None:
    """Put the instance back as it was written, and mark it whole. Raises Held, changing nothing, if that cannot be."""
    row = instances.instance(ledger, uid)
    assert row is not None and row["corrupt"] is not None
    here = settings.places
    raw = here.acquisition(row["acquisition"])
    if row["sha256"] is None:
        raise Held(f"nobody knows what instance {uid} was", "compare it with a backup")
    if layout.is_import(row["folder"]):
        raise Held(f"instance {uid} came from a medium", "import that again: it gives back what was damaged here")
    if not raw.exists():
        raise Held(f"the raw recording {row['acquisition']} is gone", "compare the instance with a backup")
    folder, path = here.instances / row["folder"], here.data / row["path"]
    again = layout.unfinished(folder.with_name(f"{folder.name}~again"))
    with _one_at_a_time:
        fsops.remove_folder(again)
        fsops.make_folder(again)
        try:
            found_exam = dating.dated(here, clock, exam.load(here, row["exam"]))
            wrap(raw, found_exam, settings, again, row["folder"].partition("~")[2] or None, _unwatched)
            made = again / path.name
            if not made.exists() or layout.sha256(made) != row["sha256"]:
                words = f"what is made of recording {row['acquisition']} now is not what instance {uid} was"
                raise Held(words, "the gateway or its settings have changed since; compare it with a backup")
            fsops.make_folder(folder)
            fsops.rename(made, path)
        finally:
            fsops.remove_folder(again)
    instances.mark_whole(ledger, uid, clock.wall())
