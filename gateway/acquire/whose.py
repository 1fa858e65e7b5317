"""Whose a recording is that begins now: the named exam's, else the exam's that the device is in, else nobody's."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from gateway import exam, matching
from gateway.acquire.idle import close_if_idle
from gateway.clock import Clock
from gateway.device import Device
from gateway.errors import GatewayError
from gateway.events import Identified
from gateway.model import Exam
from gateway.places import Places

log = logging.getLogger(__name__)
BEFORE = 60.0  # seconds that a recording may seem to begin before its exam: clocks differ, and fingers are quick


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


def file_exam(
    here: Places,
    clock: Clock,
    device: Device,
    said: Iterable[Identified],
    began: float | None,
    arrived: float | None,
) -> str | None:
    """The exam of a file: the one that its device is in, if the file plainly came out of it; else nobody's.

    Plainly: it names the exam's patient or order; or it came into the folder while the exam was open (``arrived``,
    monotonic; None: it was there before anybody looked), and was not recorded before (``began``: wall seconds by the
    device's clock; None: the file does not tell). An export that is late is the earlier patient's. What nobody saw
    coming is judged by its own time alone, also where an earlier one is allowed.
    """
    if (name := device_exam(here, clock, device)) is None:
        return None
    try:
        found = exam.load(here, name)
    except GatewayError as error:
        log.error("%s: exam %s cannot be recorded in: %s", device.name, name, error)
        return None
    if _named(found, device, said):
        return name
    if why := _doubt(found, device, began, arrived):
        log.warning("%s: the file is not taken for exam %s: %s; it is held if it names nobody", device.name, name, why)
        return None
    return name


def _named(found: Exam, device: Device, said: Iterable[Identified]) -> bool:
    """Whether the file names the exam's patient or order, by an identifier that decides on this device."""
    decide = [one for one in said if one.kind in device.match]
    items = found.attribution.items
    return bool(decide) and all(any(matching.agrees(one.kind, one.text, item) for item in items) for one in decide)


def _doubt(found: Exam, device: Device, began: float | None, arrived: float | None) -> str:
    if arrived is not None and arrived < found.opened.monotonic:
        return "it came before the exam was opened"
    if arrived is None and began is None:
        return "it was there before anybody looked, and does not tell when it was recorded"
    if began is None or began >= found.opened.wall - BEFORE:
        return ""
    if arrived is None:
        return "it was there before anybody looked, and was recorded before the exam was opened"
    if device.earlier == "hold":
        return (
            'it was recorded before the exam was opened (earlier = "take" allows that, if the device\'s clock is right)'
        )
    return ""
