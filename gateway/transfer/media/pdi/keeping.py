"""When the carrier makes pages: after the backlog, if anything changed, and never so often that they take its time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from gateway.errors import GatewayError
from gateway.transfer.media.medium import DICOMDIR
from gateway.transfer.media.pdi.readme import About
from gateway.transfer.media.pdi.refreshing import refresh

log = logging.getLogger(__name__)
_SHARE = 20  # of the time at most one part in so many goes into pages
_AFTER_FAILURE = 60.0  # seconds


class Pages:
    """Owned by the carrier's thread. Never raises: pages are nothing that a copy may fail for."""

    def __init__(self, about: About, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._about = about
        self._monotonic = monotonic
        self._made: dict[Path, tuple[int, int, int, int]] = {}  # what the DICOMDIR was when its pages were made
        self._not_before = float("-inf")
        self._words = ""

    def turn(self, root: Path, beat: Callable[[], None] = lambda: None, at_once: bool = False) -> bool:
        """Call it whenever nothing is left to copy to ``root``; ``at_once``: the medium is about to be taken out.

        Returns whether the pages say what the DICOMDIR says.
        """
        began = self._monotonic()
        try:
            stat = (root / DICOMDIR).stat()
        except OSError:
            return True  # nothing is there, or the medium is gone: the next copy will say so
        sign = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)
        if self._made.get(root) == sign:
            return True
        if began < self._not_before and not at_once:
            return False
        try:
            count = refresh(root, self._about, beat)
        except (GatewayError, OSError) as error:
            self._not_before = self._monotonic() + _AFTER_FAILURE
            if self._words != str(error):  # said once, not at every try
                log.warning("the pages of the medium could not be made: %s", error)
            self._words = str(error)
            return False
        took = self._monotonic() - began
        self._not_before = began + _SHARE * took
        self._words = ""
        self._made = {one: made for one, made in self._made.items() if one.exists()} | {root: sign}
        log.info("medium %s: %d instances got their page in %.1f s", root, count, took)
        return True
