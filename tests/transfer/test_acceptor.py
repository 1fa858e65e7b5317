"""The acceptor's part of PS3.8 table 9-10 as a pure machine, and who is let in by the rules: no socket, no clock."""

from __future__ import annotations

from itertools import product

import pytest

from gateway.transfer.association import pdu
from gateway.transfer.association.acceptor import ARRIVALS, TABLE, Acceptor, Action, Breach, Event, State
from gateway.transfer.association.pdu import (
    Abort,
    AssociateAccept,
    AssociateReject,
    AssociateRequest,
    Context,
    ContextResult,
    ProtocolError,
    Role,
    UserInformation,
)
from gateway.transfer.association.reader import Reader
from gateway.transfer.committing.reception import negotiation, wording
from gateway.transfer.committing.reception.admission import (
    NOT_LISTED,
    TOO_FAST,
    TOO_MANY,
    TOO_MANY_OF_IT,
    Admission,
    Limits,
    network,
    who_makes_way,
)
from gateway.transfer.committing.reception.negotiation import House
from gateway.transfer.committing.reception.wording import Repetitions, Story
from gateway.transfer.names import EXPLICIT, IMPLICIT, PUSH_MODEL, VERIFICATION

ASKED = AssociateRequest("GATEWAY", "PACS", (Context(1, VERIFICATION, (IMPLICIT,)),))
ACCEPTED = AssociateAccept("GATEWAY", "PACS", (ContextResult(1, 0, IMPLICIT),))
PDUS: dict[Event, pdu.Pdu] = {
    Event.REQUEST: ASKED,
    Event.ACCEPT: ACCEPTED,
    Event.REJECT: AssociateReject(1, 1, 1),
    Event.DATA: pdu.Data((pdu.Pdv(1, True, True, b"x"),)),
    Event.RELEASE_RQ: pdu.ReleaseRequest(),
    Event.RELEASE_RP: pdu.ReleaseReply(),
    Event.ABORTED: Abort(0, 0),
}


def machine(state: State) -> Acceptor:
    """A machine that came into ``state`` by what leads there, with nothing left to say."""
    made = Acceptor()
    if state is State.CLOSED:
        made.lost()
    if state in (State.AWAITING, State.CLOSED):
        return made
    assert list(made.receive(pdu.encode(ASKED))) == [ASKED]
    if state is State.ENDING:
        made.reject(AssociateReject(1, 1, 1))
    elif state is not State.ASKED:
        made.accept(ACCEPTED)
        if state is State.RELEASING:
            assert list(made.receive(pdu.encode(pdu.ReleaseRequest()))) == [pdu.ReleaseRequest()]
    made.out.clear()
    assert made.state is state
    return made


def said(made: Acceptor) -> list[pdu.Pdu]:
    return list(Reader().feed(bytes(made.out)))


def test_whatever_arrives_in_whatever_state_has_its_row() -> None:
    arriving = {*ARRIVALS.values(), Event.INVALID, Event.LOST}
    for state, event in product(set(State) - {State.CLOSED}, arriving):
        assert (state, event) in TABLE
    assert not [row for row in TABLE if row[0] is State.CLOSED]


@pytest.mark.parametrize(("state", "event"), sorted((s, e) for s, e in TABLE if e in PDUS))
def test_each_pdu_in_each_state_does_what_the_table_says(state: State, event: Event) -> None:
    made = machine(state)
    action, after = TABLE[state, event]
    happened = list(made.receive(pdu.encode(PDUS[event])))
    assert made.state is after
    aborted = action in (Action.ABORT_AS_USER, Action.ABORT_AS_PROVIDER)
    assert said(made) == ([Abort(0, 0) if action is Action.ABORT_AS_USER else Abort(2, 2)] if aborted else [])
    assert any(isinstance(h, Breach) for h in happened) == (aborted and state is not State.ENDING)


