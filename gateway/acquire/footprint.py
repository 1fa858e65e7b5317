"""How much disk a recording takes: its records while it runs, and the instance that is made of them afterwards.

Estimates on the safe side, from what the device said of itself; the spool asks with the true number of samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.device import Device
from gateway.model import Facts, Kind, MultiplexGroup, Picture
from gateway.profile import Profile

if TYPE_CHECKING:
    from gateway.counts import End  # numpy, which a command that counts nothing need not load

_COUNT = 4  # bytes of one sample in the records (int32)
_AROUND = 2048  # bytes per second and group for the records' own heads, some twenty blocks a second
_HEADER = 64 << 10  # bytes; an instance's header, annotations included, and the small files beside it
_DERIVED = 4  # leads that may be added: III, aVR, aVL, aVF
_RAW_BITS = {"YUYV": 16, "NV12": 12, "RGB24": 24}  # of a pixel; all become at most 24 in the instance
_CODED_BITS = {"MJPEG": 3.0, "H264": 0.3}  # of a pixel: what cameras make at their best quality
_BESIDE_FRAME = 64  # bytes of a record beside the frame itself


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


def of_file(picture: Picture | None, size: int, profile: Profile) -> Footprint:
    """What a file of ``size`` bytes will take: two of a sample in it are four in the records, and at most four in the
    instance; of a ``picture``, what its pixels are where they are not sent as they are coded.
    """
    frame = Footprint(0, 0, None) if picture is None else expected_frames(picture, 0.0, profile)
    return Footprint(max(2 * size, frame.records), max(2 * size, frame.instance), None)


def expected_frames(picture: Picture, seconds: float, profile: Profile) -> Footprint:
    """What a clip of ``seconds`` will take, or a still."""
    frames = max(1, round(seconds * picture.rate))
    pixels = picture.columns * picture.rows
    bits = _RAW_BITS.get(picture.encoding) or _CODED_BITS.get(picture.encoding, 24.0)
    size = round(frames * pixels * bits / 8)
    seconds = seconds if picture.rate else 0.0
    return Footprint(size + frames * _BESIDE_FRAME, _of_pictures(picture, frames, size, profile), seconds)


def _of_pictures(picture: Picture, frames: int, size: int, profile: Profile) -> int:
    """Bytes of the instance made of frames of ``size`` bytes: as they are if they are compressed, else as RGB.

    JPEG that a profile crops or masks is no longer compressed.
    """
    raw = picture.encoding in _RAW_BITS or (picture.encoding == "MJPEG" and profile.alters)
    return _HEADER + (frames * picture.columns * picture.rows * 3 if raw else size + frames * _BESIDE_FRAME)


def of_ended(facts: Facts, end: End, device: Device, profile: Profile) -> int:
    """Bytes of the instance made of what was recorded, as far as its END counts it."""
    if facts.picture is not None:
        return _of_pictures(facts.picture, end.frames, end.frame_bytes, profile)
    return of_instance(facts.kind, facts.groups, [group.samples for group in end.groups], device)


def of_instance(kind: Kind, groups: Sequence[MultiplexGroup], samples: Sequence[int], device: Device) -> int:
    """Bytes of the instance made of so many samples of each group, missing ones included."""
    ecg = kind is Kind.ECG
    width = 2 if ecg and device.iod != "general-32" else 4  # what is no ECG may need either
    added = _DERIVED if ecg and device.derive_leads else 0
    return _HEADER + sum(
        count * (len(group.channels) + added) * width for group, count in zip(groups, samples, strict=True)
    )
