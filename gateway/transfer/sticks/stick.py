"""What udev and the kernel say of a stick: read, not believed. Whoever makes one chooses its label and serial."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import Misuse, Retry

SYS = Path("/sys")
_NAME = re.compile(r"[a-z][a-z0-9]{0,31}")  # sdb1, mmcblk0p1: as the kernel names them; nothing of a path
_ESCAPED = re.compile(r"\\x([0-9a-fA-F]{2})")  # how udev writes what may not stand in ID_FS_LABEL_ENC
_SECTOR = 512  # bytes: sysfs counts in these, whatever the device's own are
_LONGEST = 64  # characters of a label or serial number that are kept
_PATIENCE = 30.0  # seconds


@dataclass(frozen=True, slots=True)
class Stick:
    """One block device. ``label`` and ``serial`` hold printable characters only."""

    name: str  # sdb1
    label: str = ""
    serial: str = ""
    file_system: str = ""  # vfat, exfat, ext4, ...; "" = none known
    version: str = ""  # FAT32
    partition: int = 0  # 0 = it has no partition table
    bus: str = ""  # usb, mmc
    size: int = 0  # bytes
    read_only: bool = False
    used_as: str = ""  # where the box itself has (something of the same disk) mounted

    def __str__(self) -> str:
        """For people."""
        known = [f"label {self.label}"] if self.label else []
        known += [f"serial {self.serial}"] if self.serial else []
        return f"stick {self.name} ({', '.join(known) or 'no label, no serial number'})"


def valid_name(name: str) -> str:
    """Raises Misuse for what is no name of a block device."""
    if not _NAME.fullmatch(name):
        raise Misuse(f"{name!r} is no name of a block device", "for example: sdb1")
    return name


def properties(name: str) -> dict[str, str]:
    """What udev says of a device. Raises Retry if it cannot be asked."""
    command = ["udevadm", "info", "--query=property", f"--name={valid_name(name)}"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_PATIENCE, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise Retry(f"udev says nothing of {name} ({error})", "plug it in again") from error
    lines = done.stdout.decode("utf-8", "replace").split("\n")
    return {key: value for key, equals, value in (line.partition("=") for line in lines) if equals}


def from_udev(name: str, said: Mapping[str, str], sys: Path = SYS, used_as: str = "") -> Stick:
    """The facts that decide."""
    number = said.get("PARTN") or said.get("ID_PART_ENTRY_NUMBER") or "0"
    bus = said.get("ID_BUS", "") or ("mmc" if name.startswith("mmcblk") else "")
    return Stick(
        name=name,
        label=printable(_ESCAPED.sub(_character, said.get("ID_FS_LABEL_ENC", "")) or said.get("ID_FS_LABEL", "")),
        # Without a number of its own, udev makes ID_SERIAL of an USB stick from maker and model: that names a thousand.
        serial=printable(said.get("ID_SERIAL_SHORT") or (said.get("ID_SERIAL", "") if bus == "mmc" else "")),
        file_system=printable(said.get("ID_FS_TYPE", "")),
        version=printable(said.get("ID_FS_VERSION", "")),
        partition=int(number) if number.isascii() and number.isdigit() else -1,
        bus=printable(bus),
        size=_attribute(sys, name, "size") * _SECTOR,
        read_only=_attribute(sys, name, "ro") != 0,
        used_as=used_as,
    )


def is_there(name: str, sys: Path = SYS) -> bool:
    """Whether the device is still plugged in. A card that left its reader leaves a device of no size."""
    return _attribute(sys, name, "size") > 0


def printable(text: str) -> str:
    """No control character, no line break, nothing that turns text around; at most 64 characters."""
    return "".join(c for c in text if c.isprintable())[:_LONGEST].strip()


def _character(match: re.Match[str]) -> str:
    # One byte of UTF-8 stands for itself here; what needs more of them is rare in an 11-byte label of a FAT.
    return chr(int(match[1], 16))


def _attribute(sys: Path, name: str, attribute: str) -> int:
    try:
        return int((sys / "class/block" / name / attribute).read_text().strip() or 0)
    except (OSError, ValueError):
        return 0
