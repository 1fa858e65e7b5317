"""Video4Linux: USB cameras (UVC), HDMI and SDI grabbers, analogue ones; anything that is a /dev/video of one plane.

The kernel gives whole frames with their times, so nothing is left to decode: formats, signal and buffers are the
transport's (gateway.acquire.v4l2).
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.acquire.adapter import Adapter, Video
from gateway.acquire.v4l2.options import Options
from gateway.events import Event
from gateway.model import Kind


class Decoder:
    """Has nothing to do."""

    def __init__(self, options: Options) -> None:
        """They are the transport's."""

    def start(self, now: float) -> Iterator[Event]:
        return iter(())

    def stop(self, now: float) -> Iterator[Event]:
        return iter(())

    def feed(self, data: bytes, now: float) -> Iterator[Event]:
        return iter(())

    def tick(self, now: float) -> Iterator[Event]:
        return iter(())


ADAPTER = Adapter(name="v4l2", kind=Kind.PICTURES, transport=Video(), decoder=Decoder, version="1", options=Options)
