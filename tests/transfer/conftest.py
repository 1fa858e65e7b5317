"""A box that calls, and ECG files to send."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from ecg_files import write_ecg
from orthanc import Orthanc, orthanc

from gateway.model import InstanceRef
from gateway.transfer.calling.peers import Peer
from gateway.trial import patients
from gateway.trial.ports import free_port

# Orthanc's worklist plug-in re-encodes everything to ISO_IR 100: it gets only names within Latin 1.
LATIN = tuple(p for p in patients.PATIENTS if p.charset in ((), ("ISO_IR 100",)))


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


@pytest.fixture(scope="session")
def box_port() -> int:
    """Where the box listens, as Orthanc is told when it starts."""
    return free_port()


@pytest.fixture(scope="session")
def pacs(tmp_path_factory: pytest.TempPathFactory, box_port: int) -> Iterator[Orthanc]:
    """One Orthanc for all tests: it takes three seconds to start."""
    items = patients.items(patients=LATIN)
    with orthanc(tmp_path_factory.mktemp("orthanc"), "GATEWAY", box_port, items) as running:
        yield running
