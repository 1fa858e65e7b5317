"""Presses of a foot switch, as the kernel tells them."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from gateway.acquire import pedal
from gateway.acquire.pedal import Bounce, InputEvent, Pedal, presses

HEADER = Path("/usr/include/linux/input.h")
KEY, RELEASED, PRESSED, HELD = 1, 0, 1, 2


def told(kind, code, value, at=1.0):
    return bytes(InputEvent(int(at), int(at % 1 * 1e6), kind, code, value))


def test_only_what_is_pressed_down_is_a_press():
    stream = told(4, 4, 0x70029) + told(KEY, 30, PRESSED) + told(0, 0, 0)
    stream += told(KEY, 30, HELD) + told(KEY, 30, RELEASED) + told(KEY, 48, PRESSED, 2.5)
    assert list(presses(stream)) == [(30, 1.0), (48, 2.5)]
    assert list(presses(stream[:20])) == []


def test_a_switch_that_bounces_is_pressed_once():
    bounce = Bounce()
    assert [bounce.real(30, at) for at in (1.0, 1.01, 1.2, 2.0)] == [True, False, False, True]
    assert bounce.real(48, 2.05)


@pytest.mark.skipif(not HEADER.exists() or not shutil.which("gcc"), reason="no kernel header or no compiler")
def test_the_layout_is_the_headers(tmp_path):
    members = ("type", "code", "value")
    asked = ["sizeof(struct input_event)", "(unsigned)EVIOCGRAB"]
    asked += [f"offsetof(struct input_event, {name})" for name in members]
    lines = "".join(f'printf("%llu\\n", (unsigned long long)({one}));' for one in asked)
    source = "#include <stddef.h>\n#include <stdio.h>\n#include <linux/input.h>\n"
    (tmp_path / "asks.c").write_text(source + "int main(void) {" + lines + "return 0; }\n")
    subprocess.run(["gcc", "-o", tmp_path / "asks", tmp_path / "asks.c"], check=True)
    said = subprocess.run([tmp_path / "asks"], check=True, capture_output=True, text=True).stdout.split()
    ours = [ctypes.sizeof(InputEvent), pedal._GRAB, *(getattr(InputEvent, name).offset for name in members)]
    assert list(map(int, said)) == ours


def test_a_switch_that_is_not_there_is_waited_for_and_said_once(tmp_path, caplog):
    stopping = threading.Event()
    one = Pedal(str(tmp_path / "none"), lambda key: None, stopping)
    one.start()
    for _ in range(200):
        if caplog.records:
            break
        stopping.wait(0.05)
    stopping.set()
    one.thread.join(20)
    assert not one.thread.is_alive()
    assert caplog.text.count("cannot be read") == 1
