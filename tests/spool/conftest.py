"""A box with one destination that is asked for commitment."""

from __future__ import annotations

from pathlib import Path

import pytest
from spooling import DESTINATION, Box, Pacs

from gateway import configuration
from gateway.settings import Settings


@pytest.fixture
def settings(config: Path) -> Settings:
    config.write_text(config.read_text() + DESTINATION.format(name="pacs", port=104, policy="commitment"))
    return configuration.load(config)


@pytest.fixture
def pacs() -> Pacs:
    return Pacs()


@pytest.fixture
def box(settings: Settings, pacs: Pacs) -> Box:
    return Box(settings, pacs)
