"""``make bench``: what the gateway costs, beside what else could do the same job, on this machine, now.

It prints a table and judges nothing: no thresholds, no exit code. Name row modules to run only those::

    python -m tests.bench [sending answers aborts distance archive forwarding media wrapping startup processes ...]
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
import time
from pathlib import Path

from gateway.verbs.tell import note, table
from tests.bench.measuring import Row

MODULES = (
    "startup",
    "sending",
    "answers",
    "aborts",
    "distance",
    "archive",
    "forwarding",
    "media",
    "keeping",
    "wrapping",
    "processes",
    "recovering",
    "long",
)
TESTS = Path(__file__).resolve().parents[1]
# What a developer's shell may set and an installed box has not: stale byte code, and a patched Nagle.
NOT_AS_SHIPPED = ("PYTHONDONTWRITEBYTECODE", "TCP_NODELAY", "PYTHONUNBUFFERED")


def main(wanted: list[str]) -> int:
    if unknown := set(wanted) - set(MODULES):
        note(f"bench: unknown {', '.join(sorted(unknown))}; there are {', '.join(MODULES)}")
        return 2
    sys.path.insert(0, str(TESTS))  # the builders that the tests share import each other by their bare names
    for name in NOT_AS_SHIPPED:
        os.environ.pop(name, None)
    os.environ["PATH"] = _path_without(Path(sys.executable).parent)
    began = time.monotonic()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder:
        for name in wanted or MODULES:
            work = Path(folder) / name
            work.mkdir()
            for row in importlib.import_module(f"tests.bench.{name}").rows(work):
                note(f"bench: {time.monotonic() - began:5.0f} s  {row.what}: {row.ours} | {row.peer}")
                rows.append(row)
    table(("what", "ours", "peer", "ours/peer"), [(r.what, r.ours, r.peer, r.ratio) for r in rows])
    load = os.getloadavg()[0]
    print(f"{time.monotonic() - began:.0f} s in all; {os.cpu_count()} processors, load {load:.1f}; medians")
    return 0


def _path_without(folder: Path) -> str:
    """PATH without the virtual environment: pynetdicom puts a storescp and a storescu of its own there."""
    return os.pathsep.join(p for p in os.get_exec_path() if Path(p) != folder)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
