"""Our layouts are the kernel's: the header is compiled, and every size, offset and request number compared."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.acquire.v4l2 import structs

HEADER = Path("/usr/include/linux/videodev2.h")
C_NAMES = {
    "Fract": "v4l2_fract",
    "Rect": "v4l2_rect",
    "Capability": "v4l2_capability",
    "Input": "v4l2_input",
    "Fmtdesc": "v4l2_fmtdesc",
    "Stepwise": "v4l2_frmsize_stepwise",
    "Frmsizeenum": "v4l2_frmsizeenum",
    "Frmivalenum": "v4l2_frmivalenum",
    "PixFormat": "v4l2_pix_format",
    "Format": "v4l2_format",
    "Captureparm": "v4l2_captureparm",
    "Streamparm": "v4l2_streamparm",
    "Requestbuffers": "v4l2_requestbuffers",
    "Timecode": "v4l2_timecode",
    "Buffer": "v4l2_buffer",
    "Cropcap": "v4l2_cropcap",
    "Event": "v4l2_event",
    "EventSubscription": "v4l2_event_subscription",
    "BtTimings": "v4l2_bt_timings",
    "DvTimings": "v4l2_dv_timings",
}
# Ours that stand for an unnamed union, or for a member that has another name there.
C_MEMBERS = {"Frmsizeenum.size": "discrete", "Frmivalenum.interval": "discrete", "DvTimings.u": "bt"}
NUMBERS = {
    "DQBUF": "VIDIOC_DQBUF",
    "VIDEO_CAPTURE": "V4L2_BUF_TYPE_VIDEO_CAPTURE",
    "MMAP": "V4L2_MEMORY_MMAP",
    "CAN_CAPTURE": "V4L2_CAP_VIDEO_CAPTURE",
    "CAN_STREAM": "V4L2_CAP_STREAMING",
    "HAS_DEVICE_CAPS": "V4L2_CAP_DEVICE_CAPS",
    "HAS_DV_TIMINGS": "V4L2_IN_CAP_DV_TIMINGS",
    "NO_POWER": "V4L2_IN_ST_NO_POWER",
    "NO_SIGNAL": "V4L2_IN_ST_NO_SIGNAL",
    "NO_H_LOCK": "V4L2_IN_ST_NO_H_LOCK",
    "NO_SYNC": "V4L2_IN_ST_NO_SYNC",
    "DISCRETE": "V4L2_FRMSIZE_TYPE_DISCRETE",
    "COMPRESSED": "V4L2_FMT_FLAG_COMPRESSED",
    "EMULATED": "V4L2_FMT_FLAG_EMULATED",
    "DAMAGED": "V4L2_BUF_FLAG_ERROR",
    "CLOCK": "V4L2_BUF_FLAG_TIMESTAMP_MASK",
    "MONOTONIC": "V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC",
    "SOURCE_CHANGE": "V4L2_EVENT_SOURCE_CHANGE",
} | {
    name: f"VIDIOC_{name}"
    for name, value in vars(structs).items()
    if isinstance(value, int) and value >> 8 & 0xFF == ord("V") and re.fullmatch("[A-Z_]+", name)
}


def asked() -> dict[str, int]:
    """C expression -> what we say."""
    found = {f"(unsigned){theirs}": getattr(structs, ours) & 0xFFFFFFFF for ours, theirs in NUMBERS.items()}
    for ours, theirs in C_NAMES.items():
        kind = getattr(structs, ours)
        found[f"sizeof(struct {theirs})"] = ctypes.sizeof(kind)
        for name, *_ in kind._fields_:
            member = C_MEMBERS.get(f"{ours}.{name}", name)
            if theirs == "v4l2_frmsize_stepwise":
                member = name
            found[f"offsetof(struct {theirs}, {member})"] = getattr(kind, name).offset
    return found


@pytest.mark.skipif(not HEADER.exists() or not shutil.which("gcc"), reason="no kernel header or no compiler")
def test_every_size_offset_and_number_is_the_headers(tmp_path):
    ours = asked()
    assert len(ours) > 150
    lines = [f'printf("%llu\\n", (unsigned long long)({expression}));' for expression in ours]
    source = "#include <stddef.h>\n#include <stdio.h>\n#include <sys/time.h>\n#include <linux/videodev2.h>\n"
    (tmp_path / "asks.c").write_text(source + "int main(void) {\n" + "\n".join(lines) + "\nreturn 0; }\n")
    subprocess.run(["gcc", "-o", tmp_path / "asks", tmp_path / "asks.c"], check=True)
    said = subprocess.run([tmp_path / "asks"], check=True, capture_output=True, text=True).stdout.split()
    assert dict(zip(ours, map(int, said), strict=True)) == ours
