"""``make soak PULLS=n``: a real FAT on an emulated USB stick, whose power fails n times while the gateway writes to it.

About half of the times somebody pulls the stick, else the whole box loses its power. Each time the stick is judged as
it was left, then plugged in again. The last line reads ``n pulls, n power cuts, n instances said to be on the stick,
0 missing, 0 unreadable`` and the exit code is 0, or it says what is wrong and keeps the folder. The seed repeats the
dice; which sectors are on their way at a moment is up to the machine's kernel.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.pulls.storm import run
from tests.vm.rootfs import NoMachine


def say(words: str) -> None:
    print(f"pulls: {words}", file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.pulls", description="sticks that are pulled")
    parser.add_argument("--pulls", type=int, default=50, help="pulls and power cuts together")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--weakness", choices=("", "never", "entry"), default="", help="a gateway that must be caught")
    args = parser.parse_args()
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(1 << 31)
    work = Path(tempfile.mkdtemp(prefix="gateway-pulls-"))
    say(f"{args.pulls} times, seed {seed} (repeat it with SEED={seed}), work in {work}")
    began = time.monotonic()
    try:
        tally = run(work, args.pulls, seed, args.weakness, say)
    except NoMachine as error:
        say(str(error))
        return 2
    for words in tally.complaints:
        print(words)
    say(f"{time.monotonic() - began:.0f} s")
    good = not (tally.missing or tally.unreadable or tally.complaints)
    if good:
        shutil.rmtree(work)
    else:
        say(f"everything is kept in {work}")
    others = "" if good or tally.missing or tally.unreadable else f", {len(tally.complaints)} complaints"
    print(
        f"{tally.pulls} pulls, {tally.cuts} power cuts, {tally.said} instances said to be on the stick, "
        f"{tally.missing} missing, {tally.unreadable} unreadable{others}"
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
