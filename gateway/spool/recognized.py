"""A recording that nobody chose a patient for, and whose device says whom it measures: whose it is, if that is plain.

It is plain if what the device said fits exactly one scheduled step (:mod:`gateway.matching`) of a worklist that is as
fresh as the recording. Then the recording is an exam of its own. Its ids derive from the recording's, and the recording
names its exam before there is one: a power cut in between comes to the same exam, or to none.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from pathlib import Path

from gateway import exam, matching
from gateway.clock import Clock
from gateway.errors import Held, Misuse
from gateway.identifiers import derived_uid
from gateway.model import Attributed, Attribution, Closing, Exam, Facts
from gateway.places import IDENTIFIED
from gateway.settings import Settings
from gateway.spool import audit, doubts, holding
from gateway.worklists import cached_worklists, choices

_MOST = 1000  # recordings remembered
_tried: dict[Path, tuple[tuple[object, ...], str]] = {}  # those that nobody was meant by, and as things were then
FRESH = 43200.0  # seconds between a recording and the answer of the RIS that says whose it is


def exam_id(facts: Facts) -> str:
    """Of the exam that a recording is by itself (SH, 16 characters)."""
    digest = hashlib.sha256(_seed(facts).encode()).hexdigest()
    return time.strftime("%y%m%d%H%M%S", time.gmtime(facts.started.wall)) + digest[:4].upper()


def _seed(facts: Facts) -> str:
    """What is one exam by itself: a recording, or all that a file became."""
    return facts.siblings[0] if facts.siblings else facts.root_uid


def recognize(settings: Settings, clock: Clock, folder: Path, facts: Facts) -> tuple[Exam | None, str]:
    """The exam of a recording that has none, made if need be; or None, and in words why nobody is plainly meant.

    The words are "" where the device said nothing. Raises Held if what it said, or the worklist, cannot be read.
    """
    said = doubts.said(folder)
    if not said or facts.exam is not None:
        return None, ""
    as_it_is = _as_it_is(settings.places.worklist, folder, clock.trusted())
    if folder in _tried and _tried[folder][0] == as_it_is:
        return None, _tried[folder][1]
    found, words = _recognize(settings, clock, folder, facts, said)
    if found is None:
        if len(_tried) > _MOST:
            _tried.clear()
        _tried[folder] = as_it_is, words
    return found, words


def _as_it_is(worklist: Path, folder: Path, trusted: bool) -> tuple[object, ...]:
    """Changes when something does that decides whose it is."""
    files = [*sorted(worklist.glob("[!.]*.json")), folder / IDENTIFIED]
    with contextlib.suppress(FileNotFoundError):
        return (trusted, *((path.name, path.stat().st_mtime_ns, path.stat().st_ino) for path in files))
    return (object(),)


def _recognize(
    settings: Settings, clock: Clock, folder: Path, facts: Facts, said: dict[str, list[str]]
) -> tuple[Exam | None, str]:
    if twice := [kind for kind, texts in said.items() if len(set(texts)) > 1]:
        return None, f"the device named more than one {' and '.join(twice).replace('_', ' ')}"
    if not (facts.noted.trusted and clock.trusted()):
        return None, "the clock is not set, so nobody can say how old the worklist is"
    try:
        sufficient = settings.device(facts.device).match
    except Misuse:
        sufficient = ()
    here = settings.places
    lists = [w for w in cached_worklists(here.worklist) if abs(facts.noted.wall - w.fetched) < FRESH]
    fitting = matching.match({kind: texts[0] for kind, texts in said.items()}, choices(lists, clock.wall()), sufficient)
    if fitting.step is None:
        return None, f"the device named whom it measured, but {fitting.words}"
    name, step = exam_id(facts), fitting.step
    found = Exam(
        exam=name,
        step_uid=derived_uid(_seed(facts), "performed procedure step"),
        study_uid=step.study_uid or derived_uid(_seed(facts), "study"),
        devices=(facts.device,),
        opened=facts.started,
        attribution=Attribution(Attributed.SCHEDULED, step.item, clock.now(), step.source),
        closed=Closing("COMPLETED", clock.now()),
    )
    # All that the same file became, before there is the exam: it is reported when all of its recordings are wrapped.
    for one in facts.siblings or (folder.name,):
        sibling = folder.with_name(one)
        if _unattributed(sibling):
            audit.append(here.audit, clock.now(), "rule", "attribute", f"{one} to exam {name}", fitting.words)
            holding.attribute(sibling, name)
    kept = exam.keep_new(here, found)
    if kept.step_uid != found.step_uid:
        raise Held(f"another exam has the id {name} by chance", "attribute the recording: gateway exam attribute")
    return kept, fitting.words


def _unattributed(folder: Path) -> bool:
    """Whether a recording is here that was made outside any exam and is nobody's: what a person gave it to stays."""
    with contextlib.suppress(Held, OSError):
        facts = holding.facts(folder)
        return facts is not None and facts.exam is None and holding.exam_of(folder, facts) is None
    return False
