"""The life of one stick: plugged in, written to, pulled or cut off at a random moment, again and again, then filled."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.pulls import evidence
from tests.pulls.judge import Book, judge
from tests.pulls.pool import Piece
from tests.pulls.station import Station
from tests.vm import stick as sticks
from tests.vm.flash import Flash
from tests.vm.machine import Machine, Program
from tests.vm.nbd import Plug
from tests.vm.stick import Kind

SMALL = Kind(16, 4, 512)
KINDS = (Kind(16, 24, 2048), Kind(32, 64, 512), SMALL)
RESERVES = (128, 2048, 256 << 10)  # bytes of the DICOMDIR's reserve: how often it is replaced by a larger one
ROOT = "/run/stick"
PATIENCE = 300.0  # seconds for all that is done while it is plugged in; the machine is slow on a busy host
ALL = "all is on it"
# As stick@.service does it, and the kernel told whether this stick has a cache that must be flushed.
PLUGGED = """
set -e
device=$(for _ in $(seq 400); do ls /dev/disk/by-id/usb-*SERIAL*-part1 2>/dev/null && break; sleep .05; done)
disk=$(basename $(realpath $device) | tr -d 0-9)
for type in /sys/block/$disk/device/scsi_disk/*/cache_type; do echo "temporary CACHE" > $type; done
[ CUT = no ] || for again in 1 2 3; do fsck.fat -a $device && break; done
mkdir -p ROOT
mount -t vfat -o nodev,nosuid,noexec,umask=0077,utf8,flush $device ROOT
"""


@dataclass(slots=True)
class Tally:
    """What a whole run counts."""

    pulls: int = 0
    cuts: int = 0
    said: int = 0
    missing: int = 0
    unreadable: int = 0
    complaints: list[str] = field(default_factory=list)

    @property
    def accidents(self) -> int:
        return self.pulls + self.cuts


class Life:
    """One stick. ``weakness`` is that of the adder."""

    def __init__(
        self, station: Station, work: Path, dice: random.Random, tally: Tally, weakness: str, say: Callable[[str], None]
    ) -> None:
        self.kind, self.write_back, self.reserve = dice.choice(KINDS), dice.random() < 0.6, dice.choice(RESERVES)
        self._name = f"stick{tally.accidents:03}"
        self._station, self._dice, self._tally, self._weakness, self._say = station, dice, tally, weakness, say
        self._pieces: list[Piece] = station.pieces
        self._left = list(range(len(self._pieces)))
        dice.shuffle(self._left)
        self._book = Book({piece.uid: piece.sha256 for piece in self._pieces})
        self._stick = sticks.make(work / f"{self._name}.img", self.kind)
        self._work = work
        self._other = self._put_a_photo(dice.randint(900_000, 1_900_000) if self.kind == SMALL else 100_000)
        self._plugged = 0
        self._writing = False
        self._flash = Flash(b"", False)

    def __str__(self) -> str:
        cache = "write-back" if self.write_back else "write-through"
        return f"{self._name} ({self.kind}, {cache}, reserve {self.reserve})"

    def accident(self, pull: bool) -> None:
        """Plug it in, let the gateway write, and let the power fail: of the stick, or of the box as a whole."""
        machine, adder = self._station.power_up()
        by_time = self._dice.random() < 0.2
        moment = 0 if by_time else self._dice.choice((self._dice.randint(1, 40), self._dice.randint(1, 400)))
        plug, serial = self._plug(machine, moment)
        words = self._write(machine, adder, plug, serial, self._dice.uniform(0.5, 10.0) if by_time else PATIENCE)
        if words and words != ALL and "is full" not in words and not plug.off.is_set():
            self._complain(f"the gateway does not go on: {words}")
        plug.switch_off()
        if pull:
            self._tally.pulls += 1
            machine.pull(serial)
            if self._writing and self._hear_out(adder, 60.0) is None:
                self._complain("the gateway does not notice that the stick was pulled")
            machine.run("sh", "-c", f"umount -l {ROOT}")
        else:
            self._tally.cuts += 1
            self._station.off()
            self._hear_out(adder, 0.0)
        what = "pulled" if pull else "power cut"
        self._judge(f"{what} at write {plug.requests} with {plug.open_sectors} sectors open", False)

    def finish(self) -> None:
        """Plug it in once more: the gateway writes what is missing, and the stick is taken out in order."""
        machine, adder = self._station.power_up()
        plug, serial = self._plug(machine, 0)
        words = self._write(machine, adder, plug, serial, PATIENCE)
        full = "is full" in words
        if words != ALL and not full:
            self._complain(f"the gateway does not go on: {words or 'it takes too long'}")
        if machine.run("umount", ROOT)[0]:
            self._complain("it cannot be unmounted")
        machine.pull(serial)
        plug.switch_off()
        if full:
            self._book.asked = list(self._book.said)
        self._judge("at the end, full" if full else "at the end", True)

    def _plug(self, machine: Machine, moment: int) -> tuple[Plug, str]:
        self._plugged += 1
        serial = f"{self._name}-{self._plugged}"
        self._flash = Flash(self._stick.image.read_bytes(), self.write_back)
        socket = self._work / f"{serial}.nbd"
        plug = Plug(self._flash, socket, moment, self._dice)
        machine.plug(socket, serial)
        return plug, serial

    def _write(self, machine: Machine, adder: Program, plug: Plug, serial: str, seconds: float) -> str:
        """Until all is on it, the gateway gives up, the power fails or the time is over; the gateway's last words."""
        until = time.monotonic() + seconds
        cache = "write back" if self.write_back else "write through"
        script = PLUGGED.replace("SERIAL", serial).replace("CACHE", cache).replace("ROOT", ROOT)
        mounting = machine.start("sh", "-c", script.replace("CUT", "yes" if self._plugged > 1 else "no"))
        while mounting.code is None and not plug.off.is_set() and time.monotonic() < until:
            mounting.line(0.02)
        if mounting.code is None or plug.off.is_set():
            return ""
        if mounting.code:
            return f"it is not mounted: {' '.join(mounting.said)}"
        said = self._book.said
        self._book.asked = [*said, *(uid for n in self._left if (uid := self._pieces[n].uid) not in said)]
        there = [n for n, piece in enumerate(self._pieces) if piece.uid in said]
        again = self._dice.sample(there, min(2, len(there)))  # adding it twice changes nothing
        order = {"root": ROOT, "add": [*again, *self._left], "reserve": self.reserve, "weakness": self._weakness}
        adder.tell(json.dumps(order))
        self._writing = True
        while not plug.off.is_set() and time.monotonic() < until:
            if (line := adder.line(0.02)) and (words := self._heard(line)) is not None:
                return words
        return ""

    def _heard(self, line: str) -> str | None:
        """One line of the adder; its last words if it was the last one."""
        if not line.startswith("{"):
            return None  # a warning of the gateway's log
        word = json.loads(line)
        if "done" in word:
            self._writing = False
            return str(word["done"])
        uid = self._pieces[word["on"]].uid
        before = self._book.said.setdefault(uid, word["file_id"])
        if before != word["file_id"]:
            self._complain(f"{word['file_id']} was {before} before")
        if word["on"] in self._left:
            self._left.remove(word["on"])
            self._tally.said += 1
        return None

    def _hear_out(self, adder: Program, seconds: float) -> str | None:
        until = time.monotonic() + seconds
        while (line := adder.line(until - time.monotonic())) is not None:
            if (words := self._heard(line)) is not None:
                return words
        return None

    def _judge(self, when: str, at_the_end: bool) -> None:
        self._writing = False
        self._stick.image.write_bytes(self._flash.content())
        found = judge(self._book, evidence.look(self._stick, self._work / "out", self._other, at_the_end), at_the_end)
        self._tally.missing += found.missing
        self._tally.unreadable += found.unreadable
        for words in found.complaints:
            self._complain(f"{when}: {words}")
        if found.complaints:
            shutil.copy(self._stick.image, self._work / f"{self._name}-{self._plugged}.bad.img")
        self._say(f"{self}: {when}: {len(self._book.said)} said to be on it, {len(found.complaints)} complaints")

    def _put_a_photo(self, size: int) -> tuple[str, str]:
        """Somebody else's file, which nobody may harm."""
        data = self._dice.randbytes(size)
        photo = self._work / "IMG_0001.JPG"
        photo.write_bytes(data)
        self._stick.put(photo, photo.name)
        return photo.name, hashlib.sha256(data).hexdigest()

    def _complain(self, words: str) -> None:
        self._tally.complaints.append(f"{self}: {words}")
