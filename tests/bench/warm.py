"""A process that lives on and sends what it is told, line by line: see tests.bench.contenders.

It has loaded what forward loads, so that its heap is as full and its caches as cold as the service's.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import gateway.forward
from gateway.model import InstanceRef
from gateway.transfer import part10
from gateway.transfer.calling.peers import Peer
from gateway.transfer.storing import store
from tests.bench import bare_socket
from tests.bench.contenders import BARE, SERVICE


@cache
def instances(folder: Path) -> Sequence[InstanceRef]:
    """As the ledger would give them."""
    return [part10.instance(path) for path in sorted(folder.iterdir())]


def ours(order: dict[str, Any], found: Sequence[InstanceRef]) -> float:
    to = (order["ae_title"], order["host"], order["port"], "GATEWAY")
    peer = Peer("peer", *to, associations=order["associations"], operations=order["operations"])
    began = time.perf_counter()
    kinds = [outcome.kind for _, outcome in store.send(peer, found)]
    passed = time.perf_counter() - began
    if kinds != ["done"] * len(found):
        raise RuntimeError(f"{kinds.count('done')} of {len(found)} were taken")
    return passed


def bare(order: dict[str, Any], found: Sequence[InstanceRef]) -> float:
    return bare_socket.send(order["host"], order["port"], order["ae_title"], found)


def main() -> None:
    assert gateway.forward
    ways = {SERVICE: ours, BARE: bare}
    for line in sys.stdin:
        order = json.loads(line)
        print(ways[order["how"]](order, instances(Path(order["folder"]))), flush=True)


if __name__ == "__main__":
    main()
