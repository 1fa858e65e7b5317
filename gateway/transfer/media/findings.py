"""What a check of a medium says: in words, and not more of them than anybody reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from gateway.transfer.media.dicomdir.entities import LEVELS

_MOST = 1000  # kept; a hostile directory could give millions
_MOST_SAID = 100


@dataclass(slots=True)
class Findings:
    """Problems as they are found."""

    said: list[str] = field(default_factory=list)
    count: int = 0

    def say(self, words: str) -> None:
        self.count += 1
        if len(self.said) < _MOST:
            self.said.append(words)


@dataclass(frozen=True, slots=True)
class Report:
    """What ``verify`` found. ``counts``: records by type; ``problems``: the first 1000 of ``found``."""

    root: Path
    file_set_id: str
    counts: dict[str, int]
    problems: tuple[str, ...]
    found: int = 0

    @property
    def sound(self) -> bool:
        return not self.problems

    def __str__(self) -> str:
        records = ", ".join(f"{count} {kind}" for kind, count in self.counts.items()) or "no records"
        first = f"{self.root}: file-set {self.file_set_id or '(no ID)'}: {records}"
        if self.sound:
            return f"{first}: sound"
        lines = [f"{first}: {self.found} problems", *self.problems[:_MOST_SAID]]
        return "\n".join([*lines, f"... and {more} more"] if (more := self.found - len(lines) + 1) else lines)


@dataclass(frozen=True, slots=True)
class Status:
    """What is on a medium, by its directory alone. ``free``: bytes."""

    root: Path
    file_set_id: str
    counts: dict[str, int]
    free: int

    def __str__(self) -> str:
        leaves = sum(count for kind, count in self.counts.items() if kind not in LEVELS)
        patients = self.counts.get("PATIENT", 0)
        name = f"file-set {self.file_set_id}" if self.counts else "no DICOMDIR yet"
        return f"{self.root}: {name}: {leaves} instances of {patients} patients, {self.free >> 20} MiB free"


def in_order(counts: dict[str, int]) -> dict[str, int]:
    order = [*LEVELS, *sorted(set(counts) - set(LEVELS))]
    return {kind: counts[kind] for kind in order if counts.get(kind)}
