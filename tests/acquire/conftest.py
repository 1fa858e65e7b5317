"""A box with a Cyton on a pseudo-terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from waiting import eventually

from gateway import configuration, exam, local, records
from gateway.acquire.recorder import read_facts
from gateway.clock import Clock
from gateway.events import Gap, Marker, Samples
from gateway.model import Attributed

CONFIGURATION = """
[gateway]
data = "{folder}/data"
runtime = "{folder}/run"
[clock]
trust = "always"
[listener]
port = 0
[spool]
reserve = {reserve}
[[device]]
name = "cyton"
adapter = "openbci_cyton"
port = "{folder}/port"
silence = 2.0
sync_interval = 0.1
[[device]]
name = "sim"
adapter = "simulated"
sync_interval = 0.1
test = true
"""
PATIENT = {
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Test^Anna"}]},
    "00100020": {"vr": "LO", "Value": ["P-1"]},
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.toml"
    path.write_text(CONFIGURATION.format(folder=tmp_path, reserve=0))
    return path


@pytest.fixture
def settings(config: Path):
    return configuration.load(config)


@pytest.fixture
def port(tmp_path: Path) -> Path:
    """Where the player's port appears."""
    return tmp_path / "port"


@pytest.fixture
def open_exam(settings):
    def opened(*devices: str):
        return exam.open_exam(settings.places, Clock("always"), devices or ("cyton",), Attributed.MANUAL, PATIENT)

    return opened


class Acquisition:
    """What lies in an acquisition's folder."""

    def __init__(self, settings, acquisition: str) -> None:
        self.folder = settings.places.acquisition(acquisition)
        self.path = self.folder / "records"
        self.facts = read_facts(self.folder)
        self.events = list(records.events(self.path))
        self.gaps = [e for e in self.events if isinstance(e, Gap)]
        self.markers = [e for e in self.events if isinstance(e, Marker)]
        self.samples = np.concatenate([e.data for e in self.events if isinstance(e, Samples)])
        self.end = records.ending(self.path)


@pytest.fixture
def acquisition(settings):
    return lambda name: Acquisition(settings, name)


@pytest.fixture
def until():
    return eventually


@pytest.fixture
def record_100() -> Path:
    """MIT-BIH record 100, where the cases are."""
    cases = Path(os.environ.get("GATEWAY_CASES", Path(__file__).parents[2] / ".." / "shared" / "cases"))
    record = cases / "wfdb" / "100"
    if not record.with_suffix(".hea").exists():
        pytest.skip("no recordings: set GATEWAY_CASES")
    return record


@pytest.fixture
def process(config, settings, tmp_path, until):
    """Start ``gateway capture DEVICE`` and wait until it answers; what still runs at the end is killed."""
    running = []

    def start(device: str) -> subprocess.Popen:
        log = (tmp_path / f"{device}.log").open("ab")
        command = [sys.executable, "-m", "gateway", "capture", device, "--config", str(config)]
        running.append(subprocess.Popen(command, stderr=log))
        socket = settings.places.socket(f"capture-{device}")
        until(lambda: running[-1].poll() is not None or local.is_served(socket))
        return running[-1]

    yield start
    for each in running:
        if each.poll() is None:
            each.kill()
        each.wait()


@pytest.fixture
def ask(settings):
    return lambda device, **request: local.ask(settings.places.socket(f"capture-{device}"), request)
