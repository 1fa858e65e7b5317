"""How an association is refused, agreed upon wrongly, aborted or released."""

from __future__ import annotations

from transfer.matrix import pacs as good
from transfer.matrix.case import Case, Then
from transfer.matrix.network import ALONE, PATIENT
from transfer.matrix.pacs import Call, HangUp, Hostile, Pacs

from gateway.transfer.association import pdu
from gateway.transfer.association.dimse import Field, Message, Tag, encode
from gateway.transfer.association.pdu import Abort, AssociateAccept, AssociateReject, AssociateRequest, ContextResult
from gateway.transfer.names import PUSH_MODEL

JPEG = "1.2.840.10008.1.2.4.50"


def rejects(result: int, source: int, reason: int) -> Hostile:
    def script(_: Pacs, call: Call, asked: AssociateRequest) -> None:
        call.say(AssociateReject(result, source, reason))
        call.wait()

    return Hostile(accept=script)


def rejects_at_commitment(_: Pacs, call: Call, asked: AssociateRequest) -> None:
    if any(c.abstract_syntax == PUSH_MODEL for c in asked.contexts):
        call.say(AssociateReject(2, 3, 2))
        call.wait()
    good.accept(_, call, asked)


def rejects_the_second(pacs: Pacs, call: Call, asked: AssociateRequest) -> None:
    if pacs.busy.acquire(blocking=False):
        good.accept(pacs, call, asked)
    else:
        pacs.rejected.set()
        call.say(AssociateReject(2, 3, 2))
        call.wait()


def lets_in_again(pacs: Pacs, call: Call) -> None:
    pacs.busy.release()
    good.release(pacs, call)


def says_instead_of_accepting(words: pdu.Pdu) -> Hostile:
    def script(_: Pacs, call: Call, asked: AssociateRequest) -> None:
        call.say(words)
        call.wait()

    return Hostile(accept=script)


def accepts_and_says(*words: pdu.Pdu) -> Hostile:
    def script(pacs: Pacs, call: Call, asked: AssociateRequest) -> None:
        good.accept(pacs, call, asked)
        call.say(*words)
        call.wait()

    return Hostile(accept=script)


def says_within_the_data(*words: pdu.Pdu) -> Hostile:
    def script(_: Pacs, call: Call, number: int) -> None:
        if number == 3:
            call.say(*words)
            call.wait()

    return Hostile(pdu=script)


def says_instead_of_answering(*words: pdu.Pdu, victim: bool = False) -> Hostile:
    def script(_: Pacs, call: Call, message: Message) -> None:
        call.say(*words)
        call.wait()

    return Hostile(store=script, victim=victim)


def says_instead_of_releasing(*words: pdu.Pdu) -> Hostile:
    def script(_: Pacs, call: Call) -> None:
        call.say(*words)
        call.wait()

    return Hostile(release=script)


def accepts_with(*answered: ContextResult, **user: object) -> Hostile:
    """``answered`` instead of what was proposed; ``user`` in the user information."""

    def script(pacs: Pacs, call: Call, asked: AssociateRequest) -> None:
        if answered:
            call.say(AssociateAccept(asked.called, asked.calling, answered))
        else:
            good.accept(pacs, call, asked, **user)

    return Hostile(accept=script)


def accepts_none_of(result: int) -> Hostile:
    """No context; the storage classes only, commitment is agreed upon."""

    def script(_: Pacs, call: Call, asked: AssociateRequest) -> None:
        results = tuple(
            ContextResult(c.id, 0 if c.abstract_syntax == PUSH_MODEL else result, c.transfer_syntaxes[0])
            for c in asked.contexts
        )
        call.say(AssociateAccept(asked.called, asked.calling, results))

    return Hostile(accept=script)


def accepts_as_others(pacs: Pacs, call: Call, asked: AssociateRequest) -> None:
    results = tuple(ContextResult(c.id, 0, c.transfer_syntaxes[0]) for c in asked.contexts)
    call.say(AssociateAccept("SOMEBODY", "ELSE", results, pdu.UserInformation(roles=asked.user.roles)))


