"""What a package would put into a root file system: this checkout, the libraries of its environment, its units.

The guest's Python must be of the version of ours: the environment's wheels are copied as they are.
"""

from __future__ import annotations

import shutil
import sys
import sysconfig
from pathlib import Path

import gateway
from tests.vm.rootfs import NoMachine

CHECKOUT = Path(gateway.__file__).resolve().parents[1]
UNITS = CHECKOUT / "systemd"
LIBRARIES = ("numpy*", "pydicom*", "pynetdicom*", "serial", "pyserial*", "modality_gateway*.dist-info")
COMMAND = "#!/usr/bin/python3\nimport sys\nfrom gateway.cli import main\nsys.exit(main())\n"
SKIPPED = shutil.ignore_patterns("__pycache__", "tests")


def files() -> list[Path]:
    """Every file of ours that goes in; with their content they say whether an image is still the right one."""
    found = [p for name in ("gateway", "firmware_adapters") for p in (CHECKOUT / name).rglob("*")]
    return sorted(p for p in [*found, *UNITS.rglob("*")] if p.is_file() and "__pycache__" not in p.parts)


def install(root: Path, python: tuple[int, int]) -> None:
    """Put it into ``root``, which has none of it yet."""
    if sys.version_info[:2] != python:
        ours = ".".join(map(str, sys.version_info[:2]))
        theirs = ".".join(map(str, python))
        raise NoMachine(f"the environment has Python {ours}, the machine {theirs}: make PYTHON=python{theirs}")
    library = root / f"usr/local/lib/python{python[0]}.{python[1]}/dist-packages"
    for pattern in LIBRARIES:
        for found in Path(sysconfig.get_path("purelib")).glob(pattern):
            shutil.copytree(found, library / found.name, ignore=SKIPPED)
    for package in ("gateway", "firmware_adapters"):
        shutil.copytree(CHECKOUT / package, library / package, ignore=SKIPPED)
    command = root / "usr/bin/gateway"
    command.write_text(COMMAND)
    command.chmod(0o755)
    for pattern, place in (
        ("*.service", "etc/systemd/system"),
        ("udev/*.rules", "etc/udev/rules.d"),
        ("sysusers.d/*", "usr/lib/sysusers.d"),
        ("tmpfiles.d/*", "usr/lib/tmpfiles.d"),
        ("gateway.toml", "etc/gateway"),
    ):
        (root / place).mkdir(parents=True, exist_ok=True)
        for found in UNITS.glob(pattern):
            shutil.copy(found, root / place / found.name)
