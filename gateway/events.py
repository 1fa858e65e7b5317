"""What a device can say, in one frozen vocabulary: an adapter's decoder yields these, nothing else.

All times are monotonic seconds. Samples are int32 counts exactly as the device sent them (scaling is data
in :class:`gateway.model.Channel`, never applied to what is kept).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.model import Code, Equipment, Kind, MultiplexGroup, Picture

if TYPE_CHECKING:  # numpy costs 0.1 s and 10 MiB, and every command that can read the configuration imports this
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Reply:
    """Bytes the shell shall write to the device."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Started:
    """The device is streaming; from here on its samples belong to one acquisition.

    Only a file may be of several ``kinds``: it becomes one acquisition of each.
    """

    equipment: Equipment
    groups: tuple[MultiplexGroup, ...]
    picture: Picture | None = None  # of an image source
    at: float | None = None  # when it began by the device's own clock (wall seconds, UTC); None: now, by the box's
    kind: Kind | None = None  # of a source that may deliver several kinds; None: the adapter's
    kinds: tuple[Kind, ...] = ()  # of each group of a file, where they may differ; (): all are of ``kind``
    source: str = ""  # what else tells one device from another that says the same of itself: a stream's source_id


@dataclass(frozen=True, slots=True)
class Ready:
    """An image source shows frames, or a stream gives samples, from now on, recorded or not; a recording that is wanted
    begins with ``started``.
    """

    started: Started


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """A block of samples of one multiplex group: int32, shape (samples, channels), in device order."""

    data: NDArray[np.int32]
    time: float  # when its last sample arrived
    group: int = 0


@dataclass(frozen=True, slots=True)
class Frame:
    """One encoded frame of an image source. ``time`` is when it was taken, by the kernel where that tells."""

    data: bytes
    time: float
    encoding: str


@dataclass(frozen=True, slots=True)
class Marker:
    """Something that happened at a moment: event button, lead off, pacer. ``sample`` is 0-based in its group.

    Without one it is where ``time`` falls among the samples that came. ``concept`` names it in a code where there is
    one; ``samples`` is how many it goes on for, 0 for a moment.
    """

    text: str
    time: float
    group: int = 0
    sample: int | None = None
    concept: Code | None = None
    samples: int = 0


@dataclass(frozen=True, slots=True)
class Identified:
    """Whom or what the device says it measures. ``kind`` is one of gateway.matching.IDENTIFIERS.

    Said before Started it is of the acquisition that begins then, and of no later one.
    """

    kind: str
    text: str
    time: float


@dataclass(frozen=True, slots=True)
class Gap:
    """Samples or frames that the device sent, or should have sent, and that did not arrive.

    ``samples`` is their number where the protocol tells, else derived by the session from ``seconds``. The frames of an
    image source are counted as the group behind its multiplex groups, of which it has none as a rule.
    """

    reason: str
    time: float
    samples: int = 0
    seconds: float = 0.0
    group: int = 0


@dataclass(frozen=True, slots=True)
class Garbage:
    """Bytes that are no part of the protocol; counted and skipped."""

    count: int
    time: float


@dataclass(frozen=True, slots=True)
class Finished:
    """The device ended the acquisition by itself, in an orderly way."""

    reason: str


Event = Reply | Started | Ready | Samples | Frame | Marker | Identified | Gap | Garbage | Finished
