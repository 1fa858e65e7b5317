"""A clean Debian for the package to be installed in: systemd, and what its Depends name, nothing else.

Made once for each suite by mmdebstrap from this host's own package sources, and kept as a tar under ``build/deb``, by a
hash of what went into it. Needs root.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import time
from pathlib import Path

from tests.vm.rootfs import NoMachine, sources, suite

BUILD = Path(__file__).resolve().parents[2] / "build" / "deb"
SUITES = ("bookworm", "trixie")  # Debian 12 and 13
BESIDE = ("systemd-sysv", "iproute2", "mount", "passwd", "man-db", "bash-completion")  # to boot, to look, to read


def depends(deb: Path) -> list[str]:
    """The names of the packages that it needs."""
    said = subprocess.run(["dpkg-deb", "-f", deb, "Depends"], check=True, capture_output=True, text=True).stdout
    return sorted({re.split(r"[ (|]", one.strip())[0] for one in said.split(",")})


def tar(codename: str, packages: list[str]) -> Path:
    """The kept one, else made now (under a minute)."""
    own = suite()
    texts = {p.suffix: p.read_text().replace(own, codename) for p in sources(own)}
    wanted = ",".join(sorted({*packages, *BESIDE}))
    key = hashlib.sha256("\n".join([codename, wanted, *texts.values()]).encode()).hexdigest()[:16]
    kept = BUILD / f"{codename}-{key}.tar"
    if kept.exists():
        return kept
    if os.geteuid() != 0:
        raise NoMachine("making a root file system needs root")
    BUILD.mkdir(parents=True, exist_ok=True)
    for old in BUILD.glob(f"{codename}-*"):
        old.unlink()
    began = time.monotonic()
    lists = []
    for suffix, text in texts.items():
        lists.append(BUILD / f"{codename}{suffix}")
        lists[-1].write_text(text)
    unfinished = BUILD / f"{codename}.part.tar"
    command = ["mmdebstrap", "--variant=minbase", f"--include={wanted}", codename, str(unfinished), *map(str, lists)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise NoMachine(f"mmdebstrap failed:\n{done.stderr[-2000:]}")
    unfinished.rename(kept)
    print(f"deb: {codename}: a clean root was made in {time.monotonic() - began:.0f} s (once)", flush=True)
    return kept


def unpack(kept: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    subprocess.run(["tar", "-xf", kept, "-C", folder, "--numeric-owner"], check=True)
