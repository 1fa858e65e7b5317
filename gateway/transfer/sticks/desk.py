"""What a person decides about sticks; it is in the audit trail before it is carried out."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from gateway.clock import Clock
from gateway.errors import Misuse
from gateway.settings import Settings
from gateway.spool import audit
from gateway.transfer.sticks import told
from gateway.transfer.sticks.told import Answer, State, Told

_PATIENCE = 20.0  # seconds that an answer waits for the stick to be finished
_LOOK = 0.1

Request = dict[str, Any]
Eject = Callable[[str], None]  # of the carrier: no more to the stick with this token


class StickDesk:
    """``ring`` wakes the carrier after a decision."""

    def __init__(self, settings: Settings, clock: Clock, eject: Eject, ring: Callable[[], None]) -> None:
        self._here = settings.places
        self._clock = clock
        self._eject = eject
        self._ring = ring

    @property
    def handlers(self) -> dict[str, Callable[[Request], dict[str, Any]]]:
        """By the request's ``do``."""
        return {"media-allow": self.allow, "media-eject": self.eject}

    def allow(self, request: Request) -> dict[str, Any]:
        """The box may use a stick that it asked about, as long as that stays plugged in."""
        one = self._told(request)
        if one.state is not State.ASKED:
            raise Misuse(f"stick {one.name} does not wait for an answer: {one.words}")
        self._note(request, "allow", one)
        told.answer(self._here.answers, one, Answer.ALLOW)
        self._ring()
        always = f'; "serial:{one.serial}" in [media] sticks allows it always' if one.serial else ""
        return {"words": f"stick {one.name} is used from now on{always}"}

    def eject(self, request: Request) -> dict[str, Any]:
        """Finish what is being written to a stick, then have it unmounted; waits a while for that."""
        one = self._told(request)
        if one.state is not State.MOUNTED:
            raise Misuse(f"stick {one.name} is not mounted: {one.words}")
        self._note(request, "eject", one)
        self._eject(one.token)
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            self._ring()
            time.sleep(_LOOK)
            now = next((t for t in told.all_told(self._here.sticks) if t.token == one.token), None)
            if now is None or now.state is State.OUT:
                return {"words": f"stick {one.name} may be taken out", "done": True}
        return {"words": f"stick {one.name} is still being written: gateway media status says when", "done": False}

    def _told(self, request: Request) -> Told:
        return told.one_told(self._here.sticks, str(request.get("name")))

    def _note(self, request: Request, what: str, one: Told) -> None:
        who = str(request.get("who") or "local user")
        subject = f"stick {one.name}, label {one.label or 'none'}, serial {one.serial or 'none'}"
        audit.append(self._here.audit, self._clock.now(), who, what, subject, str(request.get("why") or ""))
