"""How many instances are a batch: as many as go in a moment, within limits."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spooling import DESTINATION, Box, Pacs

from gateway import configuration
from gateway.clock import Clock
from gateway.model import InstanceRef
from gateway.settings import Settings
from gateway.spool import instances
from gateway.spool.instances import Origin, Wanted
from gateway.spool.layout import Described
from gateway.transfer.calling.outcomes import Outcome
from gateway.transfer.calling.peers import Peer
from gateway.transfer.delivering.pace import FEWEST, MOMENT, MOST, MOST_BYTES, Pace
from gateway.transfer.storing.sending import Progress


@given(st.lists(st.tuples(st.integers(0, 10_000), st.floats(0, 1e6)), min_size=1))
def test_a_batch_is_what_went_in_a_moment_the_last_time(went: list[tuple[int, float]]) -> None:
    pace = Pace()
    assert pace.most == FEWEST
    for count, seconds in went:
        pace.went(count, seconds)
        assert FEWEST <= pace.most <= MOST
        if FEWEST < pace.most < MOST:
            assert count * MOMENT >= pace.most * seconds
    pace.broke()
    assert pace.most == FEWEST


@pytest.mark.parametrize(("rate", "most_bytes"), [(0, MOST_BYTES), (8000, 240_000), (1e10, MOST_BYTES)])
def test_a_capped_line_gets_smaller_batches(rate: float, most_bytes: int) -> None:
    assert Pace(rate).most_bytes == most_bytes


MANY = 200


@pytest.fixture
def settings(config: Path) -> Settings:
    config.write_text(config.read_text() + DESTINATION.format(name="pacs", port=104, policy="stored"))
    return configuration.load(config)


class Counting(Pacs):
    """How many it is offered at a time; ``breaks_at``: the association breaks at this one."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []
        self.breaks_at: int | None = None

    def send(
        self, peer: Peer, instances: Sequence[InstanceRef], progress: Progress | None = None
    ) -> Iterator[tuple[InstanceRef, Outcome]]:
        self.batches.append(len(instances))
        for number, told in enumerate(super().send(peer, instances, progress)):
            if number == self.breaks_at:
                broken = Outcome("retry", "aborted", "the peer aborted")
                yield from ((one, broken) for one in instances[number:])
                return
            yield told


@pytest.fixture
def box(settings: Settings) -> Iterator[tuple[Box, Counting]]:
    pacs = Counting()
    ticks = itertools.count()
    box = Box(settings, pacs, clock=Clock("always", monotonic=lambda: next(ticks) / 1e4))
    file = settings.box.data / "one.dcm"
    file.write_bytes(b"as good as any")
    found = [(Described(f"1.{n}", "1.2", "1.2.1", "one.dcm", 14, "1.9", "", "", "ECG"), None) for n in range(MANY)]
    instances.add(box.ledger, Origin("A", "A", "", "ecg1", False), found, [Wanted("pacs", "stored")], 1.0)
    yield box, pacs
    box.ledger.close()


def test_a_peer_that_is_fast_gets_more_at_a_time(box: tuple[Box, Counting]) -> None:
    here, pacs = box
    while here.couriers[0].turn() == 0.0:
        pass
    assert set(here.states().values()) == {"STORED"}
    assert pacs.batches[0] == FEWEST
    assert sum(pacs.batches) == MANY
    assert max(pacs.batches) > FEWEST


def test_what_was_not_tried_when_an_association_broke_waits_again_with_one_sync(box: tuple[Box, Counting]) -> None:
    here, pacs = box
    (courier,) = here.couriers
    courier._pace.most = MANY
    courier._pace.went = lambda *_: None  # type: ignore[method-assign]
    pacs.breaks_at = 3
    said: list[str] = []
    with here.ledger.change() as c:  # the hashes are known
        c.execute("UPDATE instances SET sha256 = '0'")
    courier._duty = dataclasses.replace(courier._duty, by=courier._duty.by._replace(compares=True))
    here.ledger._connection.set_trace_callback(said.append)
    courier.turn()
    here.ledger._connection.set_trace_callback(None)
    assert said.count("COMMIT") == 4  # the offer, the one that may have broken it, all behind it, and what was taken
    tried = here.ledger.query("SELECT attempts, code FROM deliveries WHERE state = 'QUEUED'")
    assert sorted(r["attempts"] for r in tried) == [0] * (MANY - 4) + [1]
    assert {r["code"] for r in tried} == {"aborted"}
    assert courier._pace.most == FEWEST
