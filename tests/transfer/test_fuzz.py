"""A few hundred of the inputs of ``make fuzz`` to what speaks with peers, and what a million of them have found."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.transfer.association import dimse, reader
from gateway.transfer.association.pdu import Pdv
from gateway.transfer.calling import requestor as product
from gateway.transfer.committing.reception.call import Call

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.fuzz import listener, reception, requestor, running, secure, steps, worklist

CORES = {"reception": reception.one, "requestor": requestor.one, "worklist": worklist.one, "steps": steps.one}


@pytest.mark.parametrize("name", CORES)
def test_four_hundred_hostile_inputs_crash_nothing_and_hang_nothing(name: str) -> None:
    counts = running.run(name, CORES[name], 400, seed=7)
    assert (counts.crashes, counts.hangs) == (0, 0)


def test_a_hundred_hostile_peers_under_tls_crash_nothing_and_hang_nothing() -> None:
    counts = running.run("secure", secure.one, 100, seed=7)
    assert (counts.crashes, counts.hangs) == (0, 0)


def test_a_hundred_strangers_on_real_sockets_do_not_keep_the_pacs_out() -> None:
    with running.quiet():
        counts = listener.run(100, seed=7)
    assert (counts.crashes, counts.hangs) == (0, 0)


def test_the_inputs_reach_what_lies_behind_an_opening_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a million of them would show nothing."""
    ends: list[str] = []
    reports = 0
    outcome = reception.outcome

    def noted(*given: object) -> object:
        nonlocal reports
        found = outcome(*given)  # type: ignore[arg-type]
        reports += len(found[1])
        ends.append(found[2])
        return found

    monkeypatch.setattr(reception, "outcome", noted)
    running.run("reception", reception.one, 400, seed=7)
    assert reports > 40
    for words in ("cannot be read", "does not do", "released", "C-ECHO", "not its report"):
        assert any(words in end for end in ends), words


def hoards(self: reader.Reader, data: bytes) -> Iterator[object]:
    self._buffer += data
    yield from ()


def repeats(self: dimse.Assembler, fragment: Pdv) -> None:
    self._parts += fragment.data * 1000


def acknowledges_unkept(self: Call, *_: object) -> int:
    return 0


def keeps_its_place(self: Call, *_: object) -> None:
    pass


def breaks(*_: object, **__: object) -> None:
    raise KeyError("a defect")


@pytest.mark.parametrize(
    ("name", "where", "what", "defect"),
    [
        ("reception", reader.Reader, "feed", hoards),
        ("reception", dimse.Assembler, "feed", repeats),
        ("reception", Call, "_report", acknowledges_unkept),
        ("reception", Call, "_changed", keeps_its_place),
        ("reception", dimse, "printable", str),
        ("requestor", reader.Reader, "feed", hoards),
        ("requestor", product.Requestor, "_violated", breaks),
        ("requestor", dimse, "printable", str),
        ("steps", dimse, "printable", str),
        ("steps", product.Requestor, "_violated", breaks),
    ],
)
def test_the_fuzzers_notice_each_kind_of_defect(
    name: str, where: object, what: str, defect: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(where, what, defect)
    monkeypatch.setattr(running, "SHOWN", 0)
    assert running.run(name, CORES[name], 200, seed=3).crashes > 0


def test_the_fuzzers_notice_a_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    def for_ever(*_: object) -> None:
        while True:
            pass

    monkeypatch.setattr(running, "MOST_SECONDS", 0.05)
    monkeypatch.setattr(running, "SHOWN", 0)
    monkeypatch.setattr(Call, "step", for_ever)
    assert running.run("reception", reception.one, 3, seed=1).hangs > 0
