"""``python -m tests.fuzz.association [N] [SEED] [FIRST]``: what speaks with peers, fuzzed; its last line sums up.

reception   callers of the box, against the pure core that serves them (half of N)
requestor   peers that the box calls, against the core that sends, echoes and asks for commitment (half of N)
listener    callers through real sockets on loopback (beside, N / 100)

crash   anything but what the protocol provides for comes out: an exception, or what one of the three holds is not so
hang    an input takes five seconds of the processor, or a PACS does not get through
memory  what is held of a peer is bounded at every step, or it is a crash; no process grows by more than 16 MiB

The same N, SEED and FIRST make the same inputs; ``1 SEED NUMBER`` repeats one.
"""

from __future__ import annotations

import sys
import time

from tests.fuzz import listener, reception, requestor
from tests.fuzz.running import quiet, spread

CORES = {"reception": reception.one, "requestor": requestor.one}
THROUGH_SOCKETS = 100  # inputs to the cores for one through sockets
MOST_GROWN = 16 << 10  # KiB


def main(inputs: int = 10_000, seed: int = 1, first: int = 0) -> int:
    print(f"seed {seed}", flush=True)
    began = time.monotonic()
    halves = ((inputs + 1) // 2, max(1, inputs // 2))
    found = [spread(name, one, n, seed, first) for (name, one), n in zip(CORES.items(), halves, strict=True)]
    with quiet():
        found.append(listener.run(max(1, inputs // THROUGH_SOCKETS), seed, first))
    for counts in found:
        print(counts)
    crashes, hangs = sum(c.crashes for c in found), sum(c.hangs for c in found)
    grown = max(c.grown for c in found)
    words = f"{crashes} crashes, {hangs} hangs, memory {'flat' if grown <= MOST_GROWN else 'GROWS'}"
    print(f"{sum(c.inputs for c in found)} inputs, seed {seed}, {time.monotonic() - began:.0f} s: {words}")
    return 1 if crashes or hangs or grown > MOST_GROWN else 0


if __name__ == "__main__":
    sys.exit(main(*(int(word) for word in sys.argv[1:])))
