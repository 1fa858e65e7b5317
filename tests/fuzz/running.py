"""Runs a fuzzer many times, each input from its own number, and counts what must not happen."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from types import FrameType

One = Callable[[random.Random], None]
MOST_SECONDS = 5.0  # of the processor, for one input; a usual one takes less than a thousandth
PART = 5_000  # inputs that a process does in one go at most
SHOWN = 5  # failures told with their traceback
TOLD_EVERY = 30.0  # seconds


class Hang(BaseException):
    """Nothing in the product catches it."""


@dataclass
class Counts:
    name: str
    inputs: int = 0
    crashes: int = 0
    hangs: int = 0
    grown: int = 0  # KiB that a process grew by, after its first tenth of the work

    @property
    def bad(self) -> int:
        return self.crashes + self.hangs

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.inputs} inputs, {self.crashes} crashes, {self.hangs} hangs,"
            f" grown by {self.grown / 1024:.1f} MiB"
        )


def told(counts: Counts, seed: int, number: int) -> None:
    """Tell of the failure that is being handled."""
    if counts.bad <= SHOWN:
        print(f"{counts.name}, seed {seed}, input {number}:", file=sys.stderr)
        traceback.print_exc(limit=-8)


@contextlib.contextmanager
def watched() -> Iterator[None]:
    """An input that goes on for ever is told so: by the time of this process, not of the machine."""

    def late(_number: int, _frame: FrameType | None) -> None:
        raise Hang(f"{MOST_SECONDS:g} seconds")

    before = signal.signal(signal.SIGVTALRM, late)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """A million strangers have much to say in the log."""
    ours = logging.getLogger("gateway")
    before = ours.level
    ours.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        ours.setLevel(before)


def run(name: str, one: One, inputs: int, seed: int, first: int = 0) -> Counts:
    """So many inputs from the ``first`` on, in this process."""
    counts = Counts(name, inputs)
    with watched(), quiet():
        for number in range(first, first + inputs):
            signal.setitimer(signal.ITIMER_VIRTUAL, MOST_SECONDS)
            try:
                one(random.Random(f"{name} {seed} {number}"))
            except (Hang, Exception) as error:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0)
                counts.hangs += isinstance(error, Hang)
                counts.crashes += not isinstance(error, Hang)
                told(counts, seed, number)
    return counts


def _part(name: str, one: One, inputs: int, seed: int, first: int) -> tuple[Counts, int, int]:
    counts = run(name, one, inputs, seed, first)
    return counts, os.getpid(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def spread(name: str, one: One, inputs: int, seed: int, first: int = 0) -> Counts:
    """The same on all processors."""
    part = max(1, min(PART, inputs // (4 * (os.cpu_count() or 1))))
    parts = [(name, one, min(part, first + inputs - at), seed, at) for at in range(first, first + inputs, part)]
    total, began = Counts(name), time.monotonic()
    said = began
    early, peak = dict[int, int](), dict[int, int]()  # KiB by process
    with ProcessPoolExecutor(os.cpu_count(), get_context("forkserver")) as pool:
        for number, (counts, process, size) in enumerate(pool.map(_part, *zip(*parts, strict=True)), 1):
            total.inputs += counts.inputs
            total.crashes += counts.crashes
            total.hangs += counts.hangs
            peak[process] = size
            if number <= len(parts) / 10 or process not in early:
                early[process] = size
            total.grown = max(peak[p] - early[p] for p in peak)
            if time.monotonic() - said > TOLD_EVERY:
                said = time.monotonic()
                rate = total.inputs / (time.monotonic() - began)
                print(f"{total}, {rate:.0f} a second, {size >> 10} MiB", file=sys.stderr, flush=True)
    return total
