"""What END says of an acquisition: its counts, and each channel's range, so that a header can be written first.

The frames of an image source are the last of the groups: its samples are frames, its missing ones those dropped.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.events import Frame, Gap, Marker, Samples


@dataclass(slots=True)
class GroupEnd:
    """What END says of one multiplex group, or of the frames; minimum and maximum are counts, per channel."""

    samples: int = 0  # positions in the group, missing ones included
    missing: int = 0  # of them, how many never arrived
    minimum: list[int] = field(default_factory=list)
    maximum: list[int] = field(default_factory=list)

    def take(self, data: NDArray[np.int32]) -> None:
        self.samples += len(data)
        if not len(data):
            return
        low, high = data.min(axis=0).tolist(), data.max(axis=0).tolist()
        if not self.minimum:
            self.minimum, self.maximum = low, high
        else:
            self.minimum = [min(a, b) for a, b in zip(self.minimum, low, strict=True)]
            self.maximum = [max(a, b) for a, b in zip(self.maximum, high, strict=True)]


@dataclass(slots=True)
class End:
    """The counts of a whole acquisition. ``interrupted``: cut off, END was added afterwards."""

    groups: list[GroupEnd]
    frames: int = 0
    gaps: int = 0
    markers: int = 0
    last_time: float = 0.0  # monotonic, of the last record
    reason: str = ""
    interrupted: bool = False
    frame_bytes: int = 0  # of all frames, as encoded

    def as_json(self) -> bytes:
        data = {name: getattr(self, name) for name in End.__slots__ if name != "groups"}
        data["groups"] = [{name: getattr(g, name) for name in GroupEnd.__slots__} for g in self.groups]
        return json.dumps(data).encode()

    @staticmethod
    def from_json(payload: bytes) -> End:
        data: dict[str, Any] = json.loads(payload)
        groups = [GroupEnd(**g) for g in data.pop("groups")]
        return End(groups=groups, **data)

    def count(self, event: Samples | Frame | Marker | Gap) -> None:
        """Take one recorded event into the counts."""
        self.last_time = max(self.last_time, event.time)
        match event:
            case Samples():
                self.groups[event.group].take(event.data)
            case Gap():
                self.gaps += 1
                self.groups[event.group].samples += event.samples
                self.groups[event.group].missing += event.samples
            case Marker():
                self.markers += 1
            case Frame():
                self.frames += 1
                self.frame_bytes += len(event.data)
                self.groups[-1].samples += 1
