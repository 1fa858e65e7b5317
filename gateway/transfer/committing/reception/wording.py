"""What the log says of callers: one line for each call, and not the same line a thousand times. Pure."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

FREE = 5  # calls of one kind from one address that are told each on its own
AGAIN = 600.0  # seconds until others of that kind are told, as a number, and FREE begins anew
_KINDS = 4  # of odd things told of one call
REMEMBERED = 256  # kinds of call; what is forgotten is told at once when it comes again


@dataclass
class Story:
    """What happened in one call, as it comes."""

    address: str
    title: str = ""  # calling AE title
    echoes: int = 0
    committed: int = 0
    failed: int = 0
    reports: int = 0
    odd: Counter[str] = field(default_factory=Counter)  # what was not as it should, at most a few kinds
    end: str = ""
    code: str = ""  # the kind of end; "" = in order

    def note(self, words: str) -> None:
        """Something odd, that does not end the call."""
        self.odd[words if words in self.odd or len(self.odd) < _KINDS else "more that is odd"] += 1

    @property
    def well(self) -> bool:
        return not self.code and not self.odd

    @property
    def kind(self) -> tuple[str, str]:
        """What makes two calls the same to a reader; a report is always told."""
        return self.address, self.code or ("odd" if self.odd else "echo")

    def line(self, seconds: float) -> str:
        who = f"{self.title} at {self.address}" if self.title else self.address
        parts = []
        if self.reports:
            more = f", not to {self.failed}" if self.failed else ""
            reports = f"{self.reports} commitment report{'s' * (self.reports > 1)}"
            parts.append(f"{reports}, committed to {self.committed} instances{more}")
        if self.echoes:
            parts.append("C-ECHO" if self.echoes == 1 else f"{self.echoes} times C-ECHO")
        parts += [words if count == 1 else f"{words} ({count} times)" for words, count in self.odd.items()]
        parts.append(self.end or "released")
        return f"call from {who}: {'; '.join(parts)} (after {seconds:.1f} s)"


@dataclass(slots=True)
class _Told:
    since: float
    said: int = 0
    unsaid: int = 0


@dataclass
class Repetitions:
    """Whether a kind of line is said again; times are monotonic seconds."""

    _told: OrderedDict[tuple[str, str], _Told] = field(default_factory=OrderedDict)

    def say(self, kind: tuple[str, str], now: float) -> bool:
        told = self._told.setdefault(kind, _Told(now))
        self._told.move_to_end(kind)
        if len(self._told) > REMEMBERED:
            self._told.popitem(last=False)
        if told.said >= FREE:
            told.unsaid += 1
            return False
        told.said += 1
        return True

    def unsaid(self, now: float) -> Iterator[str]:
        """A line for each kind that was kept back and whose time is over."""
        for (address, code), told in list(self._told.items()):
            if now < told.since + AGAIN:
                continue
            del self._told[address, code]
            if told.unsaid:
                yield f"calls from {address}: {told.unsaid} more of the kind '{code}' within {AGAIN / 60:.0f} minutes"
