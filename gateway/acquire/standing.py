"""The standing order: what a device was told to record, kept until it is done.

A capture that is killed, or a box that loses its power, must not end a recording for good: nobody may be there to
press start again. The order lies in DATA/orders/DEVICE.json from before the recording begins until it has ended in
order, and a capture that comes up looks whether one stands. Whose the rest is, is never guessed: in the same boot the
exam's, if it is still open and the device was not away for so long that another patient may be on it; after a restart
of the box, nobody's, until a person says so.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass

from gateway import exam, fsops, records
from gateway.acquire.recorder import last_of_device, last_recorded
from gateway.errors import Fatal, GatewayError, Held
from gateway.model import Facts, Instant, from_json, to_json
from gateway.places import RECORDS, Places

log = logging.getLogger(__name__)
VERSION = 1
PROCESS_STOPPED = "the capture process was stopped"  # the one END after which an order still stands


@dataclass(frozen=True, slots=True)
class Standing:
    """One order. ``seconds`` None: until somebody stops it."""

    device: str
    exam: str | None
    seconds: float | None
    ordered: Instant
    version: int = VERSION


def keep(here: Places, order: Standing) -> None:
    """Raises Held if there is no room for it: then nothing begins."""
    try:
        fsops.make_folder(here.orders)
        fsops.write_json(here.order(order.device), to_json(order))
    except OSError as error:
        raise Held(
            f"no new recording: {here.orders} takes no file ({error.strerror})", "make room, check the disk"
        ) from error


def forget(here: Places, device: str) -> None:
    """The recording is over. Costs next to nothing if no order stands."""
    path = here.order(device)
    try:
        if path.exists():
            fsops.unlink(path)
    except OSError as error:
        raise Fatal(f"{path} cannot be removed ({error.strerror})", "check that the disk is not read-only") from error


def resumed(here: Places, device: str, now: Instant, away: float) -> Standing | None:
    """What the device still has to record, or None; an order that is over is forgotten.

    ``away``: seconds without a sample after which a recording is over (as for a lost device).
    """
    path = here.order(device)
    fsops.sweep(path.parent, path.name)
    try:
        order = from_json(Standing, json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        log.error("%s cannot be read (%s): if %s was recording, start it again", path, error, device)
        return None
    if order.version > VERSION:
        log.error("%s has format version %d, newer than %d: upgrade the gateway", path, order.version, VERSION)
        return None
    if (why := _over(here, order, now, away)) is not None:
        log.warning("%s had an order to record, which is over: %s", device, why)
        forget(here, device)
        return None
    if order.ordered.boot == now.boot:
        log.warning("%s was recording when its capture process ended: it goes on", device)
        return order
    log.warning(
        "%s was recording when the box lost its power or was restarted: it goes on, and what comes belongs to nobody "
        "until a person says whose it is",
        device,
    )
    return Standing(device, None, order.seconds, now)


def left(order: Standing, now: Instant) -> float | None:
    """Seconds that are still to be recorded."""
    return None if order.seconds is None else order.seconds - (now.monotonic - order.ordered.monotonic)


def _over(here: Places, order: Standing, now: Instant, away: float) -> str | None:
    """In words, why an order is not carried on."""
    last = last_of_device(here, order.device, order.ordered.boot)
    if last is not None and last.noted.monotonic < order.ordered.monotonic:
        last = None  # of an earlier order
    if last is not None and _ended(here, last):
        return "its recording has ended"
    if order.ordered.boot != now.boot:
        return None
    rest = left(order, now)
    if rest is not None and rest <= 0:
        return "the planned length is over"
    heard = last_recorded(here, last, now) if last is not None else order.ordered
    if heard is not None and now.monotonic - heard.monotonic > away:
        return f"the device recorded nothing for more than {away:.0f} s, another patient may be on it"
    try:
        if order.exam is not None and exam.load(here, order.exam).closed is not None:
            return f"exam {order.exam} was closed"
    except GatewayError as error:
        return f"its exam cannot be read: {error.message}"
    return None


def _ended(here: Places, facts: Facts) -> bool:
    """Whether the recording came to its own end, and not to that of the process or the box."""
    try:
        end = records.ending(here.acquisition(facts.acquisition) / RECORDS)
    except OSError:
        return False
    return end is not None and not end.interrupted and end.reason != PROCESS_STOPPED
