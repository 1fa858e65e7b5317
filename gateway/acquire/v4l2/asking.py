"""Questions to a video device: one ioctl each, answered in plain data. OSError where the device has no answer."""

from __future__ import annotations

import ctypes
import errno
import fcntl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from gateway.acquire.v4l2 import structs as s
from gateway.acquire.v4l2.choosing import Offer, within
from gateway.acquire.v4l2.formats import FORMATS, code, name_of

S = TypeVar("S", bound=ctypes.Structure)
_MOST = 256  # entries of one list that are asked for: a driver without an end would be asked for ever
_NONE = (errno.EINVAL, errno.ENOTTY, errno.ENODATA)  # it has no such entry, or knows no such question
_LOST = s.NO_POWER | s.NO_SIGNAL | s.NO_H_LOCK | s.NO_SYNC


def ioctl(descriptor: int, request: int, argument: S) -> S:
    """``argument`` as the kernel changed it."""
    fcntl.ioctl(descriptor, request, argument, True)
    return argument


def maybe(descriptor: int, request: int, argument: S) -> S | None:
    """None if the device has no answer to that."""
    try:
        return ioctl(descriptor, request, argument)
    except OSError as error:
        if error.errno in _NONE:
            return None
        raise


def _listed(descriptor: int, request: int, entry: Callable[[int], S]) -> Iterator[S]:
    for index in range(_MOST):
        found = maybe(descriptor, request, entry(index))
        if found is None:
            return
        yield found


@dataclass(frozen=True, slots=True)
class Capability:
    driver: str
    card: str
    bus: str
    version: str  # of the kernel's driver
    captures: bool  # frames can be streamed from this node


def capability(descriptor: int) -> Capability:
    found = ioctl(descriptor, s.QUERYCAP, s.Capability())
    can = found.device_caps if found.capabilities & s.HAS_DEVICE_CAPS else found.capabilities
    version = ".".join(str(found.version >> shift & 0xFF) for shift in (16, 8, 0))
    words = (_text(found.driver), _text(found.card), _text(found.bus_info))
    return Capability(*words, version, bool(can & s.CAN_CAPTURE) and bool(can & s.CAN_STREAM))


@dataclass(frozen=True, slots=True)
class Input:
    """One input of a device. ``signal`` is whether it sees a picture, as far as the driver tells."""

    number: int
    name: str
    signal: bool
    dv_timings: bool  # its size follows from the signal (HDMI, DVI, SDI)
    standards: int  # of an analogue one, v4l2_std_id


def inputs(descriptor: int) -> list[Input]:
    return [_input(found) for found in _listed(descriptor, s.ENUMINPUT, lambda index: s.Input(index=index))]


def current_input(descriptor: int) -> Input | None:
    """None of a device without inputs. Its status is asked for anew."""
    number = ctypes.c_int()
    try:
        fcntl.ioctl(descriptor, s.G_INPUT, number, True)
    except OSError as error:
        if error.errno in _NONE:
            return None
        raise
    found = maybe(descriptor, s.ENUMINPUT, s.Input(index=number.value))
    return None if found is None else _input(found)


def _input(found: s.Input) -> Input:
    timings = bool(found.capabilities & s.HAS_DV_TIMINGS)
    return Input(int(found.index), _text(found.name), not found.status & _LOST, timings, int(found.std))


def pix(descriptor: int) -> s.PixFormat:
    """The format that is set."""
    found: s.PixFormat = ioctl(descriptor, s.G_FMT, s.Format(type=s.VIDEO_CAPTURE)).fmt.pix
    return found


def offers(descriptor: int, columns: int = 0, rows: int = 0, free_size: bool = True) -> list[Offer]:
    """What the device offers of the formats that are taken. A size that is free is the asked one, or the one now set.

    ``free_size`` False: the size is the signal's; scaling is only for who asks for it.
    """
    found, now = [], pix(descriptor)
    asked = (columns or int(now.width), rows or int(now.height))
    kinds = _listed(descriptor, s.ENUM_FMT, lambda index: s.Fmtdesc(index=index, type=s.VIDEO_CAPTURE))
    for kind in list(kinds):
        fourcc = name_of(kind.pixelformat)
        if fourcc not in FORMATS or kind.flags & s.EMULATED:
            continue
        sizes = list(dict.fromkeys(_sizes(descriptor, fourcc, asked))) if free_size or columns else []
        found += [Offer(fourcc, *size, _rates(descriptor, fourcc, *size)) for size in sizes or [asked]]
    return found


def _sizes(descriptor: int, fourcc: str, asked: tuple[int, int]) -> Iterator[tuple[int, int]]:
    entries = _listed(
        descriptor, s.ENUM_FRAMESIZES, lambda index: s.Frmsizeenum(index=index, pixel_format=code(fourcc))
    )
    for entry in entries:
        size = entry.size
        if entry.type == s.DISCRETE:
            yield int(size.min_width), int(size.max_width)  # where a discrete size has width and height
            continue
        columns = within(size.min_width, size.max_width, size.step_width, asked[0])
        yield columns, within(size.min_height, size.max_height, size.step_height, asked[1])
        return


def _rates(descriptor: int, fourcc: str, columns: int, rows: int) -> tuple[float, ...]:
    """Frames per second; of a range, its ends and what is usual between."""
    asked = {"pixel_format": code(fourcc), "width": columns, "height": rows}
    found: list[float] = []
    for entry in _listed(descriptor, s.ENUM_FRAMEINTERVALS, lambda index: s.Frmivalenum(index=index, **asked)):
        fast = _per_second(entry.interval[0])
        if entry.type == s.DISCRETE:
            found.append(fast)
            continue
        slow = _per_second(entry.interval[1])
        return tuple(sorted({slow, *(usual for usual in _USUAL if slow < usual < fast), fast}))
    return tuple(sorted(set(found)))


_USUAL = (1.0, 5.0, 10.0, 15.0, 20.0, 24.0, 25.0, 30.0, 50.0, 60.0)


def _per_second(interval: s.Fract) -> float:
    return round(interval.denominator / interval.numerator, 3) if interval.numerator else 0.0


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace").strip()
