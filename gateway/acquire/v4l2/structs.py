"""The kernel's structures of linux/videodev2.h, as far as they are used, in this machine's own sizes and alignment.

``ctypes`` lays them out as the C compiler does, on 64 bits and on 32; times are the C library's ``long``. A test
compiles the header and compares every size, offset and request number.
"""

from __future__ import annotations

import ctypes as c

u8, u16, u32, s32, u64 = c.c_uint8, c.c_uint16, c.c_uint32, c.c_int32, c.c_uint64


class Fract(c.Structure):
    _fields_ = (("numerator", u32), ("denominator", u32))


class Rect(c.Structure):
    _fields_ = (("left", s32), ("top", s32), ("width", u32), ("height", u32))


class Capability(c.Structure):
    _fields_ = (
        *(("driver", c.c_char * 16), ("card", c.c_char * 32), ("bus_info", c.c_char * 32), ("version", u32)),
        *(("capabilities", u32), ("device_caps", u32), ("reserved", u32 * 3)),
    )


class Input(c.Structure):
    _fields_ = (
        *(("index", u32), ("name", c.c_char * 32), ("type", u32), ("audioset", u32), ("tuner", u32)),
        *(("std", u64), ("status", u32), ("capabilities", u32), ("reserved", u32 * 3)),
    )


class Fmtdesc(c.Structure):
    _fields_ = (
        *(("index", u32), ("type", u32), ("flags", u32), ("description", c.c_char * 32)),
        *(("pixelformat", u32), ("mbus_code", u32), ("reserved", u32 * 3)),
    )


class Stepwise(c.Structure):
    """Sizes: columns and rows, each from a minimum to a maximum."""

    _fields_ = (
        *(("min_width", u32), ("max_width", u32), ("step_width", u32)),
        *(("min_height", u32), ("max_height", u32), ("step_height", u32)),
    )


class Frmsizeenum(c.Structure):
    """A discrete size is the first two numbers of ``size``."""

    _fields_ = (("index", u32), ("pixel_format", u32), ("type", u32), ("size", Stepwise), ("reserved", u32 * 2))


class Frmivalenum(c.Structure):
    """Minimum, maximum and step; a discrete interval is the first."""

    _fields_ = (
        *(("index", u32), ("pixel_format", u32), ("width", u32), ("height", u32), ("type", u32)),
        *(("interval", Fract * 3), ("reserved", u32 * 2)),
    )


class PixFormat(c.Structure):
    _fields_ = (
        *(("width", u32), ("height", u32), ("pixelformat", u32), ("field", u32), ("bytesperline", u32)),
        *(("sizeimage", u32), ("colorspace", u32), ("priv", u32), ("flags", u32), ("ycbcr_enc", u32)),
        *(("quantization", u32), ("xfer_func", u32)),
    )


class _Fmt(c.Union):
    # The pointer stands for v4l2_window, whose pointers align the union.
    _fields_ = (("pix", PixFormat), ("raw_data", u8 * 200), ("_aligned", c.c_void_p))


class Format(c.Structure):
    _fields_ = (("type", u32), ("fmt", _Fmt))


class Captureparm(c.Structure):
    _fields_ = (
        *(("capability", u32), ("capturemode", u32), ("timeperframe", Fract), ("extendedmode", u32)),
        *(("readbuffers", u32), ("reserved", u32 * 4)),
    )


class _Parm(c.Union):
    _fields_ = (("capture", Captureparm), ("raw_data", u8 * 200))


class Streamparm(c.Structure):
    _fields_ = (("type", u32), ("parm", _Parm))


class Requestbuffers(c.Structure):
    _fields_ = (
        *(("count", u32), ("type", u32), ("memory", u32), ("capabilities", u32)),
        *(("flags", u8), ("reserved", u8 * 3)),
    )


class Timeval(c.Structure):
    _fields_ = (("tv_sec", c.c_long), ("tv_usec", c.c_long))


class Timespec(c.Structure):
    _fields_ = (("tv_sec", c.c_long), ("tv_nsec", c.c_long))


class Timecode(c.Structure):
    _fields_ = (
        *(("type", u32), ("flags", u32), ("frames", u8), ("seconds", u8), ("minutes", u8), ("hours", u8)),
        ("userbits", u8 * 4),
    )


class _Memory(c.Union):
    _fields_ = (("offset", u32), ("userptr", c.c_ulong), ("planes", c.c_void_p), ("fd", s32))


