"""Waiting for something to come true, never for a time to pass."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

PATIENCE = 90.0  # seconds: costs nothing where all is well, and a machine that is busy needs it


def eventually(what: Callable[[], Any], why: Callable[[], object] = lambda: "") -> Any:
    """The first true answer of ``what``; it is a failure only if none comes, told with what ``why`` gives then."""
    until = time.monotonic() + PATIENCE
    while not (found := what()):
        if time.monotonic() > until:
            pytest.fail(f"it never happened; the last answer was {found} {why()}")
        time.sleep(0.02)
    return found
