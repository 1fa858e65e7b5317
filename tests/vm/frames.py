"""A camera at the box: the kernel's own test driver (vivid) as camera and as HDMI grabber, a foot switch by uinput.

What is recorded is judged by what the driver is known to show: 75 % colour bars whose values the standards give.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from tests.vm.ward import PATIENCE, Ward, Wrong

SETTINGS = """
[gateway]
ae_title = "GATEWAY"
[clock]
trust = "always"
[listener]
port = 0
[spool]
reserve = 16
"""
DEVICE = """
[[device]]
name = "{name}"
adapter = "v4l2"
port = "{port}"
expected = 0.02
{more}
"""
CAMERA = 'encoding = "{encoding}"\ncolumns = {columns}\nrows = {rows}\nrate = {rate}\n'
GRABBER = 'input = "HDMI 0"\nencoding = "YUYV"\nrate = 60.0\n'
PORT = "/dev/v4l/by-path/platform-vivid.0-video-index0"
SMALL = CAMERA.format(encoding="YUYV", columns=320, rows=180, rate=5.0)
# 75 % bars: white, yellow, cyan, green, magenta, red, blue, black; Y, Cb, Cr of 8 bits, limited range (BT.601, BT.709).
BARS = {
    "BT.601": (
        *((180, 128, 128), (162, 44, 142), (131, 156, 44), (112, 72, 58)),
        *((84, 184, 198), (65, 100, 212), (35, 212, 114), (16, 128, 128)),
    ),
    "BT.709": (
        *((180, 128, 128), (168, 44, 136), (145, 147, 44), (133, 63, 52)),
        *((63, 193, 204), (51, 109, 212), (28, 212, 120), (16, 128, 128)),
    ),
}
CLOSE = 2.0  # of 255: the driver's own rounding, and the standards'

Acquired = dict[str, Any]


def still(ward: Ward) -> None:
    """still

    One frame, in the colours of the bars: as the camera's own YCbCr, and as RGB.
    """
    for encoding in ("YUYV", "RGB24"):
        with_camera(ward, CAMERA.format(encoding=encoding, columns=640, rows=360, rate=5.0))
        exam = open_exam(ward, "cam")["exam"]
        _check("a still is kept" in ward.command("trigger", "cam", "--still"), "no still was kept")
        (taken,) = acquired(ward, "cam", 1)
        picture = taken["picture"]
        _check(taken["exam"] == exam, f"it is of {taken['exam']}")
        _check((picture["encoding"], picture["columns"], picture["rows"]) == (encoding, 640, 360), f"it is {picture}")
        _check(picture["rate"] == 0 and taken["end"]["frames"] == 1, f"a still of {taken['end']}")
        # The driver times a frame by its end, which it reckons: that may be a frame ahead of when it is given.
        _check(taken["times"][0] <= taken["began"] + 0.2, f"taken at {taken['times']}, begun at {taken['began']}")
        _same_colours(taken)
        ward.again()


def clip(ward: Ward) -> None:
    """clip

    The frames between start and stop, and those of before, but none of before the exam.
    """
    with_camera(ward, SMALL + "pre_roll = 30.0\n")
    time.sleep(3)  # what the camera shows now belongs to nobody
    opened = open_exam(ward, "cam")["opened"]["monotonic"]
    _until_frames(ward, "cam", seconds=2.0)
    _check("recording" in ward.command("trigger", "cam", "--clip"), "no clip began")
    asked = _monotonic(ward)
    _recorded(ward, "cam", 10)
    ward.command("trigger", "cam", "--clip")
    (taken,) = acquired(ward, "cam", 1)
    times = taken["times"]
    _check(taken["end"]["frames"] >= 10 and taken["different"] == len(times), f"{taken['different']} of {times}")
    _check(times == sorted(times), f"not in order: {times}")
    _check(times[0] < asked - 1.0, f"nothing of before: began {times[0]}, asked for {asked}")
    _check(times[0] >= opened, f"of before the exam: {times[0]}, which was opened at {opened}")
    _check("the recording was asked for" in taken["markers"], f"{taken['markers']}")
    _check(taken["counted"][0] == len(times) + taken["counted"][1], f"counted {taken['counted']}")
    _check(taken["sizes"] == [320 * 180 * 2], f"frames of {taken['sizes']} bytes")


def signal(ward: Ward) -> None:
    """signal loss

    It goes away in mid-clip and comes back: a gap. HDMI's size and matrix are the signal's.
    """
    with_camera(ward, GRABBER, hdmi=True)
    open_exam(ward, "cam")
    ward.command("trigger", "cam", "--clip")
    _recorded(ward, "cam", 2)
    _control(ward, "dv_timings_signal_mode=1")
    _status(ward, "cam", "no signal is told", lambda s: "sees no picture signal" in str(s["problem"]))
    before = _status(ward, "cam", "still recording", lambda s: s["recording"])["samples"]
    _control(ward, "dv_timings_signal_mode=0")
    _recorded(ward, "cam", before + 3)
    ward.command("trigger", "cam", "--clip")
    (taken,) = acquired(ward, "cam", 1)
    picture = taken["picture"]
    _check((picture["columns"], picture["rows"]) == (1280, 720), f"{picture}")
    _check(any("no picture signal" in text for text in taken["markers"]), f"{taken['markers']}")
    _check(any(reason == "the connection was lost" for reason, *_ in taken["gaps"]), f"{taken['gaps']}")
    _same_colours(taken)


def unplugged(ward: Ward) -> None:
    """unplug in mid-clip

    Put back: a gap. Pulled out for good: the clip is kept.
    """
    with_camera(ward, SMALL)
    open_exam(ward, "cam")
    ward.command("trigger", "cam", "--clip")
    _recorded(ward, "cam", 5)
    _plug(ward, False)
    _status(ward, "cam", "the loss is told", lambda s: s["problem"] is not None)
    _plug(ward, True)
    before = _status(ward, "cam", "still recording", lambda s: s["recording"])["samples"]
    _recorded(ward, "cam", before + 3)
    _plug(ward, False)
    _status(ward, "cam", "the second loss is told", lambda s: s["problem"] is not None)
    ward.command("trigger", "cam")
    (taken,) = acquired(ward, "cam", 1)
    _check("Gap" in taken["order"] and taken["end"]["frames"] >= 8, f"{taken['order']}")
    _check(taken["end"]["reason"] == "stopped by a person", f"{taken['end']}")


def two(ward: Ward) -> None:
    """two inputs at once

    Each is a recording of its own, of the same exam.
    """
    ward.machine.run("modprobe", "vivid", "n_devs=2", "node_types=0x1,0x1", seconds=PATIENCE)
    names = ("cam1", "cam2")
    ports = ("/dev/video0", "/dev/video1")  # of one platform device, which by-path tells apart by an index only
    _configure(ward, "".join(DEVICE.format(name=n, port=p, more=SMALL) for n, p in zip(names, ports, strict=True)))
    _capture(ward, *names)
    exam = open_exam(ward, *names)["exam"]
    for name in names:
        ward.command("trigger", name, "--clip")
    for name in names:
        _recorded(ward, name, 5)
    for name in names:
        ward.command("trigger", name, "--clip")
    taken = acquired(ward, "cam", 2)
    _check({each["device"] for each in taken} == set(names), f"of {[each['device'] for each in taken]}")
    _check({each["exam"] for each in taken} == {exam}, "of another exam")
    first, second = (each["times"] for each in taken)
    _check(first[0] < second[-1] and second[0] < first[-1], f"one after the other: {first}, {second}")


def pedal(ward: Ward) -> None:
    """foot switch

    One key takes stills, the other one begins and ends a clip; it is plugged in after the process began.
    """
    with_camera(ward, SMALL + 'trigger = "/run/pedal"\ntrigger_key = 48\nclip_key = 46\n')
    ward.machine.run("modprobe", "uinput", seconds=PATIENCE)
    switch = ward.machine.start("python3", "/usr/local/lib/vm/pedal.py")
    node = switch.line(PATIENCE)
    ward.machine.run("ln", "-s", str(node), "/run/pedal")
    _journal(ward, "the trigger /run/pedal is there")
    open_exam(ward, "cam")
    for count in (1, 2):
        switch.tell("48")
        acquired(ward, "cam", count)
        time.sleep(0.5)
    switch.tell("46")
    _recorded(ward, "cam", 5)
    switch.tell("46")
    taken = acquired(ward, "cam", 3)
    _check([each["picture"]["rate"] for each in taken] == [0, 0, 5], f"{[each['picture'] for each in taken]}")
    _check(taken[2]["end"]["reason"] == "stopped by a person", f"{taken[2]['end']}")
    switch.kill()


CASES = (still, clip, signal, unplugged, two, pedal)


def with_camera(ward: Ward, more: str, hdmi: bool = False) -> None:
    """One camera, or one HDMI grabber, and the capture process that attends it."""
    kind = ("num_inputs=2", "input_types=0xc") if hdmi else ("num_inputs=1", "input_types=0x0")
    code, said = ward.machine.run("modprobe", "vivid", "n_devs=1", "node_types=0x1", *kind, seconds=PATIENCE)
    _check(code == 0, f"vivid cannot be loaded: {said}")
    _configure(ward, DEVICE.format(name="cam", port=PORT, more=more))
    _capture(ward, "cam")


def _configure(ward: Ward, devices: str) -> None:
    text = SETTINGS + devices
    code, said = ward.machine.run("sh", "-c", f"cat > /etc/gateway/gateway.toml <<'END'\n{text}\nEND", seconds=PATIENCE)
    _check(code == 0, said)


def _capture(ward: Ward, *names: str) -> None:
    units = [f"capture@{name}" for name in names]
    code, said = ward.machine.run("systemctl", "start", *units, seconds=PATIENCE)
    _check(code == 0, f"{said}; {ward.journal('capture@*')}")


def open_exam(ward: Ward, *names: str) -> Acquired:
    """Open one."""
    said = ward.command("exam", "start", *names, "--patient-id", "P-1", "--patient-name", "Test^Anna", "--json")
    opened: Acquired = json.loads(said)
    return opened


def _control(ward: Ward, control: str) -> None:
    code, said = ward.machine.run("v4l2-ctl", "-d", PORT, "--set-ctrl", control, seconds=PATIENCE)
    _check(code == 0, said)


def _plug(ward: Ward, there: bool) -> None:
    word = "bind" if there else "unbind"
    order = f"echo vivid.0 > /sys/bus/platform/drivers/vivid/{word}"
    code, said = ward.machine.run("sh", "-c", order, seconds=PATIENCE)
    _check(code == 0, said)


def _status(ward: Ward, name: str, what: str, true: Callable[[Acquired], bool]) -> Acquired:
    """What the capture process says, once it is so."""
    program = (
        "import json; from pathlib import Path; from gateway import local\n"
        f"print(json.dumps(local.ask(Path('/run/gateway/capture-{name}.sock'), {{'do': 'status'}})))"
    )
    end, found = time.monotonic() + PATIENCE, Acquired()
    while time.monotonic() < end:
        code, said = ward.machine.run("runuser", "-u", "gateway", "--", "python3", "-c", program, seconds=PATIENCE)
        if code == 0 and true(found := json.loads(said.splitlines()[-1])):
            return found
        time.sleep(0.2)
    raise Wrong(f"not in time: {what}; seen: {found}; {ward.journal('capture@*')}")


def _recorded(ward: Ward, name: str, count: int) -> None:
    _status(ward, name, f"{count} frames", lambda status: status["samples"] >= count)


def _until_frames(ward: Ward, name: str, seconds: float) -> None:
    """Frames come, and go on to for so long."""
    _status(ward, name, "the source is there", lambda status: status["state"] == "ready")
    time.sleep(seconds)


def acquired(ward: Ward, device: str, count: int) -> list[Acquired]:
    """What devices whose name begins so have recorded, once so many recordings have ended."""
    look = ("runuser", "-u", "gateway", "--", "python3", "/usr/local/lib/vm/acquired.py", device)
    end, found = time.monotonic() + PATIENCE, list[Acquired]()
    while time.monotonic() < end:
        code, said = ward.machine.run(*look, seconds=PATIENCE)
        if code == 0:
            found = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
            if len(found) == count and all(each["end"] for each in found):
                return found
        time.sleep(0.2)
    raise Wrong(f"not {count} recordings: {found}; {ward.journal('capture@*')}")


def _same_colours(taken: Acquired) -> None:
    """As the standard gives them, by the matrix that the driver says it used."""
    picture = taken["picture"]
    if picture["encoding"] == "RGB24":
        _check(picture["full_range"], f"{picture}")
        wanted = [[191 * r, 191 * g, 191 * b] for r, g, b in _PRIMARIES]
        seen = taken["colours"]
    else:
        _check(not picture["full_range"], f"{picture}")
        wanted = [list(bar) for bar in BARS[picture["matrix"]]]
        seen = [[(y0 + y1) / 2, cb, cr] for y0, cb, y1, cr in taken["colours"]]
    far = max(abs(a - b) for one, other in zip(seen, wanted, strict=True) for a, b in zip(one, other, strict=True))
    _check(far <= CLOSE, f"{picture['matrix']}: seen {seen}, the standard gives {wanted}")


_PRIMARIES = ((1, 1, 1), (1, 1, 0), (0, 1, 1), (0, 1, 0), (1, 0, 1), (1, 0, 0), (0, 0, 1), (0, 0, 0))


def _journal(ward: Ward, words: str) -> None:
    end = time.monotonic() + PATIENCE
    while words not in (said := ward.journal("capture@*")):
        if time.monotonic() > end:
            raise Wrong(f"the journal does not say {words!r}: {said}")
        time.sleep(0.2)


def _monotonic(ward: Ward) -> float:
    code, said = ward.machine.run("python3", "-c", "import time; print(time.monotonic())", seconds=PATIENCE)
    _check(code == 0, said)
    return float(said)


def _check(true: bool, words: str) -> None:
    if not true:
        raise Wrong(words)
