"""An attendant for a configured device: its adapter, its line, its recorder, and what it must ask before it records."""

from __future__ import annotations

from collections.abc import Callable

from gateway.acquire import footprint
from gateway.acquire.adapter import Serial, adapter_named
from gateway.acquire.admission import admit, unwrapped
from gateway.acquire.attendant import Attendant
from gateway.acquire.limit import Limit
from gateway.acquire.lines import line_for
from gateway.acquire.pre_roll import PreRoll
from gateway.acquire.recorder import Recorder
from gateway.acquire.session import Session
from gateway.acquire.shutter import Shutter
from gateway.acquire.whose import patient_since
from gateway.clock import Clock
from gateway.events import Started
from gateway.settings import Settings


def attend(settings: Settings, device: str, whose: Callable[[], str | None]) -> Attendant:
    """The attendant of a configured device. ``whose`` names the exam of a recording that begins."""
    chosen = settings.device(device)
    adapter = adapter_named(chosen.adapter)
    clock = Clock(settings.clock.trust)
    here = settings.places
    options = settings.options[device]
    shutter = options if isinstance(options, Shutter) else None
    serial = isinstance(adapter.transport, Serial)

    def admitted(started: Started, seconds: float | None) -> None:
        length = chosen.expected * 60.0 if seconds is None else seconds
        if started.picture is None:
            takes = footprint.expected(started.kind or adapter.kind, started.groups, length, chosen, serial)
        else:
            takes = footprint.expected_frames(started.picture, length, settings.profile(chosen))
        admit(here, settings.spool.reserve, takes, unwrapped(here))

    return Attendant(
        device=chosen,
        session=Session(
            adapter.decoder(options),
            chosen.keep_bytes and shutter is None,  # a transcript of frames would be all of them once more
            pre_roll=PreRoll(shutter.pre_roll if shutter is not None else 0.0),
        ),
        line=line_for(adapter, chosen, options, clock.monotonic),
        recorder=Recorder(here, clock, chosen, adapter),
        clock=clock,
        whose=whose,
        admit=admitted,
        limit=lambda facts: Limit(here, chosen, facts, settings.profile(chosen)),
        since=lambda exam: patient_since(here, clock, exam),
        shutter=shutter,
    )
