"""In which order the pictures of an H.264 stream are shown, where that is not the order in which they are decoded.

Picture order counts (ITU-T H.264 8.2.1) tell it: type 0 by a number in each slice header that wraps around, type 2 by
saying that both orders are one. Cameras rarely reorder; encoders on a PC do, and a container must then say when each
picture is shown.
"""

from __future__ import annotations

from array import array

import numpy as np
from numpy.typing import NDArray

from gateway.dicom.frames import h264
from gateway.errors import Held

_REFERENCE = 0x60  # nal_ref_idc


class Orders:
    """The picture order counts of the used frames, four bytes each."""

    def __init__(self) -> None:
        self._counts = array("q")
        self._starts = array("Q")  # frames at which counting begins anew
        self._high, self._low = 0, 0  # of the last reference picture
        self._reordered = False

    def take(self, unit: bytes, head: h264.Slice, told: h264.Sequence) -> None:
        if told.order_type == 1 and head.bidirectional:
            raise Held("the clip tells the order of its pictures in a way that is not read here", "re-encode it")
        if h264.kind(unit) == h264.IDR:
            self._starts.append(len(self._counts))
            self._high = self._low = 0
        wrap, high = 1 << told.order_bits, self._high
        if told.order_type == 0:
            if head.order < self._low and self._low - head.order >= wrap // 2:
                high += wrap
            elif head.order > self._low and head.order - self._low > wrap // 2:
                high -= wrap
        count = high + head.order if told.order_type == 0 else len(self._counts)
        if self._counts and self._starts and self._starts[-1] < len(self._counts) and count < self._counts[-1]:
            self._reordered = True
        self._counts.append(count)
        if unit[0] & _REFERENCE:
            self._high, self._low = high, head.order

    def delays(self, first: int, last: int, durations: NDArray[np.int64]) -> NDArray[np.int64]:
        """From decoding to display of the frames ``first`` to ``last``, in the units of ``durations``; empty if all are
        shown in the order in which they are decoded."""
        if not self._reordered:
            return np.empty(0, np.int64)
        counts = np.array(self._counts[first:last], np.int64)
        inner = [int(s) - first for s in self._starts if first < s < last]
        decoded = np.concatenate(([0], np.cumsum(durations)[:-1]))
        shown = np.empty_like(decoded)
        for begin, end in zip([0, *inner], [*inner, len(counts)], strict=True):
            rank = np.argsort(np.argsort(counts[begin:end], kind="stable"), kind="stable")
            shown[begin:end] = decoded[begin:end][rank]
        return np.asarray(shown - decoded + int((decoded - shown).max()), np.int64)