class Buffer(c.Structure):
    _fields_ = (
        *(("index", u32), ("type", u32), ("bytesused", u32), ("flags", u32), ("field", u32)),
        *(("timestamp", Timeval), ("timecode", Timecode), ("sequence", u32), ("memory", u32), ("m", _Memory)),
        *(("length", u32), ("reserved2", u32), ("request_fd", s32)),
    )


class Cropcap(c.Structure):
    _fields_ = (("type", u32), ("bounds", Rect), ("defrect", Rect), ("pixelaspect", Fract))


class _Happening(c.Union):
    _fields_ = (("changes", u32), ("data", u8 * 64), ("_aligned", c.c_int64))


class Event(c.Structure):
    _fields_ = (
        *(("type", u32), ("u", _Happening), ("pending", u32), ("sequence", u32), ("timestamp", Timespec)),
        *(("id", u32), ("reserved", u32 * 8)),
    )


class EventSubscription(c.Structure):
    _fields_ = (("type", u32), ("id", u32), ("flags", u32), ("reserved", u32 * 5))


class BtTimings(c.Structure):
    _pack_ = 1
    _fields_ = (
        *(("width", u32), ("height", u32), ("interlaced", u32), ("polarities", u32), ("pixelclock", u64)),
        *(("hfrontporch", u32), ("hsync", u32), ("hbackporch", u32)),
        *(("vfrontporch", u32), ("vsync", u32), ("vbackporch", u32)),
        *(("il_vfrontporch", u32), ("il_vsync", u32), ("il_vbackporch", u32), ("standards", u32), ("flags", u32)),
        *(("picture_aspect", Fract), ("cea861_vic", u8), ("hdmi_vic", u8), ("reserved", u8 * 46)),
    )


class _Bt(c.Union):
    _pack_ = 1
    _fields_ = (("bt", BtTimings), ("reserved", u32 * 32))


class DvTimings(c.Structure):
    _pack_ = 1
    _fields_ = (("type", u32), ("u", _Bt))


def _request(direction: int, number: int, kind: type[c.Structure] | type[c.c_int]) -> int:
    """_IOR (2), _IOW (1) or _IOWR (3) of asm-generic/ioctl.h, which arm, arm64, x86 and RISC-V use."""
    return direction << 30 | c.sizeof(kind) << 16 | ord("V") << 8 | number


QUERYCAP = _request(2, 0, Capability)
ENUM_FMT = _request(3, 2, Fmtdesc)
G_FMT = _request(3, 4, Format)
S_FMT = _request(3, 5, Format)
REQBUFS = _request(3, 8, Requestbuffers)
QUERYBUF = _request(3, 9, Buffer)
QBUF = _request(3, 15, Buffer)
DQBUF = _request(3, 17, Buffer)
STREAMON = _request(1, 18, c.c_int)
STREAMOFF = _request(1, 19, c.c_int)
G_PARM = _request(3, 21, Streamparm)
S_PARM = _request(3, 22, Streamparm)
ENUMINPUT = _request(3, 26, Input)
G_INPUT = _request(2, 38, c.c_int)
S_INPUT = _request(3, 39, c.c_int)
CROPCAP = _request(3, 58, Cropcap)
ENUM_FRAMESIZES = _request(3, 74, Frmsizeenum)
ENUM_FRAMEINTERVALS = _request(3, 75, Frmivalenum)
S_DV_TIMINGS = _request(3, 87, DvTimings)
DQEVENT = _request(2, 89, Event)
SUBSCRIBE_EVENT = _request(1, 90, EventSubscription)
QUERY_DV_TIMINGS = _request(2, 99, DvTimings)

VIDEO_CAPTURE = 1  # buffer type
MMAP = 1  # memory
CAN_CAPTURE, CAN_STREAM, HAS_DEVICE_CAPS = 0x1, 0x04000000, 0x80000000
HAS_DV_TIMINGS = 0x2  # of an input
NO_POWER, NO_SIGNAL, NO_H_LOCK, NO_SYNC = 0x1, 0x2, 0x100, 0x10000  # an input's status
DISCRETE = 1  # kind of a size or interval
COMPRESSED, EMULATED = 0x1, 0x2  # of a format: emulated in user space, so not by the device
FIELDS_OF_WHOLE_FRAMES = (0, 1, 4, 8, 9)  # progressive, or both fields interlaced
DAMAGED, CLOCK, MONOTONIC = 0x40, 0xE000, 0x2000  # of a buffer
SOURCE_CHANGE = 5  # event