def accepts_in_no_text(pacs: Pacs, call: Call, asked: AssociateRequest) -> None:
    """AE titles are not to be looked at, and the name of its version is nobody's business."""
    results = tuple(ContextResult(c.id, 0, c.transfer_syntaxes[0]) for c in asked.contexts)
    user = pdu.UserInformation(implementation_version="M~NCHEN", roles=asked.user.roles)
    words = pdu.encode(AssociateAccept("~" * 16, "~" * 16, results, user))
    call.say(words.replace(b"~", b"\xdc"))


def answers_backwards(pacs: Pacs, call: Call, message: Message) -> None:
    """It was granted a window, and answers the last request first."""
    pacs.take(message)
    call.unanswered.append(message)
    if len(call.unanswered) == 2 or not call.comes_more():
        while call.unanswered:
            call.respond(call.unanswered.pop())


def drops_whoever_uses_the_window(pacs: Pacs, call: Call, message: Message) -> None:
    if call.asked.user.window is not None:
        raise HangUp
    good.store(pacs, call, message)


def stores_when_another_was_rejected(pacs: Pacs, call: Call, message: Message) -> None:
    pacs.rejected.wait(10)
    good.store(pacs, call, message)


def asks_something(call: Call) -> pdu.Data:
    command = {Tag.AFFECTED_SOP_CLASS_UID: "1.2.840.10008.1.1", Tag.COMMAND_FIELD: Field.C_ECHO}
    echo = command | {Tag.MESSAGE_ID: 9, Tag.DATA_SET_TYPE: 0x0101}
    return pdu.Data((pdu.Pdv(call.asked.contexts[0].id, True, True, encode(echo)),))


def asks_back(pacs: Pacs, call: Call, asked: AssociateRequest) -> None:
    good.accept(pacs, call, asked)
    call.say(asks_something(call))
    call.wait()


RELEASE = pdu.ReleaseRequest()
LAST = Then.GOES_LAST

