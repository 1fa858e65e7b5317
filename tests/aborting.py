"""A peer that aborts, in each of the states in which a sender waits for it; it never closes the connection itself."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

from ecg_files import write_ecg
from hostile import Line

from gateway.model import InstanceRef
from gateway.transfer.association import pdu
from gateway.transfer.association.pdu import AssociateAccept, AssociateRequest, ContextResult, UserInformation

LARGE = 64 << 20  # bytes: more than both ends of a connection hold
WINDOW = 4

Abort = Callable[[], None]
Script = Callable[[Line, Abort], None]


def _at_the_request(line: Line, abort: Abort) -> None:
    line.hear()
    abort()


def _before_the_answer(line: Line, abort: Abort) -> None:
    line.accept()
    line.message()
    abort()


def _within_the_data(line: Line, abort: Abort) -> None:
    """It takes the first of it, and nothing more: the sender's buffers are full, and it waits to write."""
    line.accept()
    line.hear()
    line.hear()
    abort()


def _with_all_of_a_window_open(line: Line, abort: Abort) -> None:
    _grant(line)
    for _ in range(WINDOW):
        line.message()
    abort()


def _with_a_part_of_a_window_answered(line: Line, abort: Abort) -> None:
    _grant(line)
    found = [line.message() for _ in range(WINDOW)]
    for message in found[:2]:
        assert message is not None
        line.respond(message)
    for _ in range(2):
        line.message()
    abort()


def _grant(line: Line) -> None:
    asked = line.hear()
    assert isinstance(asked, AssociateRequest)
    results = tuple(ContextResult(c.id, 0, c.transfer_syntaxes[0]) for c in asked.contexts)
    line.say(AssociateAccept(asked.called, asked.calling, results, UserInformation(1 << 14, window=(WINDOW, 1))))


# What the sender does when the abort comes -> what the peer does, and whether the first instance is a large one.
STATES: dict[str, tuple[Script, bool]] = {
    "waits for A-ASSOCIATE-AC": (_at_the_request, False),
    "waits for a C-STORE-RSP": (_before_the_answer, False),
    "is in the middle of P-DATA": (_within_the_data, True),
    "has a full window open": (_with_all_of_a_window_open, False),
    "goes on in a window": (_with_a_part_of_a_window_answered, False),
}


def script(state: str, noticed: threading.Event, at: Callable[[], None] = lambda: None) -> Callable[[Line], None]:
    """For :func:`hostile.peer`; ``at`` is called when the abort is out. It waits then until it was ``noticed``."""
    play, _ = STATES[state]

    def abort(line: Line) -> None:
        line.say(pdu.Abort(2, 0))
        at()
        noticed.wait(60)

    return lambda line: play(line, lambda: abort(line))


def instances(folder: Path, state: str) -> list[InstanceRef]:
    """A few to send in this state."""
    found = [write_ecg(folder, 2) for _ in range(3 * WINDOW)]
    return [padded(folder, LARGE), *found] if STATES[state][1] else found


def padded(folder: Path, size: int) -> InstanceRef:
    """An ECG with a Data Set Trailing Padding (FFFC,FFFC) of ``size`` bytes, which take no room on the disk: a hole."""
    one = write_ecg(folder)
    with Path(one.path).open("ab") as stream:
        stream.write(b"\xfc\xff\xfc\xffOB\0\0" + size.to_bytes(4, "little"))
    os.truncate(one.path, Path(one.path).stat().st_size + size)
    return one
