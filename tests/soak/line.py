"""A bad line to a good peer: a relay that refuses, rejects, goes away, and breaks connections at random bytes, both
ways, and at random moments: in order, with a reset, on one side only, or by carrying nothing any more.
"""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import threading
import time
from collections import Counter
from dataclasses import dataclass

REJECT = bytes((3, 0, 0, 0, 0, 4, 0, 2, 3, 1))  # A-ASSOCIATE-RJ: transient, temporary congestion (PS3.8 table 9-21)
ABORT = bytes((7, 0, 0, 0, 0, 4, 0, 0, 2, 0))  # A-ABORT by the service provider
BREAKS = ("closed", "reset", "caller gone", "peer gone", "silent")
STILL = 8.0  # seconds that a connection which carries nothing stays open: longer than the box waits
_NOW = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset


@dataclass(frozen=True, slots=True)
class Manners:
    """Share of connections with each fault."""

    refuse: float = 0.08
    reject: float = 0.06
    cut: float = 0.15  # after so many bytes of the caller's, somewhere within the next message
    back: float = 0.08  # the same with the peer's answers
    abort: float = 0.06
    away: float = 0.04  # refuses everybody for some seconds
    cut_within: int = 400_000  # bytes
    back_within: int = 1500
    gusts: float = 4.0  # seconds between two breaks at any moment, on average


class Pair:
    """Both ends of one connection."""

    def __init__(self, caller: socket.socket, peer: socket.socket, peaceful: threading.Event) -> None:
        self.caller, self.peer, self._peaceful = caller, peer, peaceful
        self.silent = False  # nothing is carried any more
        self.untold = False  # that one end is gone is not told to the other

    def end(self, how: str) -> None:
        """As ``how`` of BREAKS says. Whoever reads from an end that was shut down comes to its end."""
        match how:
            case "silent":
                self.silent = True
            case "caller gone" | "peer gone":
                self.untold = True
                _shut(self.caller if how == "caller gone" else self.peer)
            case "reset":
                self.untold = True
                for end in (self.caller, self.peer):  # the reset comes when they are closed
                    with contextlib.suppress(OSError):
                        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NOW)
                        end.shutdown(socket.SHUT_RD)
                return
            case _:
                _shut(self.caller)
                _shut(self.peer)
                return
        threading.Thread(target=self._still, daemon=True).start()

    def _still(self) -> None:
        self._peaceful.wait(STILL)
        self.end("reset")


class Line:
    """Listens on 127.0.0.1 and relays to ``port``; all faults end with :meth:`calm`."""

    def __init__(self, port: int, seed: str, manners: Manners) -> None:
        self._to = port
        self._dice = random.Random(seed)
        self._manners = manners
        self._away_until = 0.0
        self._by_port: dict[int, Pair] = {}
        self._peaceful = threading.Event()
        self.counted: Counter[str] = Counter()  # faults by kind
        self._server = socket.create_server(("127.0.0.1", 0), backlog=20)
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()
        threading.Thread(target=self._gusts, daemon=True).start()

    @property
    def faults(self) -> int:
        return self.counted.total()

    def calm(self) -> None:
        """All faults end; what was silent is closed."""
        self._peaceful.set()

    def cut(self, port: int) -> None:
        """Break the connection that reaches the peer from ``port``, at once: what was to be answered is not."""
        if (pair := self._by_port.get(port)) is not None:
            self.counted["answer"] += 1
            pair.end("closed")

    def close(self) -> None:
        self.calm()
        with contextlib.suppress(OSError):
            self._server.close()
        for pair in list(self._by_port.values()):
            pair.end("closed")

    def _serve(self) -> None:
        while True:
            try:
                caller, _ = self._server.accept()
            except OSError:
                return
            fault = self._fault()
            self.counted.update([fault] if fault else [])
            if fault in ("refuse", "away"):
                caller.close()
            elif fault == "reject":
                threading.Thread(target=_say_no, args=(caller,), daemon=True).start()
            else:
                threading.Thread(target=self._relay, args=(caller, fault), daemon=True).start()

    def _gusts(self) -> None:
        """Now and then one of the connections breaks, whatever goes over it: the next one, if there is none."""
        while not self._peaceful.wait(self._dice.expovariate(1 / self._manners.gusts)):
            while not self._by_port and not self._peaceful.wait(0.01):
                pass
            self._peaceful.wait(self._dice.uniform(0.0, 0.1))
            if pairs := [pair for pair in list(self._by_port.values()) if not pair.silent]:
                self.counted["gust"] += 1
                self._dice.choice(pairs).end(self._dice.choice(BREAKS))

    def _fault(self) -> str:
        if self._peaceful.is_set():
            return ""
        if time.monotonic() < self._away_until:
            return "away"
        roll = self._dice.random()
        for name in ("refuse", "reject", "cut", "back", "abort", "away"):
            if (roll := roll - getattr(self._manners, name)) < 0:
                if name == "away":
                    self._away_until = time.monotonic() + self._dice.uniform(1, 5)
                return name
        return ""

    def _relay(self, caller: socket.socket, fault: str) -> None:
        try:
            peer = socket.create_connection(("127.0.0.1", self._to), timeout=5)
        except OSError:
            caller.close()
            return
        peer.settimeout(None)
        for end in (caller, peer):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pair, mine = Pair(caller, peer, self._peaceful), peer.getsockname()[1]
        self._by_port[mine] = pair
        there = self._dice.randrange(1, self._manners.cut_within) if fault in ("cut", "abort") else -1
        back = self._dice.randrange(1, self._manners.back_within) if fault == "back" else -1
        how = "abort" if fault == "abort" else self._dice.choice(BREAKS)
        answers = threading.Thread(target=_pump, args=(pair, peer, caller, back, how), daemon=True)
        answers.start()
        _pump(pair, caller, peer, there, how)
        answers.join(STILL + 5)
        self._by_port.pop(mine, None)
        caller.close()
        peer.close()


def _say_no(caller: socket.socket) -> None:
    with contextlib.suppress(OSError), caller:
        caller.settimeout(5)
        caller.recv(1 << 16)
        caller.sendall(REJECT)
        caller.recv(1 << 16)


def _pump(pair: Pair, source: socket.socket, sink: socket.socket, left: int, how: str) -> None:
    """Relay until the end, or until ``left`` bytes went through: then it breaks as ``how`` says."""
    try:
        while data := source.recv(1 << 15):
            if pair.silent:
                continue
            if 0 <= left < len(data):
                sink.sendall(data[:left])
                if how == "abort":
                    source.sendall(ABORT)
                    time.sleep(0.05)
                pair.end("closed" if how == "abort" else how)
                left = -1
                continue
            left -= len(data) if left >= 0 else 0
            sink.sendall(data)
        if not (pair.silent or pair.untold):
            sink.shutdown(socket.SHUT_WR)
    except OSError:
        pair.end("closed")


def _shut(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
