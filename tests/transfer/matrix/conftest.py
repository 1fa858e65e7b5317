"""Spools to start from, and no waiting for what will not come."""

from __future__ import annotations

from pathlib import Path

import pytest
from transfer.matrix.stage import BIG, fill

from gateway.transfer.calling import requestor
from gateway.transfer.delivering import lingering


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report that will not come on the same association is waited for, but not for long."""
    monkeypatch.setattr(lingering, "MOMENT", 0.2)
    monkeypatch.setattr(requestor, "LOOK", 0.005)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("small") / "box")


@pytest.fixture(scope="session")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of the instances does not fit into the buffers of a connection."""
    return fill(tmp_path_factory.mktemp("big") / "box", BIG)
