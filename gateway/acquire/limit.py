"""When a running recording must end: while there is still room for its END and for the instance made of it."""

from __future__ import annotations

from gateway.acquire.admission import LAST_ROOM, MIB, Room, room, unwrapped
from gateway.acquire.footprint import of_ended
from gateway.counts import End
from gateway.device import Device
from gateway.errors import Held
from gateway.model import Facts
from gateway.places import Places
from gateway.profile import Profile

FULL = "the disk is full"  # the reason in END
_AGAIN = 10.0  # seconds between two looks at what else waits for room


def over(found: Room, needed: int) -> bool:
    """Whether the recording must be closed now: ``needed`` bytes would soon no longer be there."""
    return found.free < LAST_ROOM + needed


class Limit:
    """Watches the room of one running acquisition."""

    def __init__(self, here: Places, device: Device, facts: Facts, profile: Profile) -> None:
        self._here = here
        self._device = device
        self._profile = profile
        self._facts = facts
        self._others = unwrapped(here, facts.acquisition)
        self._looked = facts.noted.monotonic

    def reached(self, end: End, now: float) -> Held | None:
        """What to tell a person if the recording must be closed. ``end``: its counts so far; ``now`` is monotonic."""
        own = of_ended(self._facts, end, self._device, self._profile)
        found = room(self._here.data)
        if over(found, 2 * (own + self._others)) and now - self._looked > _AGAIN:
            self._others, self._looked = unwrapped(self._here, self._facts.acquisition), now
        needed = own + self._others
        if not over(found, needed):
            return None
        length = _seconds(self._facts, end)
        must = -(-(LAST_ROOM + needed) // MIB)
        words = f"{FULL}: the recording was closed after {length:.0f} s and is kept"
        return Held(
            f"{words} ({found.mebibytes} MiB are free, {must} are needed to finish what is recorded)",
            "make room before the next one: gateway queue list",
        )


def _seconds(facts: Facts, end: End) -> float:
    if facts.picture is not None:
        return end.last_time - facts.started.monotonic
    return max(counted.samples / group.rate for counted, group in zip(end.groups, facts.groups, strict=True))
