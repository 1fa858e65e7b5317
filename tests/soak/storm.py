"""The storm: kills -9 one of the processes at a random moment, so many times, and starts it again as systemd would."""

from __future__ import annotations

import queue
import random
import sys
import threading
import time
from collections import Counter

from gateway.trial.workshop import Workshop

Name = tuple[str, ...]
SHARES = {"forward": 4, "capture": 3, "console": 1}  # of the kills; each capture has its own
CALM = (0.2, 2.0)  # seconds between two kills at any time
REST = (0.0, 0.8)  # seconds until systemd starts it again (shorter than RestartSec: the storm has no time)
_TICK = 0.02


class Storm:
    """Call all from one thread, which lives as long as the processes: they end with it (PR_SET_PDEATHSIG)."""

    def __init__(self, shop: Workshop, processes: list[Name], kills: int, seed: int, busy: threading.Event) -> None:
        self.killed: Counter[str] = Counter()
        self.complaints: list[str] = []
        self._shop, self._processes, self._wanted, self._busy = shop, processes, kills, busy
        self._dice = random.Random(f"storm {seed}")
        self._due: dict[Name, float] = {}
        self._acts: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()

    @property
    def kills(self) -> int:
        return self.killed.total()

    def acts(self, what: str, device: str) -> None:
        """Told by a technician, from his thread: a good moment for an accident."""
        self._acts.put((what, device))

    def blow(self) -> None:
        moods = (self._anytime, self._at_its_start, self._twice, self._after_an_order, self._in_a_transfer)
        while self.kills < self._wanted:
            before = self.kills
            self._dice.choices(moods, (5, 2, 2, 4, 3))[0]()
            if self.kills // 10 > before // 10:
                print(f"soak: {self.kills} kills {dict(self.killed)}", file=sys.stderr, flush=True)

    def wait(self, seconds: float) -> None:
        """Let time pass, and start what is down."""
        until = time.monotonic() + seconds
        while (now := time.monotonic()) < until:
            for name in self._processes:
                process = self._shop.processes["-".join(name)]
                if name not in self._due and (code := process.ended()) is not None:
                    self.complaints.append(f"the process '{' '.join(name)}' ended by itself with {code}")
                    self._due[name] = now + 1.0
                if name in self._due and now >= self._due[name]:
                    del self._due[name]
                    self._shop.start(*name)
            time.sleep(_TICK)

    def _kill(self, name: Name) -> None:
        if self.kills >= self._wanted or name in self._due:
            return
        process = self._shop.processes["-".join(name)]
        if process.ended() is None:
            process.kill()
            self.killed["-".join(name)] += 1
            self._due[name] = time.monotonic() + self._dice.choice((0.0, self._dice.uniform(*REST)))

    def _any(self) -> Name:
        return self._dice.choices(self._processes, [SHARES[name[0]] for name in self._processes])[0]

    def _anytime(self) -> None:
        self.wait(self._dice.uniform(*CALM))
        self._kill(self._any())

    def _at_its_start(self) -> None:
        """Killed, started, and killed again before it has found its feet."""
        self.wait(self._dice.uniform(*CALM))
        name = self._any()
        self._kill(name)
        while name in self._due:
            self.wait(_TICK)
        self.wait(self._dice.uniform(0.0, 1.5))
        self._kill(name)

    def _twice(self) -> None:
        self.wait(self._dice.uniform(*CALM))
        for _ in range(2):
            self._kill(self._any())
            self.wait(self._dice.uniform(0.0, 0.5))

    def _after_an_order(self) -> None:
        self.wait(self._dice.uniform(0.1, 1.0))
        while not self._acts.empty():
            self._acts.get()
        until = time.monotonic() + 3.0
        while self._acts.empty() and time.monotonic() < until:
            self.wait(_TICK)
        if self._acts.empty():
            return
        what, device = self._acts.get()
        if what == "attributing":  # the command needs a moment until it asks
            self.wait(self._dice.uniform(0.2, 0.7))
        else:
            self.wait(self._dice.choice((0.0, self._dice.uniform(0.0, 0.15), self._dice.uniform(0.0, 1.0))))
        forward = what in ("attributing", "closed") or self._dice.random() < 0.2
        self._kill(("forward",) if forward else ("capture", device))

    def _in_a_transfer(self) -> None:
        self.wait(self._dice.uniform(0.1, 1.0))
        self._busy.clear()
        until = time.monotonic() + 3.0
        while not self._busy.is_set() and time.monotonic() < until:
            self.wait(_TICK)
        self.wait(self._dice.choice((0.0, self._dice.uniform(0.0, 0.2))))
        self._kill(("forward",))
