"""From device counts to stored samples: the only place where a number is rounded, and the rule it follows.

The narrowest of 16 and 32 bits that a class allows and that holds the counts stores them as they are. Counts too large
for a class of 16 bits are stored as ``round(counts x s / S)`` with s the device's sensitivity and S the stated Channel
Sensitivity, rounded half to even: each sample is within half of S of what the device said. S is the value that its DS
string (at most 16 characters) parses to, never the one before it was written. Nothing is clipped: what does not fit is
held.

Voice has 8 bits. They are written as UB, linear, by the same rule: of what is companded (MB, AB) no Channel Sensitivity
can tell the values, and it loses too. Body positions are codes, and stay what they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.valuerep import format_number_as_ds

from gateway.dicom.leads import Column
from gateway.errors import Held


@dataclass(frozen=True, slots=True)
class Storage:
    """One sample interpretation: numpy type, largest value beyond ``offset``, and the value that stands for none.

    ``offset`` is added to signed counts where samples have no sign; ``codes`` are the only values there may be.
    """

    interpretation: str
    dtype: str
    most: int
    padding: int
    offset: int = 0
    codes: tuple[int, ...] = ()

    @property
    def bits(self) -> int:
        return np.dtype(self.dtype).itemsize * 8

    @property
    def unsigned(self) -> bool:
        return np.dtype(self.dtype).kind == "u"


STORAGE = {
    "SS": Storage("SS", "<i2", 2**15 - 1, -(2**15)),
    "SL": Storage("SL", "<i4", 2**31 - 1, -(2**31)),
    "UB": Storage("UB", "u1", 2**7 - 1, 0, offset=2**7),
}
POSITIONS = Storage("UB", "u1", 255, 0xFF, codes=(0, 1, 2, 3, 4, 0xFF))  # PS3.3 table A.34.17-2; FF: undefined


@dataclass(frozen=True, slots=True)
class Scale:
    """How one column is stored. ``ratio`` = s / S, or None when the counts are stored as they are; then ``offset``."""

    sensitivity: str  # the DS value
    ratio: float | None
    offset: int = 0


def ds(value: float) -> str:
    """``value`` as DS, the closest that 16 characters allow."""
    return str(format_number_as_ds(float(value)))


def storage_for(interpretations: Sequence[str], low: int, high: int) -> Storage:
    """How a group is stored whose counts lie in ``low..high``, in a class that allows these interpretations."""
    wide = sorted((one for i in interpretations if (one := STORAGE.get(i)) and one.bits > 8), key=lambda one: one.bits)
    return next((one for one in wide if max(-low, high) <= one.most), (wide or [STORAGE["UB"]])[-1])


def bits(low: int, high: int) -> int:
    """So many bits hold counts of ``low..high`` as they are, and one value more that stands for none."""
    return high.bit_length() if low > 0 else max(-low, high).bit_length() + 1


def scale(column: Column, low: int, high: int, storage: Storage, resolution: float) -> Scale:
    """The scale for a column whose counts lie in ``low..high``.

    16 bit: with ``resolution`` 0 the smallest whole number of counts per step that fits the range, else that step
    in the channel's unit. Raises Held, with lead, value and limit, for what would be clipped.
    """
    sensitivity = column.channel.sensitivity
    if storage.codes:
        return Scale(ds(sensitivity), None)
    if storage.offset and low > 0 and high <= storage.most + storage.offset:
        return Scale(ds(sensitivity), None)  # has no sign already
    if storage.interpretation == "SL":
        if max(-low, high) > storage.most:
            raise _clipped(column, low, high, storage, sensitivity, "record with fewer bits per sample")
        return Scale(ds(sensitivity), None)
    reach = max(-low, high)
    if resolution > 0:
        step = float(ds(resolution))
        if round(reach * abs(sensitivity) / step) > storage.most:  # less than 0: the device counts upside down
            raise _clipped(
                column, low, high, storage, step, "set a coarser 'resolution', or 0, or iod = \"general-32\""
            )
        return Scale(ds(resolution), sensitivity / step, storage.offset)
    # more than 2 reach / (2 most + 1): exactly that many would round half a step up, out of the range
    counts = 2 * reach // (2 * storage.most + 1) + 1
    stated = ds(sensitivity * counts)
    return Scale(stated, None if counts == 1 else sensitivity / float(stated), storage.offset)


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
) -> NDArray[np.integer]:
    """A block as it stands in Waveform Data: shape (samples, columns), interleaved by being row-major.

    Raises Held for a value that is none of the storage's codes.
    """
    if storage.codes and len(other := np.setdiff1d(counts, storage.codes)):
        raise Held(
            f"the device reports body position {other[0]}, which there is not",
            "the adapter must give 0 to 4 (supine, left, prone, right, upright) or 255 (undefined)",
        )
    out = np.empty((len(counts), len(columns)), storage.dtype)
    for i, (column, how) in enumerate(zip(columns, scales, strict=True)):
        values = combine(counts, column)
        if how.offset:
            values = np.rint(values * (how.ratio or 1.0)) + how.offset
        elif how.ratio is not None:
            values = np.rint(values * how.ratio)
        out[:, i] = values
    return out
