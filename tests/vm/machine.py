"""One run of the machine under QEMU: plugs, the power cord, and a line to the agent inside.

Emulated (``-accel tcg``), because the hosts of tests have no KVM; a boot takes about 20 s, a saved state 2 s. The only
network is none; what a machine talks to is a socket of this process.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import queue
import secrets
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from tests.vm.rootfs import NoMachine, Root

BOOT = 240.0  # seconds; an emulated boot on a busy host
MEMORY = "512"
KERNEL = "root=/dev/vda rw console=ttyS0 panic=-1 systemd.show_status=no usb_storage.delay_use=0"


class Refused(Exception):
    """QEMU refused an order."""


class Program:
    """A program in the guest. ``said`` are its lines so far, as far as they were taken."""

    def __init__(self, machine: Machine, number: int) -> None:
        self.said: list[str] = []
        self.code: int | None = None
        self.number = number  # in the guest: see Machine.again
        self._machine = machine
        self._heard: queue.SimpleQueue[str | int] = queue.SimpleQueue()

    def line(self, seconds: float) -> str | None:
        """The next line; None if there is none within ``seconds``, or never again."""
        if self.code is not None:
            return None
        try:
            found = self._heard.get(timeout=max(0.0, seconds)) if seconds > 0 else self._heard.get_nowait()
        except queue.Empty:
            return None
        if isinstance(found, int):
            self.code = found
            return None
        self.said.append(found)
        return found

    def tell(self, line: str) -> None:
        self._machine.order(tell=self.number, line=line)

    def kill(self) -> None:
        self._machine.order(kill=self.number)

    def hear(self, what: str | int) -> None:
        self._heard.put(what)


class Machine:
    """A running machine. ``disk`` is a qcow2 (see :mod:`.disk`), ``more`` are read-only raw disks (vdb, vdc ...)."""

    def __init__(
        self,
        root: Root,
        disk: Path,
        work: Path,
        more: tuple[Path, ...] = (),
        resume: str = "",
        extra: tuple[str, ...] = (),
    ) -> None:
        self._programs: dict[int, Program] = {}
        self._numbers = itertools.count(secrets.randbelow(1 << 30))  # programs of before a snapshot keep theirs
        self._answers: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        run = work / f"run-{secrets.token_hex(4)}"
        run.mkdir(parents=True)
        self._run = run
        command = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-M", "q35", "-smp", "2"]
        command += ["-m", MEMORY, "-nodefaults", "-no-user-config", "-display", "none", "-nic", "none"]
        command += ["-kernel", str(root.kernel), "-initrd", str(root.initrd), "-append", KERNEL]
        command += ["-drive", f"file={disk},format=qcow2,if=virtio,cache=writeback"]
        for image in more:
            command += ["-drive", f"file={image},format=raw,if=virtio,readonly=on"]
        command += ["-serial", f"file:{run}/console.log", "-qmp", f"unix:{run}/qmp,server=on,wait=off"]
        command += ["-device", "virtio-rng-pci", "-device", "virtio-serial-pci"]
        command += ["-chardev", f"socket,id=agent,path={run}/agent,server=on,wait=off"]
        command += ["-device", "virtserialport,chardev=agent,name=vm.agent", "-device", "qemu-xhci,id=usb"]
        if resume:
            command += ["-loadvm", resume]
        self._errors = (run / "qemu.log").open("wb")
        self.process = subprocess.Popen([*command, *extra], stdout=self._errors, stderr=self._errors)
        self._qmp = self._connect("qmp").makefile("rw")
        self._qmp.readline()
        self.qmp("qmp_capabilities")
        self._line = self._connect("agent")
        self._ears = threading.Thread(target=self._listen, daemon=True)
        self._ears.start()
        if resume:
            self.order(seed=secrets.token_hex(32))
            self._answer("seeded", 30.0)
        else:
            self._answer("up", BOOT)

    def qmp(self, command: str, **arguments: Any) -> Any:
        """One order to QEMU; raises Refused."""
        self._qmp.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self._qmp.flush()
        while True:
            line = self._qmp.readline()
            if not line:
                raise Refused(f"{command}: QEMU is gone; see {self._run}/qemu.log")
            answer = json.loads(line)
            if "error" in answer:
                raise Refused(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def start(self, *argv: str) -> Program:
        number = next(self._numbers)
        self._programs[number] = program = Program(self, number)
        self.order(start=number, argv=list(argv))
        return program

    def run(self, *argv: str, seconds: float = 60.0) -> tuple[int, str]:
        """Run a program to its end; its exit code and all it said. Code -1: it did not end in time."""
        program, until = self.start(*argv), time.monotonic() + seconds
        while program.code is None and (left := until - time.monotonic()) > 0:
            program.line(left)
        if program.code is None:
            program.kill()
        return -1 if program.code is None else program.code, "\n".join(program.said)

    def again(self, number: int) -> Program:
        """The program with this number that ran when the state was saved."""
        self._programs[number] = program = Program(self, number)
        return program

    def save(self, name: str) -> None:
        """Save the running state into the disk, under ``name`` (for ``resume``). Nothing may be plugged in."""
        if said := self.qmp("human-monitor-command", **{"command-line": f"savevm {name}"}):
            raise Refused(said.strip())

    def plug(self, socket_path: Path, serial: str) -> None:
        """Plug in the USB stick that speaks NBD at ``socket_path``."""
        server = {"type": "unix", "path": str(socket_path)}
        self.qmp("blockdev-add", **{"node-name": serial, "driver": "nbd", "server": server})
        self.qmp(
            "device_add",
            driver="usb-storage",
            id=f"usb-{serial}",
            drive=serial,
            bus="usb.0",
            removable=True,
            serial=serial,
        )

    def pull(self, serial: str) -> None:
        self.qmp("device_del", id=f"usb-{serial}")
        until = time.monotonic() + 20.0
        while True:
            try:
                self.qmp("blockdev-del", **{"node-name": serial})
                return
            except Refused:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)

    def cut(self) -> None:
        """The power fails: the guest's memory is gone. What it had said before is still heard."""
        self.process.kill()
        self.process.wait()
        self._ears.join(10.0)
        self._line.close()
        self._errors.close()

    def order(self, **words: Any) -> None:
        self._line.sendall(json.dumps(words).encode() + b"\n")

    def console(self) -> str:
        return (self._run / "console.log").read_text(errors="replace")

    def _connect(self, name: str) -> socket.socket:
        path, until = self._run / name, time.monotonic() + 30.0
        while time.monotonic() < until and self.process.poll() is None:
            line = socket.socket(socket.AF_UNIX)
            with contextlib.suppress(OSError):
                line.connect(os.fspath(path))
                return line
            line.close()
            time.sleep(0.02)
        self.process.kill()
        raise NoMachine(f"QEMU does not start: {(self._run / 'qemu.log').read_text()}")

    def _answer(self, word: str, seconds: float) -> Any:
        try:
            while word not in (answer := self._answers.get(timeout=seconds)):
                pass
        except queue.Empty:
            tail = self.console()[-2000:]
            self.cut()
            raise NoMachine(
                f"the machine does not say '{word}' within {seconds:.0f} s; its console ends:\n{tail}"
            ) from None
        return answer[word]

    def _listen(self) -> None:
        with contextlib.suppress(OSError), self._line.makefile("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):  # cut off in mid-word
                    return
                word = json.loads(line)
                program = self._programs.get(word.get("id", -1))
                if program is None:
                    self._answers.put(word)
                elif "ended" in word:
                    program.hear(int(word["ended"]))
                else:
                    program.hear(str(word["says"]))
