"""A bad line to a good peer: a relay that refuses, rejects, breaks off in the middle, swallows answers, goes away."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from dataclasses import dataclass

REJECT = bytes((3, 0, 0, 0, 0, 4, 0, 2, 3, 1))  # A-ASSOCIATE-RJ: transient, temporary congestion (PS3.8 table 9-21)
ABORT = bytes((7, 0, 0, 0, 0, 4, 0, 0, 2, 0))  # A-ABORT by the service provider


@dataclass(frozen=True, slots=True)
class Manners:
    """Share of connections with each fault."""

    refuse: float = 0.08
    reject: float = 0.06
    cut: float = 0.18  # after so many bytes of the caller's, somewhere within the next message
    abort: float = 0.06
    away: float = 0.04  # refuses everybody for some seconds
    cut_within: int = 400_000  # bytes


class Line:
    """Listens on 127.0.0.1 and relays to ``port``. ``peaceful`` ends all faults."""

    def __init__(self, port: int, seed: str, manners: Manners) -> None:
        self._to = port
        self._dice = random.Random(seed)
        self._manners = manners
        self._away_until = 0.0
        self._by_port: dict[int, tuple[socket.socket, socket.socket]] = {}
        self.peaceful = False
        self.faults = 0
        self._server = socket.create_server(("127.0.0.1", 0), backlog=20)
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def cut(self, port: int) -> None:
        """Break the connection that reaches the peer from ``port``, at once: what was to be answered is not."""
        if (pair := self._by_port.get(port)) is not None:
            self.faults += 1
            _break(*pair)

    def close(self) -> None:
        self.peaceful = True
        with contextlib.suppress(OSError):
            self._server.close()
        for pair in list(self._by_port.values()):
            _break(*pair)

    def _serve(self) -> None:
        while True:
            try:
                caller, _ = self._server.accept()
            except OSError:
                return
            fault = self._fault()
            self.faults += bool(fault)
            if fault in ("refuse", "away"):
                caller.close()
            elif fault == "reject":
                threading.Thread(target=_say_no, args=(caller,), daemon=True).start()
            else:
                threading.Thread(target=self._relay, args=(caller, fault), daemon=True).start()

    def _fault(self) -> str:
        if self.peaceful:
            return ""
        if time.monotonic() < self._away_until:
            return "away"
        roll = self._dice.random()
        for name in ("refuse", "reject", "cut", "abort", "away"):
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
        left = self._dice.randrange(1, self._manners.cut_within) if fault else -1
        mine = peer.getsockname()[1]
        self._by_port[mine] = (caller, peer)
        back = threading.Thread(target=_pump, args=(peer, caller, -1, b""), daemon=True)
        back.start()
        _pump(caller, peer, left, ABORT if fault == "abort" else b"")
        back.join(5)
        self._by_port.pop(mine, None)
        caller.close()
        peer.close()


def _say_no(caller: socket.socket) -> None:
    with contextlib.suppress(OSError), caller:
        caller.settimeout(5)
        caller.recv(1 << 16)
        caller.sendall(REJECT)
        caller.recv(1 << 16)


def _pump(source: socket.socket, sink: socket.socket, left: int, last_word: bytes) -> None:
    """Relay until the end, or until ``left`` bytes went through: then both ends break."""
    try:
        while data := source.recv(1 << 15):
            if 0 <= left < len(data):
                sink.sendall(data[:left])
                if last_word:
                    source.sendall(last_word)
                    time.sleep(0.05)
                _break(source, sink)
                return
            left -= len(data) if left >= 0 else 0
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        _break(source, sink)


def _break(*ends: socket.socket) -> None:
    for end in ends:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
