"""What a person may set of a video source. All has a default that works with most cameras."""

from __future__ import annotations

from dataclasses import dataclass

from gateway import fields
from gateway.acquire.shutter import Shutter
from gateway.acquire.v4l2.formats import ENCODINGS
from gateway.fields import setting

STANDARDS = {"PAL": 0xFF, "NTSC": 0xB000}  # v4l2_std_id


@dataclass(frozen=True, slots=True)
class Options(Shutter):
    """A camera or frame grabber; `port` is its path, best by id: /dev/v4l/by-id/... (`gateway inputs` shows them)."""

    input: str = setting("", fields.text(32), "which input of a frame grabber, by name or number; empty: as it is set")
    standard: str = setting(
        "auto", fields.choice("auto", *STANDARDS), "of an analogue input; auto: as the grabber is set"
    )
    encoding: str = setting(
        "auto",
        fields.choice("auto", *ENCODINGS),
        "auto: MJPEG if it is offered (small, but the camera's own loss), else YUYV, NV12, RGB24 (without loss), H264",
    )
    columns: int = setting(0, fields.whole(0, 16384), "of the picture; 0 = the largest that comes at 'rate'")
    rows: int = setting(0, fields.whole(0, 16384), "of the picture; 0 = the largest that comes at 'rate'")
    rate: float = setting(30.0, fields.number(0.1, 240, "frames/s"), "at most; a source may be slower")
