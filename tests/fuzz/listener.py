"""Callers of the box through real sockets on loopback: the listener as forward runs it.

Strangers on 127.0.0.2 to .9 say what :mod:`tests.fuzz.said` makes up, listen or not, hang up, half close, reset, or
stay and say nothing. The PACS on 127.0.0.1 gets through all along, and what it is told of its reports is true.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
import struct
import threading
from collections import Counter, deque
from collections.abc import Iterator

from gateway.settings import Box
from gateway.settings import Listener as ListenerSettings
from gateway.transfer.association import dimse, pdu
from gateway.transfer.association.reader import Reader
from gateway.transfer.committing.event_report import Report
from gateway.transfer.committing.listener import Listener
from gateway.transfer.committing.reception.admission import Limits
from tests.fuzz.reception import CONTEXTS, MESSAGES, REQUESTS
from tests.fuzz.running import Counts, told
from tests.fuzz.said import USERS, cut, event_report, information, stream

LIMITS = Limits(rate=1e6, burst=1_000_000, request=0.5, patience=0.5, closing=0.2)
LINGERING = 60  # connections that strangers keep open
PACS_EVERY = 25  # inputs between two calls of the PACS
PATIENCE = 20.0  # seconds that the PACS waits for one answer
DESCRIPTORS = 40  # that may come and go beside the calls


class Served:
    """The listener in its thread, and what it kept."""

    def __init__(self) -> None:
        self.kept: Counter[str] = Counter()
        self.failures: list[BaseException] = []
        settings = ListenerSettings(host="127.0.0.1", port=0)
        self.listener = Listener(Box(ae_title="GATEWAY"), settings, (), self._take, LIMITS)
        self.listener.start()
        self.address = ("127.0.0.1", self.listener.port)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _take(self, report: Report, caller: str) -> None:
        self.kept[report.transaction_uid] += 1

    def _serve(self) -> None:
        try:
            while not self._stopping.is_set():
                self.listener.turn()
                calls = self.listener._calls
                assert len(calls) <= LIMITS.associations + LIMITS.waiting + 1, f"{len(calls)} calls at a time"
        except BaseException as error:
            self.failures.append(error)

    def close(self) -> None:
        self._stopping.set()
        self._thread.join(10)
        assert not self._thread.is_alive(), "the listener hangs"
        self.listener.close()


@contextlib.contextmanager
def box() -> Iterator[Served]:
    made = Served()
    try:
        yield made
    finally:
        made.close()


def stranger(chance: random.Random, address: tuple[str, int], staying: deque[socket.socket]) -> None:
    """One input."""
    caller = socket.create_connection(address, timeout=2, source_address=(f"127.0.0.{chance.randrange(2, 10)}", 0))
    listens = chance.random() < 0.5
    try:
        for piece in cut(chance, stream(chance, REQUESTS, MESSAGES)):
            caller.sendall(piece)
            if listens and chance.random() < 0.03:
                caller.settimeout(0.005)
                with contextlib.suppress(TimeoutError):
                    caller.recv(1 << 14)
                caller.settimeout(2)
        match chance.randrange(5):
            case 0:
                caller.shutdown(socket.SHUT_WR)
            case 1:
                caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            case 2:
                staying.append(caller)
    except OSError:
        pass  # it was let go in the middle, as it should
    if caller not in staying:
        caller.close()
    while len(staying) > LINGERING:
        staying.popleft().close()


def pacs(address: tuple[str, int], transaction_uid: str) -> int:
    """The status its report is answered with. Raises OSError if it does not get through."""
    reader, assembler, said = Reader(), dimse.Assembler(), None
    report = event_report(5, 1, information(transaction_uid, 3, 0, explicit=True))
    asked = pdu.AssociateRequest("GATEWAY", "HOSPITAL", CONTEXTS, USERS[1])
    with socket.create_connection(address, timeout=PATIENCE, source_address=("127.0.0.1", 0)) as line:
        line.sendall(pdu.encode(asked))
        while data := line.recv(1 << 14):
            for said in reader.feed(data):
                if isinstance(said, pdu.AssociateAccept):
                    line.sendall(b"".join(map(pdu.encode, report)))
                for fragment in said.pdvs if isinstance(said, pdu.Data) else ():
                    if (answer := assembler.feed(fragment)) is not None:
                        line.sendall(pdu.encode(pdu.ReleaseRequest()))
                        return answer.status
    raise ConnectionError(f"the PACS was not answered: {said}")


def run(inputs: int, seed: int, first: int = 0) -> Counts:
    counts = Counts("listener", inputs)
    staying: deque[socket.socket] = deque()
    with box() as made, contextlib.ExitStack() as stack:
        stack.callback(lambda: [s.close() for s in staying])
        for number in range(first, first + inputs):
            try:
                stranger(random.Random(f"listener {seed} {number}"), made.address, staying)
                if number % PACS_EVERY == 0:
                    uid = f"1.2.{seed}.{number}.7"
                    assert pacs(made.address, uid) == 0, "the report of the PACS was refused"
                    assert made.kept[uid] == 1, "acknowledged, and not kept"
                    descriptors = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
                    assert descriptors < LINGERING + LIMITS.associations + LIMITS.waiting + DESCRIPTORS
            except TimeoutError:
                counts.hangs += 1
                told(counts, seed, number)
            except Exception:
                counts.crashes += 1
                told(counts, seed, number)
            if made.failures:
                raise made.failures[0]
    return counts