@pytest.mark.parametrize("state", sorted(set(State) - {State.CLOSED, State.ENDING, State.AWAITING}))
def test_an_unknown_pdu_is_answered_with_an_abort_that_says_so_and_nothing_after_it_is_read(state: State) -> None:
    made = machine(state)
    (breach,) = made.receive(b"GET / HTTP/1.1\r\n\r\n")
    assert isinstance(breach, Breach)
    assert "unknown PDU type 47H" in breach.words
    assert said(made) == [Abort(2, 1)]
    made.out.clear()
    assert not list(made.receive(pdu.encode(ASKED)))
    assert not made.out


@pytest.mark.parametrize("state", [s for s in State if (s, Event.EXPIRED) in TABLE])
def test_the_timer_closes_the_connection_without_a_word(state: State) -> None:
    made = machine(state)
    made.expire()
    assert made.state is State.CLOSED
    assert not made.out


def test_after_our_own_abort_the_rest_of_a_pdu_is_not_told() -> None:
    made = machine(State.ESTABLISHED)
    arriving = made.receive(pdu.encode(pdu.Data(tuple(pdu.Pdv(1, True, False, b"x") for _ in range(5)))))
    next(arriving)
    made.abort()
    assert not list(arriving)
    assert said(made) == [Abort(0, 0)]


HOUSE = House("GATEWAY", {"PACS"})


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (ASKED, None),
        (AssociateRequest("GATEWAY", "PACS", (), version=3), None),
        (AssociateRequest("GATEWAY", "PACS", (), version=2), (1, 2, 2)),
        (AssociateRequest("GATEWAY", "PACS", (), application_context="1.2.3"), (1, 1, 2)),
        (AssociateRequest("gateway", "PACS", ()), (1, 1, 7)),
        (AssociateRequest("GATEWAY", "STRANGER", ()), (1, 1, 3)),
    ],
)
def test_each_reason_to_reject_has_its_code(asked: AssociateRequest, answer: tuple[int, int, int] | None) -> None:
    refusal = negotiation.refusal(HOUSE, asked)
    assert (refusal and refusal.answer) == (answer and AssociateReject(*answer))


def test_where_nobody_is_listed_anybody_may_call() -> None:
    assert negotiation.refusal(House("GATEWAY"), AssociateRequest("GATEWAY", "STRANGER", ())) is None


@pytest.mark.parametrize(
    ("proposed", "answered"),
    [
        ((False, True), (False, True)),
        ((True, True), (False, True)),
        ((True, False), (False, False)),
    ],
)
def test_a_caller_may_be_scp_of_storage_commitment_and_never_its_scu(
    proposed: tuple[bool, bool], answered: tuple[bool, bool]
) -> None:
    user = UserInformation(roles=(Role(PUSH_MODEL, *proposed), Role("1.2.3", True, True)))
    agreed = negotiation.agree(AssociateRequest("A", "B", (Context(1, PUSH_MODEL, (IMPLICIT,)),), user), 4096)
    assert agreed.user.roles == (Role(PUSH_MODEL, *answered),)
    assert agreed.user.max_length == 4096


def test_each_context_is_answered_on_its_own() -> None:
    contexts = (
        Context(1, VERIFICATION, (IMPLICIT, EXPLICIT)),
        Context(3, PUSH_MODEL, ("1.2.840.10008.1.2.2", IMPLICIT)),
        Context(5, PUSH_MODEL, ("1.2.840.10008.1.2.4.50",)),
        Context(7, "1.2.840.10008.5.1.4.1.1.2", (IMPLICIT,)),
    )
    agreed = negotiation.agree(AssociateRequest("A", "B", contexts), 4096)
    assert [(r.id, r.result, r.transfer_syntax) for r in agreed.results] == [
        (1, 0, EXPLICIT),
        (3, 0, IMPLICIT),
        (5, 4, ""),
        (7, 3, ""),
    ]
    assert agreed.accepted == {1: (VERIFICATION, EXPLICIT), 3: (PUSH_MODEL, IMPLICIT)}


