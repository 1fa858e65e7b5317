"""So many accidents: one stick after the other, each with a life of its own."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from tests.pulls.life import Life, Tally
from tests.pulls.station import Station

INSTANCES = 24  # on each stick
ACCIDENTS = (3, 6)  # of each stick, at least and at most


def run(
    work: Path, accidents: int, seed: int, weakness: str = "", say: Callable[[str], None] = lambda _: None
) -> Tally:
    """Until there were so many accidents; with a ``weakness``, which must be found, until it is found."""
    dice, tally = random.Random(f"pulls {seed}"), Tally()
    station = Station(work, INSTANCES, seed)
    try:
        while tally.accidents < accidents:
            life = Life(station, work, dice, tally, weakness, say)
            for _ in range(min(dice.randint(*ACCIDENTS), accidents - tally.accidents)):
                life.accident(pull=dice.random() < 0.5)
                if weakness and tally.missing:
                    return tally
            life.finish()
    finally:
        station.off()
    return tally
