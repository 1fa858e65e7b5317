"""What to tell a person of a device that says nothing: what is wrong, and what to look at."""

from __future__ import annotations

from gateway.device import Device
from gateway.errors import Retry


def silent(device: Device, frames: bool) -> Retry:
    """It recorded, and nothing comes any more. ``frames``: it is an image source."""
    look = "check its cable and its power" if frames else "check its battery, its electrodes' cable and its radio"
    return Retry(f"no data for {device.silence:g} s from the device on {device.port or 'this box'}", look)


def not_starting(device: Device, garbage: bool) -> Retry:
    """It was told to record. ``garbage``: something does come."""
    words = "what comes is not its protocol" if garbage else "nothing comes"
    return Retry(f"the device on {device.port} does not start: {words}", "check its power, type and baud rate")
