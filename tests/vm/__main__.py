"""``make vm``: the whole box in a machine, and what it is plugged into. One line per case: ``sticks: NAME: ok``."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.vm import frames, frames_cost, sticks
from tests.vm.machine import Refused
from tests.vm.rootfs import NoMachine
from tests.vm.ward import Ward, Wrong

GROUPS = {"sticks": sticks.CASES, "frames": frames.CASES, "cost": frames_cost.CASES}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.vm", description="the box in a machine")
    parser.add_argument("case", nargs="*", metavar="GROUP[:CASE]", help="only these; CASE is the function's name")
    args = parser.parse_args()
    wanted = [
        (group, case)
        for group, cases in GROUPS.items()
        for case in cases
        if not args.case or {group, f"{group}:{case.__name__}"} & set(args.case)
    ]
    work = Path(tempfile.mkdtemp(prefix="gateway-vm-"))
    wrong = 0
    try:
        ward = Ward(work)
    except (NoMachine, Refused, Wrong) as error:
        print(f"vm: {error}", file=sys.stderr)
        return 2
    try:
        for group, case in wanted:
            began = time.monotonic()
            name = f"{group}: {case.__doc__.splitlines()[0]}"
            try:
                ward.again()
                case(ward)
            except Exception as error:  # one case that goes wrong in its own way does not end the others
                wrong += 1
                print(f"{name}: WRONG: {error if isinstance(error, Wrong) else repr(error)}", flush=True)
            else:
                print(f"{name}: ok", flush=True)
            print(f"vm: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    finally:
        ward.machine.cut()
    if wrong:
        print(f"vm: {wrong} of {len(wanted)} cases are wrong; everything is kept in {work}", file=sys.stderr)
        return 1
    shutil.rmtree(work)
    return 0


if __name__ == "__main__":
    sys.exit(main())
