"""Two Cytons on pseudo-terminals, in a process of their own: hardware is not slowed by what the box does, nor killed.

They send while anybody or nobody listens, as real ones do: what the line does not take is buffered, then dropped. Now
and then the radio loses packets. What was dropped is noted, for the judge.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing as mp
import os
import random
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from firmware_adapters.openbci_cyton import RATE
from gateway.trial.device import CytonPlayer
from tests.soak import sequence

SPEED = 4.0  # times the board's pace: 1000 samples a second
BUFFER = 1 << 20  # bytes that the line's driver holds before it drops
LOSS_EVERY = 3.0  # seconds between two losses on the radio, on average
LONGEST_LOSS = 200  # packets; the board's counter tells losses below 256


@dataclass(slots=True)
class Truth:
    """What one device did: the numbers at which its streams began, and the runs (first, behind) never delivered."""

    index: int
    starts: list[int] = field(default_factory=list)
    dropped: list[tuple[int, int]] = field(default_factory=list)


class SoakedCyton(CytonPlayer):
    """Plays :mod:`tests.soak.sequence`. Its position lies in memory that the parent process sees."""

    def __init__(self, link: Path, index: int, positions: Any, dice: random.Random) -> None:
        self._positions = positions
        self.truth = Truth(index)
        self._dice = dice
        super().__init__(link, np.empty((0, sequence.CHANNELS), np.int32), speed=SPEED)
        self._next_loss = 0.0
        self._seen = self._origin

    @property
    def position(self) -> int:  # type: ignore[override]
        return int(self._positions[self.truth.index])

    @position.setter
    def position(self, value: int) -> None:
        self._positions[self.truth.index] = value

    def _make(self) -> None:
        if not self._streaming:
            return
        began, first = self._origin
        if self._origin != self._seen:
            self._seen = self._origin
            self.truth.starts.append(first)
        now = time.monotonic()
        due = first + int((now - began) * RATE * SPEED)
        if due <= self.position:
            return
        if len(self._unsent) > BUFFER:
            self.truth.dropped.append((self.position, due))
        else:
            numbers = np.arange(self.position, due)
            self._unsent += _packets(self._counter, sequence.rows(self.truth.index, numbers))
        self._counter += due - self.position
        self.position = due
        if now >= self._next_loss:
            self._next_loss = now + self._dice.expovariate(1 / LOSS_EVERY)
            lost = self._dice.randint(1, LONGEST_LOSS)
            self.truth.dropped.append((due, due + lost))
            self._counter += lost
            self.position = due + lost  # the pace goes on behind the loss


def _packets(counter: int, counts: sequence.Counts) -> bytes:
    """Packets of 33 bytes, as :func:`gateway.trial.device.packet` makes them one by one."""
    found = np.zeros((len(counts), 33), np.uint8)
    found[:, 0], found[:, -1] = 0xA0, 0xC0
    found[:, 1] = np.arange(counter, counter + len(counts)) & 0xFF
    found[:, 2:26] = counts.astype(">i4").view(np.uint8).reshape(-1, 8, 4)[:, :, 1:].reshape(-1, 24)
    return found.tobytes()


class Devices:
    """The players' process. ``links`` are the ports, one for each device."""

    def __init__(self, links: Sequence[Path], seed: int) -> None:
        context = mp.get_context("spawn")
        self._positions = context.RawArray("q", len(links))
        self._ask, answer = context.Pipe()
        self._process = context.Process(target=_play, args=(list(links), seed, self._positions, answer), daemon=True)
        self._process.start()
        if not self._ask.poll(30):
            raise RuntimeError("the played devices did not start")
        self._ask.recv()

    def position(self, index: int) -> int:
        """Number of the next sample: all that was ever sent is below it."""
        return int(self._positions[index])

    def stop(self) -> list[Truth]:
        """Switch them off; what they did."""
        self._ask.send("stop")
        found = [Truth(one["index"], one["starts"], [tuple(d) for d in one["dropped"]]) for one in self._ask.recv()]
        self._process.join(10)
        return found

    def kill(self) -> None:
        """Without a word, when the soak ends early."""
        self._process.kill()


def _play(links: list[Path], seed: int, positions: Any, answer: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops us
    with contextlib.suppress(OSError):
        os.nice(-10)  # a device does not wait for the box's processor
    with contextlib.ExitStack() as stack:
        dice = random.Random(f"devices {seed}")
        players = [
            stack.enter_context(SoakedCyton(link, index, positions, random.Random(dice.random())))
            for index, link in enumerate(links)
        ]
        answer.send("ready")
        with contextlib.suppress(EOFError):
            answer.recv()
            truths = [{"index": p.truth.index, "starts": p.truth.starts, "dropped": p.truth.dropped} for p in players]
            answer.send(truths)


def as_json(truths: Sequence[Truth]) -> str:
    """For the work folder of a run that failed."""
    return json.dumps([{"index": t.index, "starts": t.starts, "dropped": t.dropped} for t in truths])
