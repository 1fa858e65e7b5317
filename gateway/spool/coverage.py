"""What the rules of all destinations come to, for the devices of this box: pure, for ``gateway config check``.

Every recording that a device may make is put to the rules. What a medium brings back is not thought of here.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from gateway.acquire.adapter import adapter_named
from gateway.destination import Destination
from gateway.dicom.iods import BY_CLASS
from gateway.settings import Device, Settings
from gateway.sop_classes import BY_KIND, WRITTEN
from gateway.spool.routing import Seen, takes


def notes(settings: Settings) -> list[str]:
    """In words: each destination that gets nothing that is recorded here, each device whose recordings go nowhere."""
    to = [d for d in settings.destinations if not d.stands_in_for]
    made = {device.name: list(_made(device, to)) for device in settings.devices}
    found = [
        f"destination {d.name}: its rules allow nothing that the devices of this box record"
        for d in to
        if made and not any(takes(d, seen) for each in made.values() for seen in each)
    ]
    if to and not (settings.media is not None and settings.media.policy == "media-verified"):
        found += [
            f"device {name}: what it records goes to no destination; widen a rule, or it stays here for ever"
            for name, each in made.items()
            if not any(takes(d, seen) for d in to for seen in each)
        ]
    return found


def _made(device: Device, to: list[Destination]) -> Iterator[Seen]:
    """All kinds of instances that the device may make, with each code that a rule names."""
    kinds = adapter_named(device.adapter).kinds
    classes = [key for kind in kinds for key in BY_KIND[kind].candidates(device.iod, mixed=len(kinds) > 1)]
    patients = ("test",) if device.test else ("scheduled", "entered", "unidentified")
    codes = frozenset((value, scheme) for d in to for value, _, scheme in (p.partition("^") for p in d.only_procedures))
    for key, patient in itertools.product(classes, patients):
        uid = WRITTEN[key]
        yield Seen(uid, BY_CLASS[uid].modality, codes if patient == "scheduled" else frozenset(), device.name, patient)
