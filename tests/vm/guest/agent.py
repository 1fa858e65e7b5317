"""Runs in the guest, as root: starts programs for the host and tells it what they say, one JSON object a line.

From the host: ``{"start": ID, "argv": [...]}``, ``{"tell": ID, "line": "..."}``, ``{"kill": ID}``, and after a
snapshot was loaded ``{"seed": HEX}``: two machines loaded from one snapshot would make the same random numbers.
To the host: ``{"up": seconds}``, ``{"id": ID, "says": "..."}``, ``{"id": ID, "ended": CODE}``.
"""

import fcntl
import json
import os
import pathlib
import subprocess
import threading
import time

PORT = pathlib.Path("/dev/virtio-ports/vm.agent")
RNDRESEEDCRNG = 0x5207
programs = {}
one_at_a_time = threading.Lock()


def send(**words):
    line = (json.dumps(words) + "\n").encode()
    with one_at_a_time:
        while line:
            line = line[os.write(port, line) :]


def follow(number, program):
    for line in program.stdout:
        send(id=number, says=line.rstrip("\n"))
    send(id=number, ended=program.wait())
    del programs[number]


def start(number, argv):
    try:
        program = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
    except OSError as error:
        send(id=number, says=str(error))
        send(id=number, ended=127)
        return
    programs[number] = program
    threading.Thread(target=follow, args=(number, program), daemon=True).start()


def seed(data):
    with pathlib.Path("/dev/urandom").open("wb", buffering=0) as pool:
        pool.write(data)
        fcntl.ioctl(pool, RNDRESEEDCRNG)
    send(seeded=True)


def obey(order):
    if "start" in order:
        start(order["start"], order["argv"])
    elif "seed" in order:
        seed(bytes.fromhex(order["seed"]))
    elif program := programs.get(order.get("tell", order.get("kill"))):
        if "kill" in order:
            program.kill()
        else:
            program.stdin.write(order["line"] + "\n")
            program.stdin.flush()


while not PORT.exists():
    time.sleep(0.1)
port = os.open(PORT, os.O_RDWR)
send(up=float(pathlib.Path("/proc/uptime").read_text().split()[0]))
rest = b""
while True:
    data = os.read(port, 65536)
    if not data:  # nobody is connected on the host
        time.sleep(0.1)
    *lines, rest = (rest + data).split(b"\n")
    for line in lines:
        obey(json.loads(line))
