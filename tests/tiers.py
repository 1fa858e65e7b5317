"""What runs each time, and what only in the slow tier (GATEWAY_SLOW=1, ``make nightly``)."""

from __future__ import annotations

import os

import pytest

SLOW = bool(os.environ.get("GATEWAY_SLOW"))
only_slow = pytest.mark.skipif(not SLOW, reason="slow: GATEWAY_SLOW=1")


def examples(number: int) -> int:
    """How many examples Hypothesis looks at: the slow tier at ``number``, which are others each time."""
    return number if SLOW else max(10, number // 4)
