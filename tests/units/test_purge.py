"""Purging the package: what the maintainer script takes away, and what it never does."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

POSTRM = Path(__file__).parents[2] / "images" / "deb" / "postrm"


class Machine:
    """A root of its own for the script, with Debian's commands as far as it needs them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.data = root / "var/lib/gateway"
        for folder in (self.data / "acquisitions", self.data / "instances", root / "etc/gateway", root / "bin"):
            folder.mkdir(parents=True)
        (root / "etc/gateway/gateway.toml").touch()
        self.command("deb-systemd-helper", "exit 0")
        text = POSTRM.read_text()
        for path in ("/var/lib/gateway", "/run/gateway", "/etc/gateway"):
            assert path in text
            text = text.replace(path, f"{root}{path}")
        (root / "postrm").write_text(text)

    def command(self, name: str, body: str) -> None:
        path = self.root / "bin" / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def purge(self) -> subprocess.CompletedProcess[str]:
        path = f"{self.root / 'bin'}:{os.environ['PATH']}"
        command = ["/bin/sh", str(self.root / "postrm"), "purge"]
        return subprocess.run(command, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_what_holds_no_recording_is_purged(machine: Machine) -> None:
    (machine.data / "ledger.sqlite").touch()
    assert machine.purge().returncode == 0
    assert not machine.data.exists()
    assert not (machine.root / "etc/gateway").exists()


@pytest.mark.parametrize("name", ["acquisitions/a/records", "acquisitions/.a.taking/records", "instances/a/1.2.dcm"])
def test_a_recording_or_an_instance_is_never_purged(machine: Machine, name: str) -> None:
    path = machine.data / name
    path.parent.mkdir()
    path.touch()
    found = machine.purge()
    assert found.returncode == 1
    assert "1 recordings and instances" in found.stderr
    assert path.exists()


def test_a_spool_that_cannot_be_read_is_no_empty_one(machine: Machine) -> None:
    machine.command("find", "exit 1")
    found = machine.purge()
    assert found.returncode == 1
    assert "cannot be read: nothing was purged" in found.stderr
    assert machine.data.exists()
    assert (machine.root / "etc/gateway/gateway.toml").exists()
