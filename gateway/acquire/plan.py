"""How long a recording that was asked for may take: to begin, and as a whole."""

from __future__ import annotations

from gateway.acquire.attendant import Attendant
from gateway.errors import Retry

APPEAR_WITHIN = 3.0  # seconds from the order until the line can be opened
BEGIN_WITHIN = 8.0  # seconds from the order to the device's first sample
GRACE = 5.0  # seconds that a recording with a lost device may take longer than planned


class Plan:
    """One order. Times are monotonic seconds.

    ``patience`` is for a recording that goes on by itself, with nobody waiting for it to begin.
    """

    def __init__(self, attendant: Attendant, seconds: float | None, now: float, patience: float | None = None) -> None:
        self._attendant = attendant
        self._seconds = seconds
        self._patience = patience
        self._ordered = now
        self._began: float | None = None

    @property
    def unattended(self) -> bool:
        """Whether it goes on by itself, and nobody waits for it."""
        return self._patience is not None

    def look(self, now: float) -> Retry | None:
        """Stop the recording when its time has come; the reason if it never began."""
        session, problem = self._attendant.session, self._attendant.problem
        if session.recording and self._began is None:
            self._began = now
        within = self._patience or (BEGIN_WITHIN if self._attendant.connected else APPEAR_WITHIN)
        if self._began is None and self._attendant.kept is None and now - self._ordered > within:
            self._attendant.stop("it never began")
            return problem if isinstance(problem, Retry) else Retry("the device did not start", "check its power")
        if self._began is not None and self._seconds is not None and session.recording:
            late = now - self._began > self._seconds + GRACE
            if session.seconds >= self._seconds or late:
                self._attendant.stop("the device was lost" if late else "the planned length was reached")
        return None
