"""What the rules come to, for the devices and destinations of this box: pure, for ``gateway config check``.

Every recording that a device may make is put to the rules. What a medium brings back is not thought of here.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from gateway.acquire.adapter import adapter_named
from gateway.destination import Destination
from gateway.device import Device
from gateway.dicom import sources
from gateway.dicom.iods import BY_CLASS, BY_KEY
from gateway.errors import Held
from gateway.model import Channel
from gateway.settings import Settings
from gateway.sop_classes import BY_KIND, PICTURES, WRITTEN
from gateway.spool.routing import Seen, takes


def notes(settings: Settings) -> list[str]:
    """In words: each destination that gets nothing that is recorded here, each device whose recordings go nowhere, each
    whose recordings would be held.
    """
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
    found += [note for device in settings.devices if (note := _foreign(device))]
    return found + [note for device in settings.devices for note in _mislabelled(device)]


def _foreign(device: Device) -> str:
    """In words, if the class that the configuration asks for is none for what the device measures."""
    kinds = adapter_named(device.adapter).kinds
    may = {key for kind in kinds for key in BY_KIND[kind].every}
    if device.iod == "auto" or not may or device.iod in may:
        return ""
    label, measured = BY_CLASS[WRITTEN[device.iod]].label, " or ".join(kinds)
    return f"device {device.name}: it measures {measured}, which does not become {label}; set another 'iod'"


def _mislabelled(device: Device) -> Iterator[str]:
    """In words: what the configuration calls an input, or measures it against, and no code stands for.

    Only where it matters: where a class must have a code for both, and the adapter measures one kind of thing.
    """
    kind, *others = adapter_named(device.adapter).kinds
    row = next((BY_KEY[key] for key in BY_KIND[kind].candidates(device.iod, mixed=bool(others))), None)
    if others or row is None or row.limits is None or not row.waveform.referenced:
        return
    named = [Channel(label, "uV", 1.0) for label in device.montage if label]
    try:
        for channel in named:
            sources.source(channel, row, kind)
        for channel in named or [Channel("", "uV", 1.0)]:
            if device.reference or sources.parts(channel.label)[1]:
                sources.modifiers(channel, row, device.reference)
    except Held as error:
        yield f"device {device.name}: {error.message}; what it records would be held"


def _made(device: Device, to: list[Destination]) -> Iterator[Seen]:
    """All kinds of instances that the device may make, with each code that a rule names."""
    kinds = adapter_named(device.adapter).kinds
    words = [key for kind in kinds for key in BY_KIND[kind].candidates(device.iod, mixed=len(kinds) > 1)]
    classes = dict.fromkeys(key for word in words for key in PICTURES.get(word, (word,)))
    patients = ("test",) if device.test else ("scheduled", "entered", "unidentified")
    codes = frozenset((value, scheme) for d in to for value, _, scheme in (p.partition("^") for p in d.only_procedures))
    for key, patient in itertools.product(classes, patients):
        uid = WRITTEN[key]
        yield Seen(
            uid, BY_CLASS[uid].written_modality, codes if patient == "scheduled" else frozenset(), device.name, patient
        )
