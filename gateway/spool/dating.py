"""When an exam really began and ended, if the clock was set only afterwards: what capture cannot know, forward learns.

A board without a clock battery wakes up in the past. Once the clock is trusted within the same boot, the monotonic
clock tells every earlier moment of that boot; ``dated.json`` beside the exam keeps what it told, so that all of
the exam's instances and its steps say the same, also after a reboot. Only exam.json's owner writes exam.json.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import threading

from gateway import fsops
from gateway.clock import Clock
from gateway.model import Exam, Instant
from gateway.places import Places

log = logging.getLogger(__name__)
DATED = "dated.json"
_lock = threading.Lock()


def corrected(at: Instant, boot: str, ahead: float) -> Instant:
    """``at`` in true time, if it was noted under the untrusted clock of ``boot``; ``ahead``: wall less monotonic."""
    if at.trusted or at.boot != boot:
        return at
    return dataclasses.replace(at, wall=at.monotonic + ahead, trusted=True)


def dated(here: Places, clock: Clock, exam: Exam) -> Exam:
    """The exam with times as true as they can be known; unchanged while the clock is not trusted."""
    moments = [exam.opened, exam.attribution.at, *([exam.closed.at] if exam.closed else [])]
    if all(moment.trusted for moment in moments):
        return exam
    told = _told(here, clock, exam, {m.boot for m in moments if not m.trusted})
    if told is None:
        return exam
    closed = exam.closed and dataclasses.replace(exam.closed, at=corrected(exam.closed.at, *told))
    attribution = dataclasses.replace(exam.attribution, at=corrected(exam.attribution.at, *told))
    return dataclasses.replace(exam, opened=corrected(exam.opened, *told), attribution=attribution, closed=closed)


def _told(here: Places, clock: Clock, exam: Exam, boots: set[str]) -> tuple[str, float] | None:
    """The boot, and how far the wall clock was ahead of its monotonic clock; kept at the first trusted look."""
    path = here.exam(exam.exam).parent / DATED
    with _lock:
        try:
            kept = json.loads(path.read_bytes())
            return str(kept["boot"]), float(kept["ahead"])
        except FileNotFoundError:
            pass
        except (ValueError, KeyError, TypeError) as error:
            log.warning("%s is damaged (%s) and is made anew if the clock still tells", path, error)
        now = clock.now()
        if not now.trusted or now.boot not in boots:
            return None
        ahead = now.wall - now.monotonic
        fsops.write_json(path, {"version": 1, "boot": now.boot, "ahead": ahead})
        log.info("exam %s began %+.0f s from what the clock said then", exam.exam, _off(exam, now.boot, ahead))
        return now.boot, ahead


def _off(exam: Exam, boot: str, ahead: float) -> float:
    return corrected(exam.opened, boot, ahead).wall - exam.opened.wall
