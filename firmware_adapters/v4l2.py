"""Video4Linux: USB cameras (UVC), HDMI and SDI grabbers, analogue ones; anything that is a /dev/video of one plane.

The kernel gives whole frames with their times, so nothing is left to decode: formats, signal and buffers are the
transport's (gateway.acquire.v4l2).
"""

from __future__ import annotations

from gateway.acquire.adapter import Adapter, Undecoded, Video
from gateway.acquire.v4l2.options import Options
from gateway.model import Kind

ADAPTER = Adapter(name="v4l2", kind=Kind.PICTURES, transport=Video(), decoder=Undecoded, version="1", options=Options)
