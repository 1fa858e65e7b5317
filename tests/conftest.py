"""What all tests share: how Hypothesis looks for examples, and a configured box on an empty folder."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from tiers import SLOW

from gateway import configuration
from gateway.settings import Settings

# A test that says yes today says yes tomorrow, however busy the machine is: the same examples each time, and no clock.
# What looks for new ones is the slow tier.
hypothesis.settings.register_profile(
    "gateway",
    deadline=None,
    derandomize=not SLOW,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("gateway")

CONFIGURATION = """
[gateway]
ae_title = "GATEWAY"
data = "{folder}/data"
runtime = "{folder}/run"
[clock]
trust = "always"
[listener]
port = 0
[spool]
reserve = 0
[[device]]
name = "ecg1"
adapter = "simulated"
[[device]]
name = "ecg2"
adapter = "simulated"
"""


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """A command that a test runs within this process sets up the log for itself, not for the tests after it."""
    root, ours = logging.getLogger(), logging.getLogger("gateway")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration file with two simulated devices and nobody to talk to."""
    path = tmp_path / "gateway.toml"
    path.write_text(CONFIGURATION.format(folder=tmp_path))
    return path


@pytest.fixture
def settings(config: Path) -> Settings:
    return configuration.load(config)
