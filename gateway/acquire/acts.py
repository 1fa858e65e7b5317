"""What a session decides and its attendant carries out."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.events import Frame, Gap, Identified, Marker, Samples, Started


@dataclass(frozen=True, slots=True)
class Begin:
    """Make an acquisition folder: the device streams."""

    started: Started


@dataclass(frozen=True, slots=True)
class Record:
    """Append to the record file."""

    event: Samples | Frame | Marker | Gap


@dataclass(frozen=True, slots=True)
class Identify:
    """Keep beside the records what the device says of the patient or the order."""

    event: Identified


@dataclass(frozen=True, slots=True)
class RecordBytes:
    """Append to the transcript."""

    data: bytes
    time: float


@dataclass(frozen=True, slots=True)
class End:
    """Close the acquisition with END."""

    reason: str


@dataclass(frozen=True, slots=True)
class Send:
    """Write to the device."""

    data: bytes


Act = Begin | Record | Identify | RecordBytes | End | Send