CASES = {
    "rejects, without a reason": Case(rejects(1, 1, 1), ALONE, "is this box (GATEWAY) entered there?"),
    "rejects the application context": Case(rejects(1, 1, 2), ALONE, "is this the right port?"),
    "rejects our AE title": Case(rejects(1, 1, 3), ALONE, "does not know the calling AE title GATEWAY"),
    "rejects its AE title": Case(rejects(1, 1, 7), ALONE, "does not know the AE title HOSPITAL"),
    "rejects in its protocol layer": Case(rejects(1, 2, 1), ALONE, "without a reason (protocol layer)"),
    "rejects the protocol version": Case(rejects(1, 2, 2), ALONE, "does not support the protocol version"),
    "rejects, congested": Case(rejects(2, 3, 1), ALONE, "is busy (temporary congestion)"),
    "rejects, all associations in use": Case(rejects(2, 3, 2), ALONE, "has all its associations in use"),
    "rejects with numbers of its own": Case(rejects(7, 9, 9), ALONE, "rejects the association (source 9, reason 9)"),
    "takes one association of two": Case(
        Hostile(accept=rejects_the_second, store=stores_when_another_was_rejected, release=lets_in_again),
        *(Then.COMMITTED, "the others of 2 associations went on"),
        told=False,
        more="associations = 2\noperations = 1",
    ),
    "rejects associations for commitment only": Case(
        Hostile(accept=rejects_at_commitment), Then.ASKED_AGAIN, "has all its associations in use"
    ),
    "aborts instead of accepting": Case(
        says_instead_of_accepting(Abort(2, 1)), ALONE, "aborted the association (unrecognized PDU)"
    ),
    "aborts after accepting": Case(accepts_and_says(Abort(0, 0)), ALONE, "aborted the association (its application)"),
    "aborts while an instance comes": Case(
        says_within_the_data(Abort(0, 0)), LAST, "aborted the association (its application)", big=True
    ),
    "aborts instead of answering": Case(
        says_instead_of_answering(Abort(2, 6)), ALONE, "aborted the association (invalid PDU parameter value)"
    ),
    "aborts at one and the same instance": Case(
        says_instead_of_answering(Abort(0, 0), victim=True), LAST, "aborted the association (its application)"
    ),
    "aborts for a reason of its own": Case(
        says_instead_of_answering(Abort(2, 99)), ALONE, "aborted the association (reason 99)"
    ),
    "aborts at the release": Case(says_instead_of_releasing(Abort(0, 0)), Then.COMMITTED),
    "never answers the release": Case(says_instead_of_releasing(), Then.COMMITTED, patience=PATIENT),
    "asks for release when it should answer ours": Case(
        says_instead_of_releasing(RELEASE, pdu.ReleaseReply()), Then.COMMITTED
    ),
    "releases after accepting": Case(accepts_and_says(RELEASE), ALONE, "released the association"),
    "releases while an instance comes": Case(
        says_within_the_data(RELEASE), LAST, "released the association during the association", big=True
    ),
    "releases instead of answering": Case(
        says_instead_of_answering(RELEASE),
        ALONE,
        "released the association during the association, before it was finished",
    ),
    "releases at one and the same instance": Case(
        says_instead_of_answering(RELEASE, victim=True), LAST, "released the association"
    ),
    "answers the association request with one of its own": Case(
        says_instead_of_accepting(AssociateRequest("A", "B", ())), ALONE, "A-ASSOCIATE-RQ from the side that was called"
    ),
    "accepts twice": Case(accepts_and_says(AssociateAccept("A", "B", ())), ALONE, "A-ASSOCIATE-AC while established"),
    "answers a release that nobody asked for": Case(
        accepts_and_says(pdu.ReleaseReply()), ALONE, "A-RELEASE-RP while established"
    ),
    "rejects after accepting": Case(
        accepts_and_says(AssociateReject(1, 1, 1)), ALONE, "A-ASSOCIATE-RJ while established"
    ),
    "asks a request of its own": Case(Hostile(accept=asks_back), ALONE, "a request 0030H that nobody here serves"),
    "gives other AE titles in its acceptance": Case(Hostile(accept=accepts_as_others), Then.COMMITTED),
    "gives bytes that are no text for its AE titles and its version": Case(
        Hostile(accept=accepts_in_no_text), Then.COMMITTED
    ),
    "accepts a transfer syntax that was not proposed": Case(
        accepts_with(ContextResult(1, 0, JPEG)), ALONE, f"it accepts transfer syntax '{JPEG}', which was not proposed"
    ),
    "accepts a context that was not proposed": Case(
        accepts_with(ContextResult(77, 0, "1.2.840.10008.1.2")), ALONE, "answers context 77, which was not proposed"
    ),
    "refuses the class": Case(accepts_none_of(3), Then.ALL_HELD, "does not take 12-Lead ECG"),
    "refuses the transfer syntax": Case(
        accepts_none_of(4), Then.ALL_HELD, "takes the class, but not the transfer syntax"
    ),
    "refuses each context, as its user": Case(accepts_none_of(1), Then.ALL_HELD, "refuses 12-Lead ECG"),
    "refuses each context, without a reason": Case(accepts_none_of(2), Then.ALL_HELD, "without a reason"),
    "refuses each context, with a number of its own": Case(accepts_none_of(9), Then.ALL_HELD, "(result 9)"),
    "has no limit to the length of PDUs": Case(accepts_with(max_length=0), Then.COMMITTED),
    "takes PDUs of 4 GiB": Case(accepts_with(max_length=0xFFFFFFFF), Then.COMMITTED, big=True),
    "takes PDUs of one byte": Case(accepts_with(max_length=1), ALONE, "a maximum PDU length of 1 bytes"),
    "takes PDUs of 64 bytes": Case(accepts_with(max_length=64), Then.COMMITTED),
    "grants a window without limit": Case(accepts_with(window=(0, 0)), Then.COMMITTED),
    "grants a larger window than was asked for": Case(accepts_with(window=(65535, 65535)), Then.COMMITTED),
    "grants no window": Case(accepts_with(window=None), Then.COMMITTED),
    "grants a window, and answers in another order": Case(Hostile(store=answers_backwards), Then.COMMITTED),
    "grants a window, and drops whoever uses it": Case(
        Hostile(store=drops_whoever_uses_the_window), Then.COMMITTED, "closed the connection without a word", told=False
    ),
}
