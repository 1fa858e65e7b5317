"""What ``gateway send`` tells: how far it is, and what became of everything, by class and outcome."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.model import InstanceRef
from gateway.transfer import names
from gateway.transfer.association.negotiation import Pair
from gateway.transfer.calling.outcomes import Outcome
from gateway.transfer.calling.peers import Peer
from gateway.verbs import tell
from gateway.verbs.sources import Found

_MB = 1_000_000
_OFTEN = 0.2  # seconds between two updates of the line
_MOST = 20  # files that are named on a terminal; --json names them all

Told = tuple[InstanceRef, Outcome]


@dataclass(slots=True)
class Sending:
    """All that was found, and what has become of it so far."""

    peer: Peer
    found: Found
    outcomes: list[Told] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def good(self) -> list[Told]:
        return [told for told in self.outcomes if told[1].good]

    @property
    def bad(self) -> list[Told]:
        return [told for told in self.outcomes if not told[1].good]

    @property
    def bytes(self) -> int:
        """Of what the peer took, as it lies in the files."""
        return sum(instance.size for instance, _ in self.good)

    @property
    def exit_code(self) -> int:
        """0 all taken; 1 refused, or unreadable; 3 not reached, or busy: the same command may succeed later."""
        if any(outcome.kind == "retry" for _, outcome in self.bad):
            return 3
        return 1 if self.bad or self.found.unreadable else 0


class Line:
    """The line that is rewritten while it goes on."""

    def __init__(self, sending: Sending) -> None:
        self._sending = sending
        self._progress = tell.Progress()
        self._began = self._next = time.monotonic()
        self._total = sum(i.size for i in sending.found.instances)
        self._done = 0  # bytes of instances that have an outcome
        self._within: dict[str, int] = {}  # bytes so far of those that have none, by path

    @property
    def live(self) -> bool:
        """Whether anybody sees it."""
        return self._progress.live

    def within(self, instance: InstanceRef, sent: int) -> None:
        """So many bytes of an instance are out."""
        self._within[instance.path] = sent
        self._show()

    def told(self, instance: InstanceRef) -> None:
        self._within.pop(instance.path, None)
        self._done += instance.size
        self._show()

    def end(self, words: str) -> None:
        self._progress.done(words)

    def _show(self) -> None:
        now = time.monotonic()
        if now < self._next or not self._progress.live:
            return
        self._next = now + _OFTEN
        sending, out = self._sending, self._done + sum(self._within.values())
        rate = out / max(now - self._began, 1e-3)
        left = f", {tell.age((self._total - out) / rate)} left" if rate and out < self._total else ""
        of = f"{len(sending.outcomes)} of {len(sending.found.instances)} to {sending.peer}"
        self._progress.show(f"{of}: {out / _MB:.1f} MB, {rate / _MB:.1f} MB/s{left}")


def in_words(sending: Sending) -> str:
    """One line: how many, how much, how long."""
    size, seconds = sending.bytes / _MB, sending.seconds
    rate = f", {size / seconds:.1f} MB/s" if seconds > 0 and size else ""
    count = f"{len(sending.good)} of {len(sending.found.instances)}"
    return f"{count} sent to {sending.peer} in {seconds:.2f} s: {size:.1f} MB{rate}"


def details(sending: Sending) -> None:
    """What became of which class, then the files that a person must look after."""
    counted = Counter((_kind(instance), _fate(outcome)) for instance, outcome in sending.outcomes)
    for (kind, fate), count in sorted(counted.items()):
        tell.note(f"  {count:>6} {kind}: {fate}")
    if others := sending.found.others:
        tell.note(f"  {len(others):>6} no DICOM, skipped: {_some(others)}")
    _files([(path, words) for path, words in sending.found.unreadable])
    _files([(instance.path, outcome.words) for instance, outcome in sending.bad])


def proposal(peer: Peer, found: Found, pairs: Iterable[Pair]) -> None:
    """What would be sent, and what would be proposed for it."""
    counted = Counter(_kind(instance) for instance in found.instances)
    size = sum(i.size for i in found.instances) / _MB
    tell.note(f"{len(found.instances)} instances, {size:.1f} MB, would be sent to {peer}")
    for kind, count in sorted(counted.items()):
        tell.note(f"  {count:>6} {kind}")
    proposed = [
        f"{names.CLASSES.get(uid) or names.IMAGES.get(uid, uid)} in {names.syntax(syntax)}" for uid, syntax in pairs
    ]
    tell.note(f"{len(proposed)} presentation contexts would be proposed:")
    for words in proposed:
        tell.note(f"  {words}")
    _files(found.unreadable)


def as_json(sending: Sending) -> dict[str, Any]:
    """All of it; stable field names."""
    return {
        "sent": len(sending.good),
        "bytes": sending.bytes,
        "seconds": round(sending.seconds, 3),
        "refused": [_one(i, o) for i, o in sending.bad],
        "warned": [_one(i, o) for i, o in sending.good if o.kind == "warned"],
        "transcoded": [_one(i, o) | {"syntax": o.sent_syntax} for i, o in sending.good if o.sent_syntax],
        "unreadable": [{"file": path, "words": words} for path, words in sending.found.unreadable],
        "skipped": sending.found.others,
    }


def _one(instance: InstanceRef, outcome: Outcome) -> dict[str, str]:
    return {"file": instance.path, "code": str(outcome.code), "words": outcome.words}


def _kind(instance: InstanceRef) -> str:
    uid = instance.sop_class_uid
    named = names.CLASSES.get(uid) or names.IMAGES.get(uid, uid)
    return f"{named} ({names.syntax(instance.transfer_syntax_uid)})"


def _fate(outcome: Outcome) -> str:
    """Short for what is good, so that there are few lines; the whole words of what is not stand beside each file."""
    if outcome.good:
        how = "sent" if not outcome.sent_syntax else f"sent as {names.syntax(outcome.sent_syntax)}, without loss"
        return how if outcome.kind == "done" else f"{how}, with a warning: {outcome.words}"
    return f"not taken now ({outcome.code})" if outcome.kind == "retry" else f"refused ({outcome.code})"


def _files(rows: Sequence[tuple[str, str]]) -> None:
    for path, words in rows[:_MOST]:
        tell.note(f"  {path}: {words}")
    if len(rows) > _MOST:
        tell.note(f"  and {len(rows) - _MOST} more; --json names them all")


def _some(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return ", ".join(paths[:3]) + more
