"""The machine with the gateway's adder in it, ready within two seconds again after each power cut."""

from __future__ import annotations

from pathlib import Path

from tests.pulls import pool
from tests.vm import disk, rootfs
from tests.vm.machine import Machine, Program
from tests.vm.rootfs import NoMachine

PREPARE = """
mkdir -p /spool && mount -o ro /dev/vdb /spool
modprobe -a usb-storage sd_mod uas vfat nls_cp437 nls_ascii nls_utf8
"""
READY = "ready"  # the saved state


class Station:
    """``pieces`` are the instances on its spool disk."""

    def __init__(self, work: Path, count: int, seed: int) -> None:
        self.pieces = pool.make(work / "spool", count, seed)
        self._work, self._root = work, rootfs.make()
        self._spool = pool.image(work / "spool", work / "spool.ext4")
        self._disk = disk.overlay(disk.system(self._root), work / "disk.qcow2")
        self.machine = Machine(self._root, self._disk, work, (self._spool,))
        self.powered = True
        code, said = self.machine.run("sh", "-ec", PREPARE)
        self.adder = self.machine.start("python3", "/spool/adder.py")
        if code or self.adder.line(60.0) is None:
            self.off()
            raise NoMachine(f"the machine cannot be made ready: {said} {self.adder.said}")
        self._number = self.adder.number
        self.machine.save(READY)

    def power_up(self) -> tuple[Machine, Program]:
        """The machine and its adder; from the saved state if the power was cut."""
        if not self.powered:
            self.machine = Machine(self._root, self._disk, self._work, (self._spool,), resume=READY)
            self.adder = self.machine.again(self._number)
            self.powered = True
        return self.machine, self.adder

    def off(self) -> None:
        """Cut its power."""
        if self.powered:
            self.machine.cut()
        self.powered = False
