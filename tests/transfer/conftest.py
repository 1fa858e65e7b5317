"""A box that calls, and ECG files to send."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from ecg_files import write_ecg

from gateway.model import InstanceRef
from gateway.transfer.peers import Peer


@pytest.fixture
def call() -> Callable[..., Peer]:
    """Makes a peer on 127.0.0.1, called as GATEWAY."""

    def make(port: int, ae_title: str = "HOSPITAL", timeout: float = 20.0, own: str = "GATEWAY") -> Peer:
        return Peer("pacs", ae_title, "127.0.0.1", port, own, timeout)

    return make


@pytest.fixture
def ecg(tmp_path: Path) -> Callable[..., InstanceRef]:
    """Writes an ECG file: ``ecg(samples=..., sop_class_uid=..., name=...)``."""
    return partial(write_ecg, tmp_path / "ecg")
