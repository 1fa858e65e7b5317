"""Where a recording of a class that may not be interrupted goes on in another instance (PS3.3 A.34.12).

A gap of a device's ``interruption`` setting or more is one: what was lost then is in no part, and the part that follows
says why. Shorter gaps are padding, as in every class.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from gateway import records
from gateway.dicom import parts
from gateway.dicom.parts import SEPARATE, Part
from gateway.errors import Held
from gateway.events import Gap, Samples
from gateway.records import Type

_UNASKED = (Type.FRAME, Type.MARKER, Type.BYTES, Type.SYNCED, Type.END)
_STRIDE = 4 << 20  # bytes between two beats


def stretches(
    path: Path, group: int, rate: float, least: float, beat: Callable[[], None] = lambda: None
) -> list[tuple[int, int]]:
    """First sample and the one behind of each piece of a group between gaps of at least ``least`` seconds.

    Raises Held if there are more of them than Instance Number can tell apart.
    """
    found = []
    begin = at = due = 0
    for record in records.read(path, skip=_UNASKED):
        if record.end >= due:
            beat()
            due = record.end + _STRIDE
        match records.decode(record):
            case Samples(data=data, group=of) if of == group:
                at += len(data)
            case Gap(samples=lost, group=of) if of == group and lost:
                if lost >= least * rate:
                    found += [(begin, at)] if at > begin else []
                    begin = at + lost
                at += lost
        if len(found) >= SEPARATE:
            raise Held(
                f"the recording was interrupted for {least:g} s or more more than {SEPARATE} times",
                "set a longer 'interruption' for the device, and release it",
            )
    return [*found, (begin, at)] if at > begin else found


def cut(
    pieces: Sequence[tuple[int, int]], group: int, rates: Sequence[float], width: int, largest: int
) -> tuple[Part, ...]:
    """The parts of a recording that is in these pieces, each cut further if it is too large (:func:`parts.cut`)."""
    made: list[Part] = []
    for first, last in pieces:
        for part in parts.cut([rates[group]], [last - first], [width], largest):
            (begin, end), none = part.ranges[0], (0, 0)
            ranges = tuple((first + begin, first + end) if n == group else none for n in range(len(rates)))
            made.append(replace(part, seconds=first / rates[group] + part.seconds, ranges=ranges))
    if len(made) >= SEPARATE:
        raise Held(f"the recording would come in {len(made)} parts", "set a longer 'interruption' for the device")
    behind = [tuple(0 for _ in rates), *(tuple(end for _, end in part.ranges) for part in made)]
    return tuple(
        replace(part, number=number, of=len(made), after=before)
        for number, (part, before) in enumerate(zip(made, behind, strict=False), 1)
    )
