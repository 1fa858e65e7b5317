"""Runs in the guest, as root: a foot switch made with uinput. Each line on standard input is a key code to press."""

import fcntl
import os
import pathlib
import struct
import sys
import time

SET_EVBIT, SET_KEYBIT, CREATE, SETUP = 0x40045564, 0x40045565, 0x5501, 0x405C5503
KEY, SYN = 1, 0
NAME = b"Test pedal"


def write(kind, code, value):
    os.write(descriptor, struct.pack("llHHi", 0, 0, kind, code, value))


descriptor = os.open("/dev/uinput", os.O_WRONLY)
fcntl.ioctl(descriptor, SET_EVBIT, KEY)
for key in range(1, 248):
    fcntl.ioctl(descriptor, SET_KEYBIT, key)
fcntl.ioctl(descriptor, SETUP, struct.pack("HHHH80sI", 3, 0x1234, 0x5678, 1, NAME, 0))
fcntl.ioctl(descriptor, CREATE)
found = None
while found is None:
    time.sleep(0.1)
    for device in pathlib.Path("/sys/class/input").glob("event*"):
        node = pathlib.Path("/dev/input") / device.name
        if (device / "device/name").read_bytes().strip() == NAME and node.exists():
            found = node
print(found, flush=True)
for line in sys.stdin:
    for value in (1, 0):
        write(KEY, int(line), value)
        write(SYN, 0, 0)
    print("pressed", flush=True)
