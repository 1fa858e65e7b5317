"""How long it takes from a peer's A-ABORT to the outcomes of what was under way, whatever the sender is waiting for.

The connection stays open, and the sender's own time-out is an hour: only the abort itself can tell it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import aborting
import hostile

from gateway.transfer.calling.peers import Peer
from gateway.transfer.storing import store
from tests.bench.measuring import Row, figure

TIMES = 20


def rows(work: Path) -> Iterator[Row]:
    for number, state in enumerate(aborting.STATES):
        found = [_seconds(state, work / str(number)) for _ in range(TIMES)]
        yield Row(f"A-ABORT heard by a sender that {state}, the slowest of {TIMES}", figure(max(found), "s"))


def _seconds(state: str, folder: Path) -> float:
    noticed, said = threading.Event(), list[float]()
    script = aborting.script(state, noticed, lambda: said.append(time.monotonic()))
    with hostile.peer(script) as port:
        to = Peer("peer", "PACS", "127.0.0.1", port, "GATEWAY", timeout=3600.0, operations=aborting.WINDOW)
        codes = {o.code for _, o in store.send(to, aborting.instances(folder, state)) if not o.good}
        heard = time.monotonic()
        noticed.set()
    if codes != {"aborted-2-0"}:
        raise RuntimeError(f"the sender that {state} made {codes} of an abort")
    return heard - said[0]
