"""A video device is set to what was chosen: input, standard or timings, format, rate; each needs the one before."""

from __future__ import annotations

import ctypes
import errno
import fcntl
from dataclasses import dataclass

from gateway.acquire.v4l2 import asking, colour
from gateway.acquire.v4l2 import structs as s
from gateway.acquire.v4l2.choosing import choose, rate
from gateway.acquire.v4l2.formats import FORMATS, code, name_of
from gateway.acquire.v4l2.options import STANDARDS, Options
from gateway.errors import Retry
from gateway.model import Picture

_S_STD = 1 << 30 | 8 << 16 | ord("V") << 8 | 24  # _IOW('V', 24, v4l2_std_id)


@dataclass(frozen=True, slots=True)
class Set:
    """What a device is set to."""

    picture: Picture
    fourcc: str
    stride: int  # bytes from one row to the next; 0 if compressed
    input: asking.Input | None


def set_up(descriptor: int, wanted: Options, source: str) -> Set:
    """Raises Retry, in words, if there is no signal, no such input, or nothing that fits."""
    chosen = _set_input(descriptor, wanted, source)
    if chosen is not None and not chosen.signal:
        raise no_signal(source, chosen)
    timings = set_timings(descriptor) if chosen is not None and chosen.dv_timings else None
    if chosen is not None and chosen.standards and wanted.standard != "auto":
        _set_standard(descriptor, wanted.standard, source)
    by_signal = chosen is not None and bool(chosen.dv_timings or chosen.standards)
    there = asking.offers(descriptor, wanted.columns, wanted.rows, free_size=not by_signal)
    offer = choose(there, wanted, source)
    asked = s.Format(type=s.VIDEO_CAPTURE)
    pix = asked.fmt.pix
    pix.width, pix.height, pix.pixelformat = offer.columns, offer.rows, code(offer.fourcc)
    asking.ioctl(descriptor, s.S_FMT, asked)
    got = asked.fmt.pix
    if name_of(got.pixelformat) not in FORMATS or got.field not in s.FIELDS_OF_WHOLE_FRAMES:
        raise Retry(
            f"{source} cannot give whole frames in {offer}",
            "set another encoding or size; fields that come one by one are not taken",
        )
    fourcc = name_of(got.pixelformat)
    asked_rate = rate(offer, wanted.rate) or wanted.rate
    comes = _set_rate(descriptor, asked_rate) or timings or asked_rate
    crop = asking.maybe(descriptor, s.CROPCAP, s.Cropcap(type=s.VIDEO_CAPTURE))
    aspect = colour.aspect(crop, int(got.width), int(got.height))
    stride = int(got.bytesperline) if FORMATS[fourcc].bits else 0
    return Set(colour.picture(got, fourcc, comes, aspect), fourcc, stride, chosen)


def no_signal(source: str, chosen: asking.Input) -> Retry:
    return Retry(
        f"{source} sees no picture signal on its input {chosen.name}",
        "switch on what it is plugged into, check the video cable and the 'input' setting",
    )


def set_timings(descriptor: int) -> float | None:
    """Follow the signal of a digital input; its frames per second, None if it cannot be told.

    Raises OSError (ENOLINK, ENOLCK, ERANGE) if there is none to follow.
    """
    found = asking.maybe(descriptor, s.QUERY_DV_TIMINGS, s.DvTimings())
    if found is None:
        return None
    asking.maybe(descriptor, s.S_DV_TIMINGS, found)
    bt = found.u.bt
    across = bt.width + bt.hfrontporch + bt.hsync + bt.hbackporch
    down = bt.height + bt.vfrontporch + bt.vsync + bt.vbackporch + bt.il_vfrontporch + bt.il_vsync + bt.il_vbackporch
    return round(bt.pixelclock / (across * down), 3) if across and down else None


def _set_input(descriptor: int, wanted: Options, source: str) -> asking.Input | None:
    if not wanted.input:
        return asking.current_input(descriptor)
    there = asking.inputs(descriptor)
    found = next((each for each in there if wanted.input in (each.name, str(each.number))), None)
    if found is None:
        names = ", ".join(f"{each.number} ({each.name})" for each in there)
        raise Retry(f"{source} has no input {wanted.input!r}", f"set 'input' to one of its inputs: {names}")
    fcntl.ioctl(descriptor, s.S_INPUT, ctypes.c_int(found.number), True)
    return asking.current_input(descriptor)


def _set_standard(descriptor: int, standard: str, source: str) -> None:
    try:
        fcntl.ioctl(descriptor, _S_STD, ctypes.c_uint64(STANDARDS[standard]), True)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise Retry(f"{source} knows no {standard} on this input", "set 'standard' to \"auto\"") from None


def _set_rate(descriptor: int, wanted: float) -> float:
    """The rate that the device says it has now; 0 if it does not tell."""
    parm = asking.maybe(descriptor, s.G_PARM, s.Streamparm(type=s.VIDEO_CAPTURE))
    if parm is None:
        return 0.0
    interval = parm.parm.capture.timeperframe
    interval.numerator, interval.denominator = 1000, round(wanted * 1000)
    found = asking.maybe(descriptor, s.S_PARM, parm) or asking.maybe(
        descriptor, s.G_PARM, s.Streamparm(type=s.VIDEO_CAPTURE)
    )
    if found is None:
        return 0.0
    interval = found.parm.capture.timeperframe
    return round(interval.denominator / interval.numerator, 3) if interval.numerator else 0.0
