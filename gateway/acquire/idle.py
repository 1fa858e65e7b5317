"""An exam that nobody closed: after a time with no recording, the capture process closes it."""

from __future__ import annotations

import logging

from gateway import exam
from gateway.acquire.recorder import last_recorded, of_exam
from gateway.clock import Clock
from gateway.model import Code
from gateway.places import Places
from gateway.settings import Device

log = logging.getLogger(__name__)
# PS3.16 CID 9300, Procedure Discontinuation Reason
UNSPECIFIED = Code("110513", "DCM", "Discontinued for unspecified reason")


def close_if_idle(here: Places, clock: Clock, device: Device) -> str | None:
    """Close the device's open exam if none of its devices recorded for ``exam_idle`` seconds; its id if so.

    COMPLETED if there is an acquisition, else DISCONTINUED.
    """
    found = exam.current(here, device.name)
    if found is None:
        return None
    latest, recordings = found.opened.monotonic, 0
    for facts in of_exam(here, found.exam):
        recordings += 1
        last = last_recorded(here, facts)
        if last is None:
            return None
        latest = max(latest, last)
    if clock.monotonic() - latest < device.exam_idle:
        return None
    status = "COMPLETED" if recordings else "DISCONTINUED"
    exam.close_exam(here, clock, found.exam, status, None if recordings else UNSPECIFIED)
    log.info(
        "exam %s is closed (%s): nothing was recorded for %d s, recordings in it: %d",
        *(found.exam, status.lower(), device.exam_idle, recordings),
    )
    return found.exam
