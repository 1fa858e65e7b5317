"""One pass over the records of an acquisition of frames: what can be used, when it came, what is missing.

Of each frame only three numbers stay in memory: an hour at 60 frames a second is 4 MiB.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gateway import records
from gateway.dicom.frames.jpeg import Malformed
from gateway.events import Frame, Gap, Marker
from gateway.records import Type

MOST_TOLD = 60  # gaps, markers and broken frames that are told one by one
_STRIDE = 4 << 20  # bytes between two beats


@dataclass(slots=True)
class Survey:
    """``times`` (monotonic) and ``sizes`` (bytes in the instance, at most) are of the frames that are used, in order;
    ``used`` has a byte for each FRAME record."""

    times: array[float] = field(default_factory=lambda: array("d"))
    sizes: array[int] = field(default_factory=lambda: array("Q"))
    used: bytearray = field(default_factory=bytearray)
    received: int = 0  # bytes of the used frames as they came
    dropped: int = 0  # frames that never arrived, as far as anybody counted
    gaps: int = 0
    markers: int = 0
    broken: int = 0
    told: list[tuple[int, str]] = field(default_factory=list)  # used frames before it, and what happened
    untold: int = 0

    @property
    def count(self) -> int:
        return len(self.times)

    def tell(self, words: str) -> None:
        if len(self.told) < MOST_TOLD:
            self.told.append((self.count, words))
        else:
            self.untold += 1


def survey(path: Path, look: Callable[[Frame], int], beat: Callable[[], None]) -> Survey:
    """``look`` gives the bytes that a frame takes in the instance, or 0 if it holds only parameters of the stream.

    It raises Malformed if the frame cannot be used.
    """
    found = Survey()
    for event in _events(path, beat):
        match event:
            case Frame():
                try:
                    size = look(event)
                except Malformed as error:
                    found.used.append(0)
                    found.broken += 1
                    found.tell(f"a frame is left out: it {error}")
                    continue
                found.used.append(bool(size))
                if not size:
                    continue
                found.times.append(event.time)
                found.sizes.append(size)
                found.received += len(event.data)
            case Gap():
                found.gaps += 1
                found.dropped += event.samples
                many = f"{event.samples} frames" if event.samples > 1 else "a frame" if event.samples else "frames"
                lasted = f", {event.seconds:.3g} s" if event.seconds else ""
                found.tell(f"{many} lost ({event.reason}{lasted})")
            case Marker():
                found.markers += 1
                found.tell(event.text)
    return found


def usable(path: Path, found: Survey, beat: Callable[[], None]) -> Iterator[Frame]:
    """The frames that the survey found usable, again."""
    number = 0
    for event in _events(path, beat):
        if isinstance(event, Frame):
            if number < len(found.used) and found.used[number]:
                yield event
            number += 1


def _events(path: Path, beat: Callable[[], None]) -> Iterator[object]:
    due = 0
    for record in records.read(path, skip=(Type.BYTES, Type.SYNCED, Type.END)):
        if record.end >= due:
            beat()
            due = record.end + _STRIDE
        yield records.decode(record)
