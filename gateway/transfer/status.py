"""How forward is doing, as everybody who asks is told: one line in words, then the numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.clock import Clock
from gateway.settings import Settings
from gateway.spool import room, survey
from gateway.spool.imports import Imports
from gateway.spool.intake import Intake
from gateway.spool.ledger import Ledger
from gateway.spool.recover import Recovery
from gateway.spool.routing import MEDIA
from gateway.transfer.carrier import Carrier
from gateway.transfer.committing.listener import Listener
from gateway.transfer.delivering.courier import Courier
from gateway.transfer.delivering.shift import Shift
from gateway.transfer.ris.step_reporter import StepReporter
from gateway.transfer.ris.worklist_poller import WorklistPoller

Worker = Courier | StepReporter | WorklistPoller | Carrier | Listener


@dataclass(slots=True)
class Crew:
    """Everybody at work in one forward."""

    recovery: Recovery
    intake: Intake
    imports: Imports
    shifts: Sequence[Shift]
    reporters: Sequence[StepReporter]
    pollers: Sequence[WorklistPoller]
    carrier: Carrier | None
    listener: Listener | None = None

    def calling(self) -> Iterator[tuple[str, Worker]]:
        """Those who meet somebody outside the box, by that one's name."""
        yield from ((s.courier.destination.name, s.courier) for s in self.shifts)
        yield from ((r.ris.name, r) for r in self.reporters)
        yield from ((p.ris.name, p) for p in self.pollers)
        if self.carrier is not None:
            yield MEDIA, self.carrier
        if self.listener is not None:
            yield "listener", self.listener


def status(
    settings: Settings,
    ledger: Ledger,
    clock: Clock,
    crew: Crew,
    failing: Mapping[str, str],
    interrupted: Sequence[str],
) -> dict[str, Any]:
    """``failing``: workers whose last round failed, and why; ``interrupted``: exams that a restart interrupted."""
    counts = survey.queue(ledger)
    troubles = survey.troubles(settings, ledger, clock, counts)
    troubles += [f"recording {name} cannot be wrapped now: {w}" for name, w in crew.intake.problems.copy().items()]
    troubles += [f"import {name} cannot be taken in now: {w}" for name, w in crew.imports.problems.copy().items()]
    troubles += [f"{name}: {words}" for name, words in dict(failing).items()]
    troubles += survey.interrupted(settings, interrupted)
    now = {s.courier.destination.name: s.words for s in crew.shifts}
    troubles += [_in_words(name, w.words, now.get(name, "")) for name, w in crew.calling() if w.answers is False]
    delivered = survey.destinations(ledger)
    return {
        "well": not troubles,
        "words": survey.in_words(troubles, counts),
        "troubles": troubles,
        "queue": counts,
        "recovery": {"done": crew.recovery.done, "adopted": crew.recovery.adopted},
        "destinations": [_of_destination(s, delivered.get(s.courier.destination.name, {})) for s in crew.shifts],
        "media": _of_media(crew.carrier, delivered.get(MEDIA, {})),
        "clock": {"trusted": clock.trusted(), "wall": clock.wall()},
        "space": room.space(settings, ledger, clock.wall()).as_json(),
        "ris": [_of_ris(crew, r.name) for r in settings.ris],
    }


def _in_words(name: str, *words: str) -> str:
    return f"{name}: {'; '.join(w for w in words if w)}"


def _of_destination(shift: Shift, counts: dict[str, int]) -> dict[str, Any]:
    courier, to = shift.courier, shift.courier.destination
    found: dict[str, Any] = {"name": to.name, "answers": courier.answers, "words": courier.words, "now": shift.words}
    found["failures"] = courier.failures.copy()
    return found | {"stands_in_for": to.stands_in_for, **counts}


def _of_media(carrier: Carrier | None, counts: dict[str, int]) -> dict[str, Any] | None:
    return None if carrier is None else carrier.status(counts.get("QUEUED", 0)) | counts


def _of_ris(crew: Crew, name: str) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name}
    for poller in crew.pollers:
        if poller.ris.name == name:
            found["worklist"] = {"answers": poller.answers, "words": poller.words, "fetched": poller.fetched}
            found["worklist"]["items"] = poller.items
    for reporter in crew.reporters:
        if reporter.ris.name == name:
            found["mpps"] = {"answers": reporter.answers, "words": reporter.words}
    return found
