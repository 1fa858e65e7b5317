"""One behaviour of a peer, what the box does about it, and what it says. The tables of the matrix are made of these."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from transfer.matrix.pacs import Hostile


class Then(StrEnum):
    """What the box does while the peer behaves so; the judge looks whether it is true."""

    LEFT_ALONE = "everything waits, nothing is held; the peer is left alone for a while, for longer each time"
    GOES_LAST = "that instance waits and goes last; the others are committed"
    HELD = "that instance is held for a person with these words; the others are committed"
    ALL_HELD = "all are held for a person with these words"
    COMMITTED = "all are committed all the same"
    ASKED_AGAIN = "stored; commitment is asked for again, each time under a new Transaction UID; nothing is sent again"
    HELD_STORED = "that instance is stored and held for a person with these words; the others are committed"
    ALL_HELD_STORED = "all are stored and held for a person with these words"
    SENT_AGAIN = "sent again until it is there"
    WAITS_FOR_REPORT = "stored and asked for; the box waits for the report until commitment_timeout"


@dataclass(frozen=True)
class Case:
    """``says`` stands in one line of the log, and beside what waits; "" where there is nothing to complain of."""

    does: Hostile
    then: Then
    says: str = ""
    told: bool = True  # the words stand in the queue, too
    patience: float = 20.0  # seconds that the sender waits; short where the peer is silent
    rounds: int = 2  # for so long the peer behaves badly
    every: float = 61.0  # seconds between the rounds
    big: bool = False  # the oldest instance is larger than any buffer
    more: str = ""  # settings of the destination
    listener: str = ""  # settings of the listener
