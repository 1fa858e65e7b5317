"""``python -m tests.fuzz.association [N] [SEED] [FIRST]``: what speaks with peers, fuzzed; its last line sums up.

reception   callers of the box, against the pure core that serves them (half of N)
requestor   peers that the box calls, against the core that sends, echoes and asks for commitment (two fifths of N)
worklist    a RIS that the box calls, with data sets (a twentieth of N)
steps       a RIS that is told of performed procedure steps (a twentieth of N)
secure      peers under TLS, through real sockets on loopback (beside, N / 50)
listener    callers through real sockets on loopback (beside, N / 100)

crash   anything but what the protocol provides for comes out: an exception, or what one of the six holds is not so
hang    an input takes five seconds of the processor, or a PACS does not get through
memory  what is held of a peer is bounded at every step, or it is a crash; no process grows by more than 16 MiB

The same N, SEED and FIRST make the same inputs.
"""

from __future__ import annotations

import sys
import time

from tests.fuzz import listener, reception, requestor, secure, steps, worklist
from tests.fuzz.running import quiet, spread

CORES = {
    "reception": (reception.one, 0.5),
    "requestor": (requestor.one, 0.4),
    "worklist": (worklist.one, 0.05),
    "steps": (steps.one, 0.05),
    "secure": (secure.one, 0.02),
}
THROUGH_SOCKETS = 0.01  # of N
MOST_GROWN = 16 << 10  # KiB


def main(inputs: int = 10_000, seed: int = 1, first: int = 0) -> int:
    print(f"seed {seed}", flush=True)
    began = time.monotonic()
    found = [spread(name, one, max(1, round(inputs * share)), seed, first) for name, (one, share) in CORES.items()]
    with quiet():
        found.append(listener.run(max(1, round(inputs * THROUGH_SOCKETS)), seed, first))
    for counts in found:
        print(counts)
    crashes, hangs = sum(c.crashes for c in found), sum(c.hangs for c in found)
    grown = max(c.grown for c in found)
    words = f"{crashes} crashes, {hangs} hangs, memory {'flat' if grown <= MOST_GROWN else 'GROWS'}"
    print(f"{sum(c.inputs for c in found)} inputs, seed {seed}, {time.monotonic() - began:.0f} s: {words}")
    return 1 if crashes or hangs or grown > MOST_GROWN else 0


if __name__ == "__main__":
    sys.exit(main(*(int(word) for word in sys.argv[1:])))
