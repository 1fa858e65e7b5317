"""Which line an adapter's transport asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.acquire.adapter import Adapter, Folder, Internal, Stream, Video
from gateway.acquire.frame_line import FrameLine
from gateway.acquire.line import Line, NoLine, ReadAhead
from gateway.acquire.lsl.line import StreamLine
from gateway.acquire.shells import SerialShell
from gateway.acquire.v4l2.device import VideoDevice
from gateway.device import Device
from gateway.errors import Misuse


def line_for(adapter: Adapter, device: Device, options: Any, monotonic: Callable[[], float]) -> Line:
    """``options`` are the adapter's, as they are set for this device."""
    match adapter.transport:
        case Internal():
            return NoLine(monotonic)
        case Video():
            return FrameLine(VideoDevice(device.port, options, monotonic), monotonic)
        case Stream():
            return StreamLine(options, monotonic)
        case Folder():
            raise Misuse(f"adapter {adapter.name} reads files: device {device.name!r} has no line")
        case serial:
            return ReadAhead(SerialShell(serial, device.port), monotonic)
