"""An exam that nobody closed: after a time with no recording, the capture process closes it.

So it is with an exam that a restart of the box interrupted. How long it has been idle is known from the wall
clock if that was trusted then and is now; in any case it is as long as the box has been up.
"""

from __future__ import annotations

import logging

from gateway import exam
from gateway.acquire.recorder import last_recorded, of_exam
from gateway.clock import Clock
from gateway.device import Device
from gateway.model import Code, Exam, Instant
from gateway.places import Places

log = logging.getLogger(__name__)
# PS3.16 CID 9300, Procedure Discontinuation Reason
UNSPECIFIED = Code("110513", "DCM", "Discontinued for unspecified reason")


def close_if_idle(here: Places, clock: Clock, device: Device) -> tuple[str, ...]:
    """Close the open exams of ``device`` (and those of no device: replays) with no recording for ``exam_idle`` s.

    COMPLETED if there is an acquisition, else DISCONTINUED. Returns the ids of those that were closed.
    """
    now = clock.now()
    candidates = [e for e in exam.still_open(here) if device.name in e.devices or not e.devices]
    return tuple(e.exam for e in candidates if _close(here, clock, e, now, device.exam_idle))


def _close(here: Places, clock: Clock, found: Exam, now: Instant, patience: float) -> bool:
    last, recordings = [found.opened], 0
    for facts in of_exam(here, found.exam):
        recordings += 1
        at = last_recorded(here, facts, now)
        if at is None:
            return False
        last.append(at)
    if min(_since(at, now) for at in last) < patience:
        return False
    status = "COMPLETED" if recordings else "DISCONTINUED"
    exam.close_exam(here, clock, found.exam, status, None if recordings else UNSPECIFIED)
    log.info(
        "exam %s is closed (%s): nothing was recorded for %d s, recordings in it: %d",
        *(found.exam, status.lower(), patience, recordings),
    )
    return True


def _since(then: Instant, now: Instant) -> float:
    """Seconds that have passed at least."""
    if then.boot == now.boot:
        return now.monotonic - then.monotonic
    by_wall = now.wall - then.wall if then.trusted and now.trusted else 0.0
    return max(by_wall, now.monotonic)
