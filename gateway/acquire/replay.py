"""A transcript played again: the bytes as received go through the same session, as fast as they go.

The transcript is the record file of an acquisition (:class:`gateway.records.Type` BYTES). Time is the transcript's
own, so that silence and time-outs happen again where they happened.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gateway import records
from gateway.acquire.adapter import adapter_named
from gateway.acquire.admission import admit
from gateway.acquire.recorder import Recorder
from gateway.acquire.session import Act, Begin, End, Identify, Record, RecordBytes, Session
from gateway.clock import Clock
from gateway.errors import Misuse
from gateway.settings import Settings

TICK = 0.1  # seconds


def pieces(transcript: Path) -> Iterator[tuple[bytes, float]]:
    """(bytes, monotonic seconds) as received; b"" where the line was opened and the device started from nothing."""
    others = tuple(t for t in records.Type if t is not records.Type.BYTES)
    for record in records.read(transcript, skip=others):
        yield record.payload, record.time


def play(transcript: Path, session: Session, begin: float) -> Iterator[Act]:
    """What the session decides when it hears the transcript; its first byte comes at ``begin``.

    Raises Misuse if the file holds no bytes as received.
    """
    before: float | None = None
    shift = 0.0
    for data, then in pieces(transcript):
        if before is None:
            shift = begin - then
            session.wanted = True
            if data:
                yield from session.connect(begin)
            before = then
        while then - before > 2 * TICK:
            before += TICK
            yield from session.tick(before + shift)
        if data:
            yield from session.feed(data, then + shift)
        else:
            yield from session.disconnect("as in the transcript", then + shift)
            yield from session.connect(then + shift)
        yield from session.tick(then + shift)
        before = then
    if before is None:
        raise Misuse(f"{transcript} holds no bytes as received", "record with keep_bytes = true")
    yield from session.stop("end of the transcript", before + shift)


def keep(settings: Settings, device: str, exam_id: str | None, file: Path) -> str:
    """Play a transcript through the device's adapter into a new acquisition; its id."""
    chosen = settings.device(device)
    adapter = adapter_named(chosen.adapter)
    clock = Clock(settings.clock.trust)
    admit(settings.places, settings.spool.reserve)
    recorder = Recorder(settings.places, clock, chosen, adapter)
    session = Session(adapter.decoder(settings.options[device]), chosen.keep_bytes)
    made = ""
    for act in play(file, session, clock.monotonic()):
        match act:
            case Begin():
                made = recorder.begin(act.started, exam_id).acquisition
            case Record():
                recorder.take(act.event)
            case Identify():
                recorder.identify(act.event)
            case RecordBytes():
                recorder.take_bytes(act.data, act.time)
            case End():
                recorder.close(act.reason)
    if not made:
        raise Misuse(f"the transcript {file} holds no recording of a {adapter.name}", "name the right device")
    return made
