"""The judge: what the devices sent and the box promised, against what the PACS holds. Pure; it reads no file."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from tests.soak import sequence
from tests.soak.book import Book, Recording
from tests.soak.devices import Truth


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """What the PACS holds under one UID: int32 (samples, channels)."""

    uid: str
    acquisition: str  # as the box says; what it says of it is compared, nothing is believed
    patient: str
    interrupted: bool
    data: sequence.Counts


@dataclass(slots=True)
class Verdict:
    instances: int = 0
    samples: int = 0  # missing ones included, as in what was promised
    promised: int = 0
    lost: int = 0
    doubled: int = 0
    complaints: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not (self.lost or self.doubled or self.complaints)


@dataclass(slots=True)
class Judge:
    """:meth:`hear` each instance, then :meth:`close`."""

    truths: Sequence[Truth]
    book: Book
    verdict: Verdict = field(default_factory=Verdict)
    _runs: list[tuple[int, int, int, str]] = field(default_factory=list)  # device, first, behind, UID
    _of: dict[str, tuple[str, int, bool]] = field(default_factory=dict)  # by acquisition: UID, samples, interrupted

    def hear(self, one: Instance) -> None:
        self.verdict.instances += 1
        missing = (one.data == sequence.PADDING).all(axis=1)
        at = np.flatnonzero(~missing)
        if not len(at) or missing[0]:
            self._complain(one, "does not begin with a sample")
            return
        devices, numbers = sequence.identify(one.data[at])
        device = int(devices[0])
        if device >= len(self.truths) or device < 0:
            self._complain(one, "comes from no device that there is")
            return
        altered = (one.data[at] != sequence.rows(device, numbers)).any(axis=1)
        if altered.any():
            self._complain(one, f"has {int(altered.sum())} samples that the device never sent")
            return
        if (np.diff(numbers) <= 0).any():
            self._complain(one, "has samples in another order than they were sent, or twice")
        self.verdict.samples += len(one.data)
        self._gaps(one, device, at, numbers)
        self._whose(one, device, int(numbers.min()), int(numbers.max()))

    def close(self) -> Verdict:
        furthest: dict[int, tuple[int, str]] = {}  # by device: up to where, and in which instance
        for device, first, behind, uid in sorted(self._runs):
            there, other = furthest.get(device, (0, ""))
            if first < there:
                twice = min(behind, there) - first
                self.verdict.doubled += twice
                self.verdict.complaints.append(f"{twice} samples from {first} on are in {other} and {uid}")
            furthest[device] = max((there, other), (behind, uid))
        for recording in self.book.recordings.values():
            self._promises(recording)
        return self.verdict

    def _gaps(self, one: Instance, device: int, at: sequence.Numbers, numbers: sequence.Numbers) -> None:
        """Every number between the first and the last is there, or was dropped by the device and stands as padding."""
        truth, first = self.truths[device], int(numbers[0])
        began = truth.starts[bisect_right(truth.starts, first) - 1] if truth.starts else 0
        self._lose(one, "at its beginning", self._unexplained(device, began, first))
        jumps = np.flatnonzero(np.diff(numbers) != 1)
        for i in jumps:
            before, after = int(numbers[i]), int(numbers[i + 1])
            if after <= before:
                continue
            if after - before != at[i + 1] - at[i]:
                self._complain(
                    one, f"has {at[i + 1] - at[i] - 1} missing samples where {after - before - 1} are missing"
                )
            self._lose(one, f"behind {before}", self._unexplained(device, before + 1, after))
        for place in np.flatnonzero(np.diff(numbers) == 1):
            if at[place + 1] != at[place] + 1:
                self._complain(one, f"has a gap of {at[place + 1] - at[place] - 1} samples where nothing was lost")
        edges = [0, *(jumps + 1), len(numbers)]
        for start, end in pairwise(edges):
            self._runs.append((device, int(numbers[start]), int(numbers[end - 1]) + 1, one.uid))

    def _unexplained(self, device: int, first: int, behind: int) -> int:
        """How many of these numbers the device did deliver."""
        dropped = sum(max(0, min(behind, b) - max(first, a)) for a, b in self.truths[device].dropped)
        return max(0, behind - first - dropped)

    def _lose(self, one: Instance, where: str, count: int) -> None:
        if count:
            self.verdict.lost += count
            self._complain(one, f"lacks {count} samples {where} that the device delivered")

    def _whose(self, one: Instance, device: int, first: int, last: int) -> None:
        visits = [v for v in self.book.visits if v.device == device and v.first <= last and first < v.behind]
        if len(visits) != 1 or not (visits[0].first <= first and last < visits[0].behind):
            self._complain(one, f"holds samples {first} to {last}, made in {len(visits)} visits")
        elif visits[0].patient != one.patient:
            self._complain(one, f"is under patient {one.patient}; it was made of {visits[0].patient}")
        if one.acquisition in self._of:
            self._complain(one, f"is a second instance of the recording {one.acquisition}")
        self._of[one.acquisition] = (one.uid, len(one.data), one.interrupted)

    def _promises(self, recording: Recording) -> None:
        promised = max(recording.durable, recording.samples or 0)
        uid, there, interrupted = self._of.get(recording.acquisition, ("", 0, True))
        self.verdict.promised += promised
        found = []
        if there < promised:
            self.verdict.lost += promised - there
            found.append(f"{promised} samples were promised, {there} are there")
        if recording.samples is not None and there > recording.samples:
            found.append(f"it has {there} samples; the box said it kept {recording.samples}")
        if uid and interrupted and recording.kept:
            found.append("it is marked as cut off, but ended in order")
        if uid and not interrupted and not recording.stop_asked:
            found.append("it was cut off, and is not marked so")
        named = f"recording {recording.acquisition} ({uid or 'not in the PACS'})"
        self.verdict.complaints += [f"{named}: {words}" for words in found]

    def _complain(self, one: Instance, words: str) -> None:
        self.verdict.complaints.append(f"instance {one.uid}: {words}")


def judge(truths: Sequence[Truth], book: Book, instances: Iterable[Instance]) -> Verdict:
    found = Judge(truths, book)
    for one in instances:
        found.hear(one)
    return found.close()
