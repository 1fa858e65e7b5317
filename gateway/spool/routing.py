"""Where an instance goes: :func:`where` is the one rule, pure, and :class:`Router` reads what it looks at.

The set is fixed when the instance is taken up: a rule that is changed later concerns what comes later, and what went
nowhere so far. It follows from files (the instance's header, the recording's facts, the exam), so that it comes out the
same when the ledger is lost. What nobody can say any more is held for a person, neither sent by guess nor left out.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway import exam
from gateway.destination import Destination
from gateway.errors import GatewayError
from gateway.model import Attributed, Exam
from gateway.settings import Settings
from gateway.spool import layout
from gateway.spool.instances import Choose, Origin, Wanted, of_import
from gateway.spool.layout import Coded, Described
from gateway.spool.states import Rank
from gateway.step import value

log = logging.getLogger(__name__)
NO_RULE = "no rule takes it; widen one and restart forward, or: gateway queue route INSTANCE --destination NAME"
MEDIA = "media"  # the destination's name for removable media
_PRIORITY = "00401003"  # Requested Procedure Priority: STAT, HIGH, ROUTINE, MEDIUM, LOW
_URGENT = frozenset({"STAT", "HIGH"})
_PATIENTS = {
    Attributed.SCHEDULED: "scheduled",
    Attributed.MANUAL: "entered",
    Attributed.EMERGENCY: "unidentified",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """All that a rule may look at. None: nobody can say."""

    sop_class: str
    modality: str
    codes: frozenset[Coded]  # of its scheduled protocol and its requested procedure
    device: str | None
    patients: str | None  # one of gateway.destination.PATIENTS


def where(destinations: Iterable[Destination], seen: Seen) -> tuple[Wanted, ...]:
    """Each destination whose rules all say yes, in order; a stand-in gets nothing of its own.

    It is held for one whose rules do not say no, but nobody can say yes.
    """
    return tuple(
        Wanted(to.name, to.policy, held=_in_words(to, seen) if verdict is None else None)
        for to in destinations
        if not to.stands_in_for and (verdict := takes(to, seen)) is not False
    )


def takes(to: Destination, seen: Seen) -> bool | None:
    """Whether the rules of ``to`` take it; None if that depends on what nobody can say."""
    answers = (
        not to.only_classes or seen.sop_class in to.only_classes,
        not to.only_modalities or seen.modality in to.only_modalities,
        not to.only_procedures or any(_named(code, to.only_procedures) for code in seen.codes),
        _among(seen.device, to.only_devices),
        _among(seen.patients, to.only_patients),
    )
    return False if False in answers else None if None in answers else True


def _among(found: str | None, allowed: Sequence[str]) -> bool | None:
    return True if not allowed else None if found is None else found in allowed


def _named(code: Coded, procedures: Sequence[str]) -> bool:
    value_, scheme = code
    return value_ in procedures or f"{value_}^{scheme}" in procedures


def _in_words(to: Destination, seen: Seen) -> str:
    unknown = [
        what
        for what, found, rule in (
            ("which device recorded it", seen.device, to.only_devices),
            ("how it came to its patient", seen.patients, to.only_patients),
        )
        if rule and found is None
    ]
    return f"nobody can say any more {' and '.join(unknown)}, so whether it is for {to.name}: release it, or waive it"


class Router:
    """The configured rules, and what they look at."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._here = settings.places
        self._named = {d.name: d for d in settings.destinations}
        self._asks_for_patients = any(d.only_patients for d in settings.destinations)

    def choose(self, origin: Origin, backlog: bool = False) -> Choose:
        """Where each instance of this origin goes. ``backlog``: it is found again, not what was just recorded."""
        imported = layout.is_import(origin.folder)
        if origin.folder != origin.acquisition:
            return lambda _: ()  # a further wrapping goes only where the first is refused, and that is said again
        found = self._exam(origin) if not backlog or self._asks_for_patients else None
        rank = Rank.BACKLOG if backlog or imported else Rank.URGENT if _urgent(found) else Rank.ROUTINE

        def chosen(one: Described) -> tuple[Wanted, ...]:
            device = None if imported else origin.device or None
            seen = Seen(one.sop_class, one.modality, one.codes, device, _patients(origin, found))
            to = self._with_a_persons_word(where(self._settings.destinations, seen), one)
            if not to and self._settings.destinations and not backlog:
                log.warning("instance %s goes to no destination: %s", one.uid, NO_RULE)
            to = tuple(both for w in to for both in self._with_its_stand_in(w, one))
            if self._settings.media is not None:
                to = (*to, Wanted(MEDIA, self._settings.media.policy))
            return tuple(dataclasses.replace(w, rank=rank) for w in (of_import(to) if imported else to))

        return chosen

    def _with_a_persons_word(self, to: tuple[Wanted, ...], one: Described) -> tuple[Wanted, ...]:
        """Where a person sent it besides, whatever the rules say."""
        there = {w.destination for w in to}
        return to + tuple(
            Wanted(name, self._named[name].policy)
            for name, mark in one.marks.items()
            if mark.routed and name in self._named and name not in there
        )

    def _with_its_stand_in(self, w: Wanted, one: Described) -> tuple[Wanted, ...]:
        """What a stand-in has taken stays with it: the other one never gets it by the loss of a ledger."""
        mark = one.marks.get(w.destination)
        stand_in = self._named.get(mark.taken_by or "") if mark is not None else None
        if stand_in is None:
            return (w,)
        instead = Wanted(stand_in.name, stand_in.policy, stands_in_for=w.destination)
        return dataclasses.replace(w, taken_by=stand_in.name), instead

    def _exam(self, origin: Origin) -> Exam | None:
        try:
            return exam.load(self._here, origin.exam) if origin.exam else None
        except GatewayError:
            return None


def _patients(origin: Origin, found: Exam | None) -> str | None:
    if origin.test:
        return "test"
    return _PATIENTS.get(found.attribution.how) if found is not None else None


def _urgent(found: Exam | None) -> bool:
    return found is not None and value(found.attribution.item, _PRIORITY).strip().upper() in _URGENT
