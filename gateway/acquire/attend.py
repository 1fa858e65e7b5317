"""An attendant for a configured device: its adapter, its line, its recorder, and what it must ask before it records."""

from __future__ import annotations

from collections.abc import Callable

from gateway.acquire import footprint
from gateway.acquire.adapter import Internal, adapter_named
from gateway.acquire.admission import admit, unwrapped
from gateway.acquire.attendant import Attendant
from gateway.acquire.limit import Limit
from gateway.acquire.line import line_for
from gateway.acquire.recorder import Recorder
from gateway.acquire.session import Session
from gateway.clock import Clock
from gateway.events import Started
from gateway.settings import Settings


def attend(settings: Settings, device: str, whose: Callable[[], str | None]) -> Attendant:
    """The attendant of a configured device. ``whose`` names the exam of a recording that begins."""
    chosen = settings.device(device)
    adapter = adapter_named(chosen.adapter)
    clock = Clock(settings.clock.trust)
    here = settings.places

    def admitted(started: Started, seconds: float | None) -> None:
        length = chosen.expected * 60.0 if seconds is None else seconds
        kind, line = started.kind or adapter.kind, not isinstance(adapter.transport, Internal)
        takes = footprint.expected(kind, started.groups, length, chosen, line)
        admit(here, settings.spool.reserve, takes, unwrapped(here))

    return Attendant(
        device=chosen,
        session=Session(adapter.decoder(settings.options[device]), chosen.keep_bytes),
        line=line_for(adapter, chosen, clock.monotonic),
        recorder=Recorder(here, clock, chosen, adapter),
        clock=clock,
        whose=whose,
        admit=admitted,
        limit=lambda facts: Limit(here, chosen, facts),
    )
