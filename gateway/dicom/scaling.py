"""From device counts to stored samples: the only place where a number is rounded, and the rule it follows.

32-bit classes store the counts themselves. 16-bit classes store ``round(counts x s / S)`` with s the device's
sensitivity and S the stated Channel Sensitivity, rounded half to even: each sample is within half of S of what
the device said. S is the value that its DS string (at most 16 characters) parses to, never the one before it was
written. Nothing is clipped: what does not fit is held.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.valuerep import format_number_as_ds

from gateway.dicom.leads import Column
from gateway.errors import Held


@dataclass(frozen=True, slots=True)
class Storage:
    """One sample interpretation: numpy type, value range of samples, and the value that stands for none."""

    interpretation: str
    dtype: str
    most: int
    padding: int

    @property
    def bits(self) -> int:
        return np.dtype(self.dtype).itemsize * 8


STORAGE = {
    "SS": Storage("SS", "<i2", 2**15 - 1, -(2**15)),
    "SL": Storage("SL", "<i4", 2**31 - 1, -(2**31)),
}


@dataclass(frozen=True, slots=True)
class Scale:
    """How one column is stored. ``ratio`` = s / S, or None when the counts are stored as they are."""

    sensitivity: str  # the DS value
    ratio: float | None


def ds(value: float) -> str:
    """``value`` as DS, the closest that 16 characters allow."""
    return str(format_number_as_ds(float(value)))


def scale(column: Column, low: int, high: int, storage: Storage, resolution: float) -> Scale:
    """The scale for a column whose counts lie in ``low..high``.

    16 bit: with ``resolution`` 0 the smallest whole number of counts per step that fits the range, else that step
    in the channel's unit. Raises Held, with lead, value and limit, for what would be clipped.
    """
    sensitivity = column.channel.sensitivity
    if storage.interpretation == "SL":
        if max(-low, high) > storage.most:
            raise _clipped(column, low, high, storage, sensitivity, "record with fewer bits per sample")
        return Scale(ds(sensitivity), None)
    reach = max(-low, high)
    if resolution > 0:
        step = float(ds(resolution))
        if round(reach * sensitivity / step) > storage.most:
            raise _clipped(
                column, low, high, storage, step, "set a coarser 'resolution', or 0, or iod = \"general-32\""
            )
        return Scale(ds(resolution), sensitivity / step)
    # more than 2 reach / (2 most + 1): exactly that many would round half a step up, out of the range
    counts = 2 * reach // (2 * storage.most + 1) + 1
    stated = ds(sensitivity * counts)
    return Scale(stated, None if counts == 1 else sensitivity / float(stated))


def _clipped(column: Column, low: int, high: int, storage: Storage, step: float, fix: str) -> Held:
    worst = high if high >= -low else low
    channel = column.channel
    return Held(
        f"lead {channel.label} reaches {worst * channel.sensitivity:g} {channel.unit}, but {storage.bits}-bit samples "
        f"of {step:g} {channel.unit} end at {storage.most * step:g} {channel.unit}; nothing is clipped",
        fix,
    )


def combine(counts: NDArray[np.int32], column: Column) -> NDArray[np.int64]:
    """The counts of one column, from a block of device counts of shape (samples, device channels)."""
    (first, factor), *rest = column.terms
    total = counts[:, first].astype(np.int64) * factor
    for channel, factor in rest:
        total += counts[:, channel].astype(np.int64) * factor
    return total


def store(
    counts: NDArray[np.int32], columns: tuple[Column, ...], scales: tuple[Scale, ...], storage: Storage
) -> NDArray[np.int16] | NDArray[np.int32]:
    """A block as it stands in Waveform Data: shape (samples, columns), interleaved by being row-major."""
    out = np.empty((len(counts), len(columns)), storage.dtype)
    for i, (column, how) in enumerate(zip(columns, scales, strict=True)):
        values = combine(counts, column)
        out[:, i] = values if how.ratio is None else np.rint(values * how.ratio)
    return out
