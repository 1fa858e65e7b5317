"""A Debian root file system for the machine: made once from this host's own package sources, then kept.

Kept under ``build/vm`` by a hash of all that went into it: with the same packages and sources no network is needed
again. Needs root (owners, device nodes) and mmdebstrap.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

BUILD = Path(__file__).resolve().parents[2] / "build" / "vm"
PACKAGES = (
    *("systemd", "systemd-sysv", "udev", "dbus", "kmod", "iproute2", "linux-image-amd64"),
    *("python3", "python3-systemd", "dosfstools", "v4l-utils"),
)
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*")
# A small initrd: only what mounts the root. Written before the kernel's package makes it.
INITRD = """
mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d"
echo MODULES=list > "$1/etc/initramfs-tools/conf.d/vm"
printf '%s\\n' virtio_pci virtio_blk ext4 > "$1/usr/share/initramfs-tools/modules.d/vm"
"""


class NoMachine(Exception):
    """This host cannot make or run the machine; says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Root:
    """An unpacked root file system. ``key`` names its content."""

    folder: Path
    key: str

    @property
    def kernel(self) -> Path:
        return next((self.folder / "boot").glob("vmlinuz-*"))

    @property
    def initrd(self) -> Path:
        return next((self.folder / "boot").glob("initrd.img-*"))

    @property
    def python(self) -> tuple[int, int]:
        major, minor = (self.folder / "usr/bin/python3").readlink().name.removeprefix("python").split(".")
        return int(major), int(minor)


def suite() -> str:
    """This host's Debian."""
    name = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    if platform.machine() != "x86_64" or not name:
        raise NoMachine("the machine is made and run on Debian on x86-64 only")
    return name


def sources(codename: str) -> list[Path]:
    """The host's package sources that speak of its own suite."""
    apt = Path("/etc/apt")
    listed = sorted(p for p in (apt / "sources.list.d").glob("*") if p.suffix in (".list", ".sources"))
    found = [p for p in (apt / "sources.list", *listed) if p.is_file() and codename in p.read_text().split()]
    if not found:
        raise NoMachine(f"no package source of {codename} in {apt}; apt needs one")
    return found


def make(packages: tuple[str, ...] = PACKAGES) -> Root:
    """The root file system with these packages: the kept one, else made now (about a minute)."""
    codename = suite()
    lists = sources(codename)
    said = "\n".join([codename, *packages, *LEFT_OUT, INITRD, *(p.read_text() for p in lists)])
    key = hashlib.sha256(said.encode()).hexdigest()[:16]
    folder = BUILD / f"root-{key}"
    if folder.exists():
        return Root(folder, key)
    if os.geteuid() != 0:
        raise NoMachine("making a root file system needs root")
    began = time.monotonic()
    print("vm: making the root file system (once)", flush=True)
    BUILD.mkdir(parents=True, exist_ok=True)
    for old in BUILD.glob("root-*"):
        shutil.rmtree(old)
    unfinished = BUILD / f"root-{key}.part"
    command = ["mmdebstrap", "--variant=minbase", f"--include={','.join(packages)}", f"--essential-hook={INITRD}"]
    command += [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
    done = subprocess.run(
        [*command, codename, str(unfinished), *map(str, lists)], check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise NoMachine(f"mmdebstrap failed:\n{done.stderr[-2000:]}")
    unfinished.rename(folder)
    print(f"vm: made in {time.monotonic() - began:.0f} s", flush=True)
    return Root(folder, key)
