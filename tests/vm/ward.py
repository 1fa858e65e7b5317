"""A whole box in a machine: Debian, systemd, udev, the gateway's units, and a backlog of recordings; and its sticks."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway import configuration
from tests import spooling
from tests.vm import disk, rootfs
from tests.vm.flash import Flash
from tests.vm.machine import Machine
from tests.vm.nbd import Plug
from tests.vm.rootfs import NoMachine
from tests.vm.stick import Stick

RECORDINGS, SAMPLES = 14, 10_000  # the backlog: some 160 kB each
PATIENCE = 180.0  # seconds
READY = "ready"
CONFIGURATION = """
[gateway]
ae_title = "GATEWAY"
[clock]
trust = "always"
[[device]]
name = "ecg1"
adapter = "simulated"
[media]
sticks = ["label:GATEWAY", "ask"]
"""
# As in the README's steps for a real box; the recordings were made on the host.
SET_UP = """
systemd-sysusers
systemd-tmpfiles --create
mount -o ro /dev/vdb /mnt
cp /mnt/gateway.toml /etc/gateway/gateway.toml
cp -a /mnt/data/. /var/lib/gateway/
chown -R gateway: /var/lib/gateway
umount /mnt
modprobe -a usb-storage sd_mod uas vfat nls_cp437 nls_ascii nls_utf8 nls_iso8859-1
udevadm control --reload
systemctl add-wants multi-user.target forward.service
systemctl start forward
"""
_FILE_ID = re.compile(r"UID (\S+), File ID (\S+)")

Look = dict[str, Any]


class Wrong(AssertionError):
    """A case does not hold; says what was seen."""


@dataclass(slots=True)
class Inserted:
    """A stick that is plugged in."""

    stick: Stick
    serial: str
    flash: Flash
    plug: Plug


@dataclass(slots=True)
class Copies:
    """What the ledger says to be on media."""

    hashes: dict[str, str]
    said: dict[str, str] = field(default_factory=dict)  # UID -> File ID
    file_sets: dict[str, str] = field(default_factory=dict)  # UID -> UID of the file-set


class Ward:
    """The machine, its state with the backlog wrapped and no stick yet, and one stick after the other."""

    def __init__(self, work: Path) -> None:
        self.work, self._root = work, rootfs.make()
        _backlog(work / "backlog")
        self._data = disk.ext4(work / "backlog", work / "backlog.ext4", "64M")
        self._disk = disk.overlay(disk.system(self._root), work / "disk.qcow2")
        self._count = 0
        self.machine = self._boot()
        code, said = self.machine.run("sh", "-ec", SET_UP, seconds=PATIENCE)
        if code:
            self.machine.cut()
            raise NoMachine(f"the box cannot be set up: {said}")
        self.until("the backlog is wrapped", lambda look: len(look["waiting"]) == RECORDINGS)
        self.machine.save(READY)

    def again(self) -> None:
        """Back to the state with the backlog and no stick."""
        self.machine.cut()
        self.machine = Machine(self._root, self._disk, self.work, (self._data,), resume=READY)

    def cut_and_boot(self, inserted: Inserted) -> None:
        """The power fails for the box and the stick in it, and comes back; the stick is not plugged in then."""
        inserted.plug.switch_off()
        self.machine.cut()
        inserted.stick.image.write_bytes(inserted.flash.content())
        self.machine = self._boot()
        self.machine.run("systemctl", "is-system-running", "--wait", seconds=PATIENCE)

    def insert(self, stick: Stick, dice: Any, moment: int = 0) -> Inserted:
        """Plug it in; its power fails at the ``moment``-th write or flush, if that is not 0."""
        self._count += 1
        serial = f"S{self._count:04}"
        flash = Flash(stick.image.read_bytes(), write_back=True)
        plug = Plug(flash, self.work / f"{serial}.nbd", moment, dice)
        self.machine.plug(self.work / f"{serial}.nbd", serial)
        return Inserted(stick, serial, flash, plug)

    def remove(self, inserted: Inserted) -> None:
        """Pull it, whatever is going on. The image is what the power left of it."""
        inserted.plug.switch_off()
        self.machine.pull(inserted.serial)
        inserted.stick.image.write_bytes(inserted.flash.content())

    def look(self) -> Look:
        code, said = self.machine.run("python3", "/usr/local/lib/vm/look.py", seconds=PATIENCE)
        if code:
            raise Wrong(f"the box cannot be looked at: {said}")
        found: Look = json.loads(said.splitlines()[-1])
        return found

    def until(self, what: str, true: Callable[[Look], bool], seconds: float = PATIENCE) -> Look:
        """The first look at which it is so. Raises Wrong with the last one."""
        end = time.monotonic() + seconds
        while not true(look := self.look()):
            if time.monotonic() > end:
                raise Wrong(f"not within {seconds:.0f} s: {what}; seen: {look}; the journal ends:\n{self.journal()}")
            time.sleep(0.2)
        return look

    def command(self, *argv: str) -> str:
        """As the user gateway; all it says."""
        code, said = self.machine.run("runuser", "-u", "gateway", "--", "gateway", *argv, seconds=PATIENCE)
        if code:
            raise Wrong(f"gateway {' '.join(argv)} ended with {code}: {said}")
        return said

    def journal(self, *units: str) -> str:
        """Its last lines, of these units or of those that sticks concern."""
        command = ["journalctl", "-o", "cat", "--no-pager", "-n", "40"]
        for unit in units or ("forward", "stick@*"):
            command += ["-u", unit]
        return self.machine.run(*command, seconds=PATIENCE)[1]

    def _boot(self) -> Machine:
        return Machine(self._root, self._disk, self.work, (self._data,))


def copies(look: Look) -> Copies:
    """What is said to be where."""
    found = Copies(look["hashes"])
    for uid, words in look["stored"].items():
        match = _FILE_ID.search(words)
        if match is None:
            raise Wrong(f"the ledger does not say where {uid} is: {words}")
        found.file_sets[uid], found.said[uid] = match.groups()
    return found


def _backlog(folder: Path) -> None:
    """The box's folder as captures leave it, and its configuration."""
    folder.mkdir()
    (folder / "gateway.toml").write_text(CONFIGURATION)
    here = CONFIGURATION.replace("[clock]", f'data = "{folder}/data"\nruntime = "{folder}/run"\n[clock]')
    settings = configuration.parse(here, "gateway.toml")
    whose = spooling.somebodys_exam(settings)
    for _ in range(RECORDINGS):
        spooling.record(settings, whose.exam, SAMPLES)
