"""What frames cost, of 640 x 480, 1280 x 720 and 1920 x 1080: CPU, memory, and from a frame until it is kept.

The figures are of an emulated machine (TCG), whose CPU does a small part of a real one's work in the same time: they
compare sizes and versions, not boards. The driver makes each frame on the same CPUs.
"""

from __future__ import annotations

import sys
import time

from tests.vm import frames
from tests.vm.ward import PATIENCE, Ward, Wrong

SIZES = ((640, 480), (1280, 720), (1920, 1080))
RATE = 2.0  # frames per second
SECONDS = 20.0


def cost(ward: Ward) -> None:
    """told"""
    for columns, rows in SIZES:
        more = frames.CAMERA.format(encoding="YUYV", columns=columns, rows=rows, rate=RATE)
        frames.with_camera(ward, more)
        frames.open_exam(ward, "cam")
        for count in (1, 2, 3):
            ward.command("trigger", "cam", "--still")
            stills = frames.acquired(ward, "cam", count)
        before, began = _ticks(ward), time.monotonic()
        ward.command("trigger", "cam", "--clip")
        time.sleep(SECONDS)
        ward.command("trigger", "cam", "--clip")
        spent, lasted = _ticks(ward) - before, time.monotonic() - began
        clip = frames.acquired(ward, "cam", 4)[-1]
        latencies = sorted(1000 * (one["written"] - one["times"][0]) for one in stills)
        taken, missing = clip["end"]["frames"], clip["counted"][1]
        print(
            f"{columns} x {rows} YUYV, {RATE:g}/s: {taken} frames and {missing} missing; {10 * spent / taken:.0f} ms "
            f"of CPU for each, {spent / lasted:.1f} % of one CPU in all; {_resident(ward)} MiB at most; still kept "
            f"{latencies[0]:.0f} to {latencies[-1]:.0f} ms after it was taken",
            file=sys.stderr,
            flush=True,
        )
        ward.again()


def _ticks(ward: Ward) -> int:
    """Hundredths of a CPU second that the capture process has used."""
    fields = _read(ward, "stat").rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def _resident(ward: Ward) -> int:
    line = next(line for line in _read(ward, "status").splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) >> 10


def _read(ward: Ward, name: str) -> str:
    order = f"cat /proc/$(systemctl show -P MainPID capture@cam)/{name}"
    code, said = ward.machine.run("sh", "-c", order, seconds=PATIENCE)
    if code:
        raise Wrong(said)
    return said


CASES = (cost,)
