"""A bandwidth cap holds for all associations together, and changes nothing else about the sending."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from pathlib import Path

from dcmtk import storescp
from hostile import Line, peer
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread

from gateway.model import InstanceRef
from gateway.transfer.association import pdu
from gateway.transfer.calling.peers import Peer
from gateway.transfer.calling.throttle import Throttle
from gateway.transfer.storing import store

Ecg = Callable[..., InstanceRef]
Call = Callable[..., Peer]


class Counted(Throttle):
    """Notes what it was asked for; time passes only here."""

    def __init__(self, rate: float) -> None:
        self.now = 0.0
        self.taken: list[int] = []
        super().__init__(rate, lambda: self.now, self._pass)
        self._noting = threading.Lock()

    def _pass(self, seconds: float) -> None:
        self.now += seconds

    def take(self, size: int) -> None:
        with self._noting:
            self.taken.append(size)
            super().take(size)


steps = st.lists(st.tuples(st.floats(0, 5), st.integers(1, 50_000)), min_size=1, max_size=60)


@given(st.integers(8_000, 10_000_000), steps)
def test_in_no_span_of_time_goes_more_than_the_rate_and_one_seconds_rest(
    rate: int, taken: list[tuple[float, int]]
) -> None:
    throttle = Counted(rate)
    gone = []
    for rest, size in taken:
        throttle.now += rest
        throttle.take(size)
        gone.append((throttle.now, size))
    for i, (begin, _) in enumerate(gone):
        total = 0
        for end, size in gone[i:]:
            total += size
            assert total <= rate * (end - begin + 1.0) + gone[i][1] + 1


@given(st.integers(8_000, 10_000_000), st.integers(100, 1 << 18))
def test_a_pdu_is_so_short_that_several_go_in_a_second(rate: int, allowed: int) -> None:
    fragment = Throttle(rate).fragment(allowed)
    assert 0 < fragment <= allowed
    assert fragment <= max(1024, rate // 4)


def test_all_that_goes_to_a_peer_goes_through_its_cap_on_several_associations_too(
    tmp_path: Path, ecg: Ecg, call: Call
) -> None:
    instances = [ecg(n) for n in (1000, 5000, 50_000, 500, 20_000, 100)]
    throttle, told = Counted(2_000_000), dict[str, list[int]]()

    def progress(one: InstanceRef, sent: int) -> None:
        told.setdefault(one.sop_instance_uid, []).append(sent)

    with storescp(tmp_path / "store", "--fork") as port:
        to = dataclasses.replace(call(port), associations=3, operations=8, throttle=throttle)
        assert all(o.kind == "done" for _, o in store.send(to, instances, progress))
    assert len(list((tmp_path / "store").iterdir())) == len(instances)
    size = sum(i.size for i in instances)
    assert size - 1000 * len(instances) < sum(throttle.taken) < size * 1.02 + 1000 * len(instances)
    assert throttle.now >= size / throttle.rate - 1.0
    for each in told.values():
        assert each == sorted(each)  # how far it is, never back
    assert sum(map(len, told.values())) > size / 16384 / 2  # a beat for each PDU


def test_a_time_out_runs_per_progress_however_long_it_takes(tmp_path: Path, ecg: Ecg, call: Call) -> None:
    one = ecg(20_000)
    with storescp(tmp_path / "store") as port:
        to = dataclasses.replace(call(port, timeout=1.5), throttle=Throttle(one.size / 3))  # three seconds, less a rest
        ((_, outcome),) = store.send(to, [one])
    assert outcome.kind == "done"
    (there,) = (tmp_path / "store").iterdir()
    assert dcmread(there).SOPInstanceUID == one.sop_instance_uid


def test_a_peer_that_aborts_is_heard_while_the_sender_waits_for_its_turn(ecg: Ecg, call: Call) -> None:
    sizes: list[int] = []

    def abort_soon(line: Line) -> None:
        line.accept(max_length=1 << 17)
        while sum(sizes) < 20_000:
            data = line.hear()
            assert isinstance(data, pdu.Data)
            sizes.append(sum(len(p.data) for p in data.pdvs))
        line.say(pdu.Abort(0, 0))
        while line.hear() is not None:
            pass

    with peer(abort_soon) as port:
        to = dataclasses.replace(call(port), throttle=Counted(40_000))
        ((_, outcome),) = store.send(to, [ecg(200_000)])
    assert outcome.kind == "retry"
    assert "abort" in outcome.words
    assert max(sizes) <= 10_000  # a quarter second's
