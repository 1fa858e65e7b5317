"""What failures say of a peer, and what its way of reporting: how it is approached, and how long it is waited for."""

from __future__ import annotations

import dataclasses

from gateway.spool.backoff import Pause
from gateway.transfer.calling.peers import Peer
from gateway.transfer.delivering.caution import Caution
from gateway.transfer.delivering.lingering import MOMENT, Lingering

PEER = Peer("pacs", "HOSPITAL", "127.0.0.1", 104, "GATEWAY", associations=4, operations=8)
ALONE = dataclasses.replace(PEER, associations=1, operations=1)
MOST = 600.0


def cautious() -> Caution:
    return Caution(Pause(5.0, MOST, lambda: 0.0))


def test_a_peer_that_broke_an_association_gets_one_instance_at_a_time_until_it_did_well_for_a_while() -> None:
    caution = cautious()
    assert caution.approach(PEER) == PEER
    caution.broke()
    approached = []
    for _ in range(10):
        approached.append(caution.approach(PEER))
        caution.worked(whole=True)
    assert approached == [ALONE] * 8 + [PEER] * 2


def test_what_worked_in_part_does_not_make_a_peer_trusted_again() -> None:
    caution = cautious()
    caution.broke()
    for _ in range(20):
        caution.worked(whole=False)
    assert caution.approach(PEER) == ALONE


def test_one_instance_that_fails_again_and_again_does_not_make_the_pause_longer() -> None:
    caution = cautious()
    assert max(caution.failed({"1"}) for _ in range(50)) <= 5.0


def test_more_and_more_instances_that_fail_do() -> None:
    caution = cautious()
    assert max(caution.failed({str(n)}) for n in range(20)) > MOST / 2
    assert caution.failed({"1"}) >= MOST / 2  # it is the peer, whichever comes


def test_a_peer_that_is_not_reached_at_all_is_left_alone_for_longer_and_longer() -> None:
    caution = cautious()
    assert max(caution.failed(()) for _ in range(20)) > MOST / 2
    caution.worked(whole=True)
    assert caution.failed(()) <= 5.0


def test_three_requests_wait_for_a_report_on_their_association_and_no_more_if_none_comes() -> None:
    lingering = Lingering(30.0)
    waits = []
    for _ in range(5):
        waits.append(lingering.seconds())
        lingering.did_not_come()
    assert waits == [MOMENT] * 3 + [0.0] * 2


def test_a_peer_that_reports_there_is_waited_for_always() -> None:
    lingering = Lingering(30.0)
    for _ in range(10):
        assert lingering.seconds() == MOMENT
        lingering.did_not_come()
        lingering.came()


def test_a_report_that_never_came_is_waited_for_longer_once_and_always_if_that_helps() -> None:
    lingering = Lingering(30.0)
    for _ in range(5):
        lingering.did_not_come()
    assert lingering.in_vain() == 30.0
    assert lingering.seconds() == 30.0
    lingering.did_not_come()
    assert lingering.seconds() == 0.0
    lingering.in_vain()
    lingering.came()
    assert [lingering.seconds() for _ in range(5)] == [30.0] * 5
