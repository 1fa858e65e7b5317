"""Disks of the machine, made from folders: no mount, no loop device."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

from tests.vm import product
from tests.vm.rootfs import BUILD, Root

HERE = Path(__file__).parent
AGENT = HERE / "guest"
SYSTEM_SIZE = "2G"  # some hundred uncompressed frames find room


def ext4(folder: Path, image: Path, size: str) -> Path:
    """An ext4 image of ``size`` with what is in ``folder``."""
    image.unlink(missing_ok=True)
    run("truncate", "-s", size, str(image))
    run("mke2fs", "-q", "-F", "-t", "ext4", "-d", str(folder), str(image))
    return image


def system(root: Root) -> Path:
    """The system disk: the root file system, the product, and the agent; kept until one of them changes."""
    digest = hashlib.sha256(root.key.encode())
    for path in [*product.files(), *sorted(AGENT.iterdir()), Path(product.__file__), Path(__file__)]:
        digest.update(path.name.encode() + path.read_bytes())
    image = BUILD / f"system-{digest.hexdigest()[:16]}.ext4"
    if image.exists():
        return image
    for old in (*BUILD.glob("system-*"), *BUILD.glob("system.*")):
        old.unlink() if old.is_file() else shutil.rmtree(old)
    tree = BUILD / "system.tree"
    run("cp", "-al", str(root.folder), str(tree))  # links: nothing of the root is written to, only added
    product.install(tree, root.python)
    (tree / "usr/local/lib/vm").mkdir(parents=True)
    for program in AGENT.glob("*.py"):
        shutil.copy(program, tree / "usr/local/lib/vm")
    shutil.copy(AGENT / "vm-agent.service", tree / "etc/systemd/system")
    wants = tree / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / "vm-agent.service").symlink_to("/etc/systemd/system/vm-agent.service")
    ext4(tree, BUILD / "system.part", SYSTEM_SIZE).rename(image)
    shutil.rmtree(tree)
    return image


def overlay(base: Path, image: Path) -> Path:
    """A qcow2 over ``base``, which stays as it is; snapshots of the machine go into it."""
    image.unlink(missing_ok=True)
    run("qemu-img", "create", "-q", "-f", "qcow2", "-b", str(base), "-F", "raw", str(image))
    return image


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
