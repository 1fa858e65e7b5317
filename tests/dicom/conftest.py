"""Fixtures of the dicom tests; what they record stands in tests/acquisitions.py."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway import fsops


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return fsops.make_folder(tmp_path / "out")


@pytest.fixture
def dciodvfy() -> Callable[[Path], list[str]]:
    """The lines with which dciodvfy finds fault with a file."""
    if shutil.which("dciodvfy") is None:
        if os.environ.get("CI"):
            pytest.fail("dciodvfy (package dicom3tools) is missing")
        pytest.skip("dciodvfy (package dicom3tools) is not installed")

    def judge(path: Path) -> list[str]:
        ran = subprocess.run(
            ["dciodvfy", str(path)], capture_output=True, text=True, timeout=60, check=False, errors="replace"
        )
        return [line for line in (ran.stdout + ran.stderr).splitlines() if "Error" in line]

    return judge
