"""Another wrapping of the same recording, for a destination that refuses the class of the first.

Only from the lossless 32-bit class to a 16-bit one, and only where the configuration or a person says so. The new
instances have UIDs of their own, derived, so that a repetition after a crash makes the same ones.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from gateway import exam
from gateway.clock import Clock
from gateway.dicom import iods
from gateway.errors import Held, Misuse
from gateway.settings import Settings
from gateway.spool import audit, dating, deliveries, holding, instances, layout
from gateway.spool.instances import Origin, Wanted
from gateway.spool.intake import Check, Wrap, make, read_again
from gateway.spool.ledger import Ledger

FROM = "general-32"
INSTEAD = ("twelve-lead", "general", "ambulatory")  # the first that the recording fits into
_one_at_a_time = threading.Lock()  # several destinations, and a person, may want the same wrapping


def rewrap(
    settings: Settings,
    ledger: Ledger,
    clock: Clock,
    wrap: Wrap,
    check: Check,
    uid: str,
    destination: str,
    who: str,
    beat: Callable[[], None] = lambda: None,
) -> str:
    """Wrap the recording behind ``uid`` again and queue that to ``destination`` in its place; returns the IOD's key.

    Raises Held if no other class carries it or the raw recording is gone, Misuse for an unknown instance or
    destination. Waits while another thread wraps again.
    """
    while not _one_at_a_time.acquire(timeout=1.0):
        beat()  # the one that wraps is watched; who waits for it is not stuck
    try:
        return _rewrap(settings, ledger, clock, wrap, check, uid, destination, who, beat)
    finally:
        _one_at_a_time.release()


def _rewrap(
    settings: Settings,
    ledger: Ledger,
    clock: Clock,
    wrap: Wrap,
    check: Check,
    uid: str,
    destination: str,
    who: str,
    beat: Callable[[], None],
) -> str:
    row = instances.instance(ledger, uid)
    if row is None:
        raise Misuse(f"there is no instance {uid}", "gateway queue list shows all")
    if row["class"] != iods.TABLE[FROM].sop_class_uid:
        raise Held(
            "only a General 32-bit ECG can be wrapped again, as a 16-bit one", "ask the PACS to accept this class"
        )
    here = settings.places
    raw = here.acquisition(row["acquisition"])
    facts = holding.facts(raw)
    if facts is None:
        raise Held(f"the raw recording {row['acquisition']} is gone", "ask the PACS to accept the 32-bit class")
    policy = settings.destination(destination).policy
    found_exam = dating.dated(here, clock, exam.load(here, row["exam"]))
    refusals = []
    for iod in INSTEAD:
        final = here.instances / layout.further(row["folder"], iod)
        try:
            if not final.exists():
                make(raw, final, found_exam, settings, wrap, check, iod, beat)
        except Held as error:
            refusals.append(f"{iod}: {error.message}")
            continue
        origin = Origin(final.name, row["acquisition"], row["exam"], row["device"], facts.test)
        words = f"{destination} refuses the class; sent as {iod} instead"
        audit.append(here.audit, clock.now(), who, "rewrap", uid, words)
        found = read_again(here, final, beat)
        deliveries.supersede(ledger, uid, Wanted(destination, policy), origin, found, words, clock.wall())
        return iod
    raise Held("no 16-bit class carries it (" + "; ".join(refusals) + ")", "ask the PACS to accept the 32-bit class")
