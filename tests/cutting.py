"""A power cut in a test: at the seam of gateway.fsops, and so that nothing cleans up behind it."""

from __future__ import annotations

from collections.abc import Callable

from gateway.fsops import Watch


class Cut(BaseException):
    """Not an Exception: nothing in the product catches it."""


def after(told: Callable[[str, str], None]) -> Watch:
    """``told`` (what, where) of each step that has happened."""

    def watch(moment: str, what: str, where: str) -> None:
        if moment == "after":
            told(what, where)

    return watch
