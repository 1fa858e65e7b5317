"""A spool to take instances from, a folder that plays the stick, and other people's programs as judges."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from peers import need
from transfer.media.samples import TWELVE_LEAD, Make, data_set, write

from gateway.model import InstanceRef


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write an instance into a spool folder; takes what :func:`data_set` takes."""
    spool = tmp_path / "spool"
    spool.mkdir()

    def one(sop_class: str = TWELVE_LEAD, **values: object) -> InstanceRef:
        return write(spool, data_set(sop_class, **values))

    return one


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    root = tmp_path / "stick"
    root.mkdir()
    return root


@pytest.fixture
def judge() -> Callable[..., str]:
    """Run an installed program; returns all it says."""

    def run(program: str, *arguments: str) -> str:
        command = [need(program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60, check=False)
        return done.stdout + done.stderr

    return run
