"""How much disk a recording takes: its records while it runs, and the instance that is made of them afterwards.

Estimates on the safe side, from what the device said of itself; the spool asks with the true number of samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.model import Kind, MultiplexGroup
from gateway.settings import Device

_COUNT = 4  # bytes of one sample in the records (int32)
_AROUND = 2048  # bytes per second and group for the records' own heads, some twenty blocks a second
_HEADER = 64 << 10  # bytes; an instance's header, annotations included, and the small files beside it
_DERIVED = 4  # leads that may be added: III, aVR, aVL, aVF


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes on the disk."""

    records: int
    instance: int
    seconds: float | None  # the length that was reckoned with; None: of a file, by its size


def expected(kind: Kind, groups: Sequence[MultiplexGroup], seconds: float, device: Device, line: bool) -> Footprint:
    """What a recording of ``seconds`` will take. ``line``: bytes come from a line, which are kept too if so configured.

    What a device sends for a sample is taken to be as long as the sample in the records.
    """
    per_second = sum(group.rate * len(group.channels) * _COUNT for group in groups)
    times = 2 if line and device.keep_bytes else 1
    samples = [round(seconds * group.rate) for group in groups]
    records = round(seconds * (times * per_second + len(groups) * _AROUND))
    return Footprint(records, of_instance(kind, groups, samples, device), seconds)


def of_instance(kind: Kind, groups: Sequence[MultiplexGroup], samples: Sequence[int], device: Device) -> int:
    """Bytes of the instance made of so many samples of each group, missing ones included."""
    ecg = kind is Kind.ECG
    width = 2 if ecg and device.iod != "general-32" else 4  # what is no ECG may need either
    added = _DERIVED if ecg and device.derive_leads else 0
    return _HEADER + sum(
        count * (len(group.channels) + added) * width for group, count in zip(groups, samples, strict=True)
    )