@pytest.mark.parametrize("ids", [(), (2,), (1, 1), (1, 4)])
def test_presentation_contexts_that_cannot_be_told_apart_are_a_breach(ids: tuple[int, ...]) -> None:
    contexts = tuple(Context(i, VERIFICATION, (IMPLICIT,)) for i in ids)
    with pytest.raises(ProtocolError, match="presentation contexts"):
        negotiation.agree(AssociateRequest("A", "B", contexts), 4096)


def test_only_listed_addresses_and_networks_are_let_in() -> None:
    admission = Admission(Limits(), (network("192.0.2.7"), network("10.1.0.0/16"), network("2001:db8::/32")))
    for address in ("192.0.2.7", "10.1.255.1", "2001:db8::5"):
        assert admission.arrive(address, 0.0) is None
    for address in ("192.0.2.8", "10.2.0.1", "2001:db9::5"):
        assert admission.arrive(address, 0.0) is NOT_LISTED


def test_one_address_that_calls_too_often_is_put_off_and_no_other_one_is() -> None:
    admission = Admission(Limits(rate=2.0, burst=3))
    assert [admission.arrive("a", 0.0) for _ in range(5)] == [None] * 3 + [TOO_FAST] * 2
    assert admission.arrive("b", 0.0) is None
    assert [admission.arrive("a", 1.0) for _ in range(3)] == [None, None, TOO_FAST]


def test_what_is_remembered_of_addresses_has_a_bound() -> None:
    admission = Admission(Limits())
    for number in range(100_000):
        admission.arrive(str(number), 0.0)
    assert len(admission._buckets) <= 256


def test_no_address_gets_all_associations() -> None:
    admission = Admission(Limits(associations=4))
    assert [admission.enter("a") for _ in range(3)] == [None, None, TOO_MANY_OF_IT]
    assert [admission.enter("b") for _ in range(2)] == [None, None]
    assert admission.enter("c") is TOO_MANY
    admission.leave("a")
    assert admission.enter("c") is None


def test_who_has_most_associations_makes_way_for_who_has_fewer_and_only_then() -> None:
    admission = Admission(Limits(associations=4))
    for address in ("a", "a", "b", "b"):
        admission.enter(address)
    assert admission.crowd("c") == "a"
    assert admission.crowd("b") is None
    admission.leave("a")
    admission.enter("c")
    assert admission.crowd("d") == "b"
    assert admission.crowd("a") is None
    assert Admission(Limits()).crowd("a") is None


def test_the_crowd_makes_way_and_of_it_the_oldest() -> None:
    assert who_makes_way(["pacs", "storm", "storm", "storm"]) == 1
    assert who_makes_way(["a", "b", "c"]) == 0


def test_the_same_line_is_said_a_few_times_and_then_as_a_number() -> None:
    repetitions = Repetitions()
    assert [repetitions.say(("a", "calling"), t) for t in range(8)] == [True] * 5 + [False] * 3
    assert repetitions.say(("b", "calling"), 8)
    assert not list(repetitions.unsaid(599))
    assert list(repetitions.unsaid(600)) == ["calls from a: 3 more of the kind 'calling' within 10 minutes"]
    assert repetitions.say(("a", "calling"), 601)
    for number in range(10_000):
        repetitions.say((str(number), "x"), 700)
    assert len(repetitions._told) <= wording.REMEMBERED


def test_the_line_of_a_call_says_who_what_and_how_it_ended() -> None:
    story = Story("192.0.2.11", "PACS", echoes=1, reports=2, committed=3, failed=1, end="released")
    assert story.line(0.21) == (
        "call from PACS at 192.0.2.11: 2 commitment reports, committed to 3 instances, not to 1; C-ECHO;"
        " released (after 0.2 s)"
    )
    for number in range(100):
        story.note(f"odd {number}")
    assert len(story.odd) < 10
    assert story.odd.total() == 100
