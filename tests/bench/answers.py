"""100 000 C-STORE on one association to the fastest peer there is: no answer is lost, counted at both ends.

Only with GATEWAY_SLOW=1: a minute or two. pynetdicom loses one in some thousands against the same peer, since its
reactor thread may take the answer that its send_c_store waits for.
"""

from __future__ import annotations

import collections
import os
import time
from collections.abc import Iterator
from pathlib import Path

from ecg_files import write_ecg
from peers import running

from gateway.transfer.calling.peers import Peer
from gateway.transfer.storing import store
from gateway.trial.ports import free_port
from tests.bench.measuring import NOT_INSTALLED, Row, program

SENDS, FILES = 100_000, 100
REQUEST = "Received Store Request"  # what storescp -v says of each
TO_WRITE = 30.0  # seconds for the peer's log to be written out


def rows(work: Path) -> Iterator[Row]:
    what = f"{SENDS} x C-STORE on one association"
    if not os.environ.get("GATEWAY_SLOW"):
        yield Row(what, "only with GATEWAY_SLOW=1")
        return
    if (storescp := program("storescp")) is None:
        yield Row(what, "-", f"storescp: {NOT_INSTALLED}")
        return
    made = [write_ecg(work / "tiny", 10) for _ in range(FILES)]
    port, log = free_port(), work / "storescp.log"
    with running([storescp, "--verbose", "--ignore", str(port)], port, log):
        began = time.monotonic()
        sending = store.send(Peer("peer", "ANY-SCP", "127.0.0.1", port, "GATEWAY"), made * (SENDS // FILES))
        kinds = collections.Counter(outcome.kind for _, outcome in sending)
        passed = time.monotonic() - began
        until = time.monotonic() + TO_WRITE
        while (heard := _count(log)) < SENDS and time.monotonic() < until:
            time.sleep(0.5)
    answered = ", ".join(f"{number} {kind}" for kind, number in kinds.items())
    yield Row(what, f"{answered} ({SENDS / passed:.0f} a second)", f"storescp: {heard} requests")


def _count(log: Path) -> int:
    with log.open(errors="replace") as lines:
        return sum(REQUEST in line for line in lines)
