"""Whose a recording is that begins now: the named exam's, else the exam's that the device is in, else nobody's."""

from __future__ import annotations

import logging

from gateway import exam
from gateway.acquire.idle import close_if_idle
from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.places import Places
from gateway.settings import Device

log = logging.getLogger(__name__)


def named_exam(here: Places, device: str, named: str | None) -> str | None:
    """``named``, if that exam is still open as its recording begins; else nobody's: held."""
    if named is None:
        return None
    try:
        if exam.load(here, named).closed is None:
            return named
        log.error("%s: exam %s was closed before the device began: what comes is held", device, named)
    except GatewayError as error:
        log.error("%s: exam %s cannot be recorded in: %s", device, named, error)
    return None


def patient_since(here: Places, clock: Clock, named: str | None) -> float:
    """Since when, on the monotonic clock, a device sees the exam's patient: what it showed before may be another's.

    Of nobody's recording, of an exam of an earlier boot and of one that cannot be read: only since now.
    """
    now = clock.now()
    if named is not None:
        try:
            opened = exam.load(here, named).opened
        except GatewayError as error:
            log.error("exam %s: nothing from before the trigger is taken: %s", named, error)
        else:
            return opened.monotonic if opened.boot == now.boot else now.monotonic
    return now.monotonic


def device_exam(here: Places, clock: Clock, device: Device) -> str | None:
    """The exam that the device is in. One that is stale is closed first: a device that begins by itself so long after
    the last recording needs a person's confirmation.
    """
    try:
        close_if_idle(here, clock, device)
        found = exam.current(here, device.name)
    except (GatewayError, OSError) as error:
        log.error("%s: no exam can be named: %s", device.name, error)
        return None
    return found.exam if found else None
