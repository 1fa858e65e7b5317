"""The worker that copies instances to removable media: a destination like the others, without a network.

Oldest first, to the first medium that has room; one that is full, foreign or failing is left alone, and the next one
takes over as a further file-set. What is in work when a stick is pulled waits until it, or another one, is there.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gateway.clock import Clock
from gateway.errors import GatewayError, Held
from gateway.model import InstanceRef
from gateway.settings import Settings
from gateway.spool import audit, deliveries, layout, unharmed
from gateway.spool.deliveries import TO_SEND, Due, Taken
from gateway.spool.ledger import Ledger
from gateway.spool.routing import MEDIA
from gateway.transfer import media
from gateway.transfer.media import pdi, profiles
from gateway.transfer.media.fitting import SCRATCH, fitted
from gateway.transfer.plugged import Medium, Plugged, shown
from gateway.transfer.sticks import told
from gateway.transfer.sticks.register import Register
from gateway.transfer.sticks.told import Answer, State

log = logging.getLogger(__name__)
_BATCH = 32
_IDLE = 5.0  # seconds
_RETRY_MOST = 60.0  # seconds: what is dated further ahead was dated by a clock that jumped

Beat = Callable[[], None]
# root, instance, file-set ID, beat, profile, whether another program's file-set may be extended
Add = Callable[[Path, InstanceRef, str, Beat, str, bool], media.Filed]
# root, beat, at once: what else lies on a medium, made anew when the backlog is written; whether that was done
Refresh = Callable[[Path, Beat, bool], bool]


def nothing_else(_root: Path, _beat: Beat, _at_once: bool) -> bool:
    """A medium with a DICOMDIR and nothing beside it."""
    return True


class Carrier:
    """Owned by one thread, which calls :meth:`turn` again and again. Needs a [media] section."""

    def __init__(
        self, settings: Settings, ledger: Ledger, clock: Clock, add: Add = media.add, refresh: Refresh = nothing_else
    ) -> None:
        assert settings.media is not None
        self._settings = settings
        self._to = settings.media
        self._here = settings.places
        self._ledger = ledger
        self._clock = clock
        self._add = add
        self._refresh = refresh
        self._said = ""
        self.plugged = Plugged(settings.media, settings.places, clock, Register(settings.places.media))

    def turn(self, beat: Beat = lambda: None) -> float:
        """Copy what is due; returns the seconds after which to look again. Raises OSError of the box's own disk."""
        there = self.plugged.look(beat)
        self._say()
        usable = [m for m in there if m.usable]
        try:
            more = self._copy_some(usable, beat) if usable else False
            if not more:
                for medium in there:
                    self._finish(medium, beat)
        finally:
            for medium in there:
                medium.busy = False
        return 0.0 if more else min([m.pause.left() for m in there if m.pause.left()], default=_IDLE)

    def _copy_some(self, usable: Sequence[Medium], beat: Beat) -> bool:
        """True if there may be more to copy at once."""
        room = max(m.room for m in usable)
        due = deliveries.due(
            self._ledger, self._here.data, TO_SEND, MEDIA, self._clock.wall(), _RETRY_MOST, _BATCH, room
        )
        for one in due:
            beat()
            left = [m for m in usable if m.usable and m.token not in self.plugged.ejected]
            if not left:
                return False
            self._copy(one, left, beat)
        return len(due) == _BATCH

    def _copy(self, one: Due, usable: Sequence[Medium], beat: Beat) -> None:
        """Copy one instance to the first medium that takes it, or leave it for later with the reason."""
        sha256 = unharmed.sha256(self._ledger, one, beat)
        if sha256 is None:
            return
        uid, now = one.instance.sop_instance_uid, self._clock.wall()
        for medium in usable:
            if one.instance.size >= medium.room or not self.plugged.still_there(medium):
                continue
            medium.busy = True
            try:
                filed = self._fitted(one, medium, beat)
            except media.MediumFull as error:
                medium.measure()
                medium.full(one.instance.size, str(error))
            except media.MediumRefused as error:
                medium.refused = True
                medium.say(str(error))
            except Held as error:
                deliveries.hold(self._ledger, uid, MEDIA, "", str(error), now)
                log.error("instance %s is held for the medium: %s", uid, error)
                return
            except GatewayError as error:
                medium.failed(str(error))
                # The instance is not at fault if the stick was pulled: it keeps its turn, the oldest first.
                counts = self.plugged.still_there(medium)
                deliveries.postpone(self._ledger, [uid], MEDIA, 0.0, counts, "", str(error), now)
            else:
                self._stored(one, sha256, medium, filed)
                return

    def _fitted(self, one: Due, medium: Medium, beat: Beat) -> media.Filed:
        """Copy an instance as the medium's profile wants it; ``source_sha256`` is of the spooled file all the same."""
        profile = profiles.of(medium.root, self._to.profile)
        file_set_id, extend = self.plugged.id_for(medium), self._to.foreign == "extend"
        with fitted(one.instance, profile, self._to.unfit, self._here.data / SCRATCH, beat) as there:
            filed = self._add(medium.root, there, file_set_id, beat, self._to.profile, extend)
            if there is not one.instance:
                filed = dataclasses.replace(filed, source_sha256=layout.sha256(Path(one.instance.path), beat))
        return filed

    def _stored(self, one: Due, sha256: str, medium: Medium, filed: media.Filed) -> None:
        """The register first, then the ledger: what the ledger says is stored may be purged."""
        uid, now = one.instance.sop_instance_uid, self._clock.wall()
        if filed.source_sha256 != sha256:
            words = "the spool gave other data when it was copied; it is copied again"
            log.error("instance %s: %s; check the disk", uid, words)
            deliveries.postpone(self._ledger, [uid], MEDIA, 0.0, True, "", words, now)
            return
        if not self.plugged.still_there(medium):  # who may write to an empty mount point wrote beside the stick
            words = "the stick was taken out while it was copied; it is copied again"
            deliveries.postpone(self._ledger, [uid], MEDIA, 0.0, False, "", words, now)
            return
        self.plugged.filed(medium, filed)
        on = f" (label {medium.label})" if medium.label else ""
        words = f"on file-set {filed.file_set_id or '(no ID)'}{on}, UID {filed.file_set_uid}, File ID {filed.file_id}"
        audit.left(self._settings, self._clock, "export", MEDIA, [uid])
        deliveries.stored(self._ledger, MEDIA, [Taken(uid, filed.sha256, "", words, now)])
        medium.pause.worked()
        medium.say("")

    def _finish(self, medium: Medium, beat: Beat) -> None:
        """The backlog is written, or a person wants the stick out: what lies beside the DICOMDIR is made anew."""
        if medium.fresh and not medium.pause.left() and self.plugged.still_there(medium):
            medium.busy = True
            try:
                medium.fresh = not self._refresh(medium.root, beat, medium.token in self.plugged.ejected)
            except GatewayError as error:
                medium.failed(str(error))
        if medium.token in self.plugged.ejected:
            media.forget(medium.root)
            for one in told.all_told(self._here.sticks):
                if one.token == medium.token and one.state is State.MOUNTED:
                    told.answer(self._here.answers, one, Answer.EJECT)

    @property
    def troubles(self) -> list[str]:
        """What a person should look at, each with what to do."""
        plugged = self.plugged
        found = [f"no medium at {self._to.folder}; plug one in, or mount it there"] if plugged.missing else []
        found += [f"{m}: {m.words}" for m in plugged.there if m.words]
        names = {
            State.ASKED: "a stick is plugged in and nobody has said that it may be used",
            State.REFUSED: "not used",
        }
        for one in plugged.waiting:
            if one.state in names:
                what = f"stick {one.name}" + (f" ({one.label or one.serial})" if one.label or one.serial else "")
                found.append(f"{what}: {names[one.state]}: {one.words}")
        return found

    @property
    def answers(self) -> bool | None:
        """False: a person should look; None: there is nothing to write to, which need not be wrong."""
        return False if self.troubles else True if self.plugged.there else None

    @property
    def words(self) -> str:
        return "; ".join(self.troubles) or ("takes copies" if self.plugged.there else "no stick is plugged in")

    def status(self, waits: int) -> dict[str, Any]:
        """All media for people. ``waits``: instances that are still to be copied."""
        others = [
            {"name": t.name, "state": t.state, "label": t.label, "serial": t.serial, "words": t.words}
            for t in self.plugged.waiting
        ]
        return {
            "answers": self.answers,
            "words": self.words,
            "present": [shown(m, waits) for m in self.plugged.there],
            "sticks": others,
        }

    def _say(self) -> None:
        """The missing folder, and sticks that are not used: said once in the log. Media say the rest themselves."""
        said = "; ".join(t for t in self.troubles if not t.startswith("medium "))
        if said and said != self._said:
            log.warning("media: %s", said)
        self._said = said


def carrier(settings: Settings, ledger: Ledger, clock: Clock) -> Carrier:
    """The one of this box, with pages on its media if they are wanted."""
    if settings.media is None or not settings.media.pages:
        return Carrier(settings, ledger, clock)
    return Carrier(settings, ledger, clock, refresh=pdi.Pages(pdi.about(settings)).turn)
