"""Power cuts happen in memory."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from crash.boxes import a_box, fast_folder

from gateway.settings import Settings


@pytest.fixture(scope="module", autouse=True)
def quiet() -> Iterator[None]:
    """A thousand recoveries have much to say."""
    log = logging.getLogger("gateway")
    before = log.level
    log.setLevel(logging.CRITICAL)
    yield
    log.setLevel(before)


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    with fast_folder(tmp_path) as folder:
        yield folder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return a_box(tmp_path)
