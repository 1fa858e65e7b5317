"""The endless stream of a soaked device: every sample says which device it is from and which number it has.

A sample is one row of 8 counts of 24 bits: the number's low 23 bits; device and the number's high bits; and six more
that only this device and number give. So a lost, doubled, swapped or altered sample is known from the data alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CHANNELS = 8
PADDING = -(2**31)  # what stands for a missing sample in a 32-bit waveform
_LOW = 23  # bits of the number in the first channel
_DEVICE = 15  # bits of the number in the second channel, below the device
_GOLDEN, _MIX = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)

Counts = NDArray[np.int32]
Numbers = NDArray[np.int64]


def rows(device: int, numbers: Numbers) -> Counts:
    """The samples with these numbers, int32, shape (len(numbers), 8). ``device`` 0..127, numbers below 2^38."""
    found = np.empty((len(numbers), CHANNELS), np.int32)
    found[:, 0] = numbers & (1 << _LOW) - 1
    found[:, 1] = device << _DEVICE | numbers >> _LOW
    seed = (numbers.astype(np.uint64) << np.uint64(8)) + np.uint64(device)
    for channel in range(2, CHANNELS):
        word = (seed + np.uint64(channel)) * _GOLDEN
        word = (word ^ word >> np.uint64(30)) * _MIX
        found[:, channel] = (word >> np.uint64(40)).astype(np.int64) - (1 << 23)  # 24 bits, signed
    return found


def identify(data: Counts) -> tuple[NDArray[np.int64], Numbers]:
    """Device and number that each row claims; the rows may be anything."""
    wide = data.astype(np.int64)
    return wide[:, 1] >> _DEVICE, wide[:, 0] | (wide[:, 1] & (1 << _DEVICE) - 1) << _LOW
