"""A USB stick as an image file: one FAT partition behind an MBR, made, filled and read on the host; no mount."""

from __future__ import annotations

import os
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

SECTOR = 512
START = 2048  # first sector of the partition, where sticks have it
_TYPES = {16: 0x0E, 32: 0x0C}  # partition types, both with LBA
_LONG = 60.0  # seconds
_MTOOLS = {**os.environ, "MTOOLS_SKIP_CHECK": "1"}  # a torn FAT is looked at, too


@dataclass(frozen=True, slots=True)
class Kind:
    """``fat`` bits, ``mebibytes`` in all, ``cluster`` in bytes."""

    fat: int
    mebibytes: int
    cluster: int

    def __str__(self) -> str:
        return f"FAT{self.fat}, {self.mebibytes} MiB, clusters of {self.cluster}"


@dataclass(frozen=True, slots=True)
class Stick:
    """An image of a stick."""

    image: Path

    @property
    def partition(self) -> str:
        """As mtools name it."""
        return f"{self.image}@@{START * SECTOR}"

    def read_out(self, folder: Path) -> str:
        """Copy all that is on it into ``folder``; what mtools complained about, if it did."""
        folder.mkdir(parents=True)
        return _mtools("mcopy", "-i", self.partition, "-s", "-n", "-m", "-Q", "::", str(folder))

    def read(self, name: str, folder: Path) -> str:
        """Copy one file to the same name below ``folder``; what mtools complained about, if it did."""
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        return _mtools("mcopy", "-i", self.partition, "-n", "-m", f"::{name}", str(target))

    def put(self, source: Path, name: str) -> None:
        """Copy a file or a folder to ``name`` on the stick."""
        if said := _mtools("mcopy", "-i", self.partition, "-s", "-n", "-Q", str(source), f"::{name}"):
            raise OSError(said)

    def orphan(self) -> None:
        """Give a FAT32 a chain of one cluster that no name leads to, as a cut between FAT and folder leaves it."""
        with self.image.open("r+b") as stream:
            stream.seek(START * SECTOR)
            boot = stream.read(SECTOR)
            (reserved, fats), (size,) = struct.unpack_from("<HB", boot, 14), struct.unpack_from("<I", boot, 36)
            for copy in range(fats):
                stream.seek((START + reserved + copy * size) * SECTOR)
                table = memoryview(bytearray(stream.read(size * SECTOR))).cast("I")
                free = max(number for number in range(2, len(table) // 2) if not table[number])
                stream.seek((START + reserved + copy * size) * SECTOR + free * 4)
                stream.write(struct.pack("<I", 0x0FFFFFFF))


def make(image: Path, kind: Kind, label: str = "GATEWAY") -> Stick:
    """A new, empty stick."""
    sectors = kind.mebibytes * (1 << 20) // SECTOR
    entry = struct.pack("<B3sB3sII", 0, b"\xfe\xff\xff", _TYPES[kind.fat], b"\xfe\xff\xff", START, sectors - START)
    with image.open("wb") as stream:
        stream.write(bytes(446) + entry + bytes(48) + b"\x55\xaa")
        stream.truncate(sectors * SECTOR)
    size = (sectors - START) // 2  # mkfs counts KiB
    command = ["mkfs.vfat", f"--offset={START}", "-F", str(kind.fat), "-s", str(kind.cluster // SECTOR), "-n", label]
    subprocess.run([*command, str(image), str(size)], check=True, capture_output=True)
    return Stick(image)


def _mtools(*command: str) -> str:
    """ "" if it worked, else what it said."""
    try:
        done = subprocess.run(command, check=False, capture_output=True, timeout=_LONG, env=_MTOOLS)
    except subprocess.TimeoutExpired:  # a folder that leads to itself
        return f"{command[0]} does not come to an end"
    return (
        (done.stderr.decode("utf-8", "replace").strip() or f"ended with {done.returncode}") if done.returncode else ""
    )
