"""The worker that copies instances to removable media: a destination like the others, without a network."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

from gateway.clock import Clock
from gateway.errors import GatewayError, Held
from gateway.model import InstanceRef
from gateway.settings import Media
from gateway.spool import backoff, deliveries, layout, unharmed
from gateway.spool.deliveries import TO_SEND, Due
from gateway.spool.intake import MEDIA
from gateway.spool.ledger import Ledger
from gateway.transfer import media
from gateway.transfer.media import profiles
from gateway.transfer.media.fitting import SCRATCH, fitted
from gateway.transfer.media.pdi import Pages

log = logging.getLogger(__name__)
_BATCH = 32
_IDLE = 5.0  # seconds
_RETRY_FIRST = 5.0
_RETRY_MOST = 60.0

# root, instance, file-set ID, beat, profile -> File ID
Add = Callable[[Path, InstanceRef, str, Callable[[], None], str], str]


class Carrier:
    """Owned by one thread, which calls :meth:`turn` again and again."""

    def __init__(
        self,
        to: Media,
        data: Path,
        ledger: Ledger,
        clock: Clock,
        add: Add | None = None,
        pages: Pages | None = None,
    ) -> None:
        self._to = to
        self._data = data
        self._ledger = ledger
        self._clock = clock
        self._add = add or partial(media.add, extend=to.foreign == "extend")
        self._pages = pages
        self.pause = backoff.Pause(_RETRY_FIRST, _RETRY_MOST, clock.monotonic)
        self.words = "not tried yet"
        self.answers: bool | None = None

    def turn(self, beat: Callable[[], None] = lambda: None) -> float:
        """Copy what is due; returns the seconds after which to look again."""
        if (left := self.pause.left()) > 0:
            return min(left, _IDLE)
        if not self._to.folder.is_dir():
            self._say(f"no medium at {self._to.folder}; plug one in, or mount it there")
            return _IDLE  # looking costs nothing: a stick is noticed soon after it is plugged in
        found = deliveries.due(self._ledger, self._data, TO_SEND, MEDIA, self._clock.wall(), _RETRY_MOST, _BATCH)
        for one in found:
            beat()
            if not self._copy(one, beat):
                return min(self.pause.left(), _IDLE)
        if len(found) < _BATCH and self._pages is not None:  # once for a backlog, not for each of its instances
            self._pages.turn(self._to.folder, beat)
        return 0.0 if len(found) == _BATCH else _IDLE

    def _copy(self, one: Due, beat: Callable[[], None]) -> bool:
        """Copy one instance; False if the medium as a whole does not work now."""
        sha256 = unharmed.sha256(self._ledger, one, beat)
        if sha256 is None:
            return True
        uid, now = one.instance.sop_instance_uid, self._clock.wall()
        try:
            profile = profiles.of(self._to.folder, self._to.profile)
            with fitted(one.instance, profile, self._to.unfit, self._data / SCRATCH, beat) as there:
                file_id = self._add(self._to.folder, there, self._to.file_set_id, beat, self._to.profile)
                if there is not one.instance:  # what lies on the stick is what is recorded
                    sha256 = layout.sha256(Path(there.path), beat)
        except Held as error:
            deliveries.hold(self._ledger, uid, MEDIA, "", str(error), now)
            log.error("instance %s is held for the medium: %s", uid, error)
            return True
        except (GatewayError, OSError) as error:
            words = str(error)
            deliveries.postpone(self._ledger, uid, MEDIA, 0.0, True, "", words, now)
            self.pause.failed()
            self._say(words)
            return False
        words = f"file-set {self._to.file_set_id}, file {file_id}"
        deliveries.stored(self._ledger, uid, MEDIA, sha256, "", words, self._clock.wall())
        self.pause.worked()
        self.answers, self.words = True, "takes copies"
        return True

    def _say(self, words: str) -> None:
        """Said once, not at every try."""
        if self.words != words:
            log.warning("media: %s", words)
        self.answers, self.words = False, words
