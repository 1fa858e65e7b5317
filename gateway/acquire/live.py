"""The last few seconds of what is being recorded, thinned out for a viewer. May be dropped at any time."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.events import Samples
from gateway.model import MultiplexGroup

SECONDS = 5.0
FASTEST = 125.0  # Hz


class Live:
    """A bounded ring of the first multiplex group; written by the device's thread, read by any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._group: MultiplexGroup | None = None
        self._every = 1
        self._position = 0
        self._ring: deque[NDArray[np.int32]] = deque()

    def begin(self, groups: tuple[MultiplexGroup, ...]) -> None:
        with self._lock:
            self._group = groups[0] if groups else None
            rate = groups[0].rate if groups else FASTEST
            self._every = max(1, int(np.ceil(rate / FASTEST)))
            self._position = 0
            self._ring = deque(maxlen=int(SECONDS * rate / self._every))

    def take(self, event: Samples) -> None:
        if event.group != 0:
            return
        with self._lock:
            self._ring.extend(event.data[(-self._position) % self._every :: self._every].copy())
            self._position += len(event.data)

    def view(self) -> dict[str, Any]:
        """Plain JSON: rate in Hz, and for each channel its label, unit and values in that unit."""
        with self._lock:
            group, every, rows = self._group, self._every, list(self._ring)
        if group is None:
            return {"rate": 0.0, "channels": []}
        columns = np.array(rows, np.int32).reshape(-1, len(group.channels)).T
        channels = [
            {
                "label": channel.label,
                "unit": channel.unit,
                "values": np.round(column * channel.sensitivity + channel.baseline, 3).tolist(),
            }
            for channel, column in zip(group.channels, columns, strict=True)
        ]
        return {"rate": group.rate / every, "channels": channels}
