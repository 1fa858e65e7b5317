"""How a peer takes the commitment request, and when, where and what it reports."""

from __future__ import annotations

from collections.abc import Callable

from transfer.matrix import pacs as good
from transfer.matrix.case import Case, Then
from transfer.matrix.network import QUIET, SILENT
from transfer.matrix.pacs import Call, HangUp, Hostile, Pacs, Report

from gateway.transfer.association import pdu
from gateway.transfer.association.dimse import Message

Script = Callable[[Pacs, Call, Message], None]
HOUR = 3601.0  # seconds: more than commitment_timeout


def same(pacs: Pacs, call: Call, message: Message) -> None:
    report = pacs.note(call, message)
    call.respond(message)
    call.say(report.pdu(message.context_id, call.syntax(message.context_id)))


def before(pacs: Pacs, call: Call, message: Message) -> None:
    report = pacs.note(call, message)
    call.say(report.pdu(message.context_id, call.syntax(message.context_id)))
    call.respond(message)


def same_and_hangs_up(pacs: Pacs, call: Call, message: Message) -> None:
    same(pacs, call, message)
    call.hear()
    raise HangUp


def at_the_release(pacs: Pacs, call: Call) -> None:
    """The report crosses our release request."""
    if pacs.asked:
        call.say(pacs.report(*pacs.asked[-1]).pdu(*call.committing))
    good.release(pacs, call)


def takes(pacs: Pacs, call: Call, message: Message) -> None:
    call.committing = (message.context_id, call.syntax(message.context_id))
    pacs.note(call, message)
    call.respond(message)


def never(pacs: Pacs, call: Call, message: Message) -> None:
    pacs.note(call, message)
    call.respond(message)


def silent(pacs: Pacs, call: Call, message: Message) -> None:
    pacs.note(call, message)
    call.wait()


def twice(pacs: Pacs, call: Call, message: Message) -> None:
    report = pacs.note(call, message)
    pacs.respond_and_report(call, message, report, report)


def late(loses_one: bool) -> Hostile:
    """Always later than the box waits: each report comes with the request after its own, and says what was so then."""

    def script(pacs: Pacs, call: Call, message: Message) -> None:
        report = pacs.note(call, message)
        if loses_one and len(pacs.asked) == 1:
            report = lose(pacs, report)
        told, pacs.owed = pacs.owed, [report]
        pacs.respond_and_report(call, message, *told)

    return Hostile(commit=script)


def late_refusal(pacs: Pacs, call: Call, message: Message) -> None:
    """The same, from a peer that will never commit to one instance."""
    report = pacs.note(call, message)
    told = [Report(transaction, (), {pacs.victim: 0x0122}) for transaction, _ in pacs.asked[-2:-1]]
    others = [Report(report.transaction, report.committed)] if pacs.victim not in report.committed else []
    pacs.respond_and_report(call, message, *told, *others)


def reports(change: Callable[[Pacs, Report], Report]) -> Hostile:
    """On a new association, with something else in it."""

    def script(pacs: Pacs, call: Call, message: Message) -> None:
        pacs.respond_and_report(call, message, change(pacs, pacs.note(call, message)))

    return Hostile(commit=script)


def fails(reason: int) -> Hostile:
    """The victim, for this reason."""

    def change(pacs: Pacs, report: Report) -> Report:
        if pacs.victim not in report.committed:
            return report
        return Report(report.transaction, [u for u in report.committed if u != pacs.victim], {pacs.victim: reason})

    return reports(change)


def lose(pacs: Pacs, report: Report) -> Report:
    """It had the instance, and has it no more: a restored data base. What it reports then."""
    if pacs.victim in report.committed:
        del pacs.kept[pacs.victim]
    return pacs.report(*pacs.asked[-1])


def leaves_out(pacs: Pacs, report: Report) -> Report:
    return Report(report.transaction, [uid for uid in report.committed if uid != pacs.victim])


def under_another_transaction(_: Pacs, report: Report) -> Report:
    return Report(report.transaction + ".1", report.committed)


def in_both_lists(pacs: Pacs, report: Report) -> Report:
    return Report(
        report.transaction, report.committed, {pacs.victim: 0x0110} if pacs.victim in report.committed else {}
    )


def with_strangers(_: Pacs, report: Report) -> Report:
    return Report(report.transaction, [*report.committed, "1.2.3.4", "1.2.3.5"])


def calls_as(**how: str) -> Hostile:
    def script(pacs: Pacs, call: Call, message: Message) -> None:
        pacs.respond_and_report(call, message, pacs.note(call, message), **how)

    return Hostile(commit=script)


def refuses(status: int) -> Hostile:
    """The N-ACTION."""

    def script(pacs: Pacs, call: Call, message: Message) -> None:
        pacs.note(call, message)
        call.respond(message, status)

    return Hostile(commit=script)


def refuses_the_victim(pacs: Pacs, call: Call, message: Message) -> None:
    """Any request that names it, with a status that does not say which instance it is about."""
    report = pacs.note(call, message)
    if pacs.victim in report.committed:
        call.respond(message, 0x0115)
    else:
        pacs.respond_and_report(call, message, report)


def answers_another(pacs: Pacs, call: Call, message: Message) -> None:
    pacs.note(call, message)
    call.respond(message, message_id=99)
    call.wait()


def aborts(pacs: Pacs, call: Call, message: Message) -> None:
    pacs.note(call, message)
    call.say(pdu.Abort(0, 0))
    call.wait()


def refuses_the_context(_: Pacs, call: Call, asked: pdu.AssociateRequest) -> None:
    results = tuple(
        pdu.ContextResult(c.id, 3 if c.abstract_syntax == good.PUSH_MODEL else 0, c.transfer_syntaxes[0])
        for c in asked.contexts
    )
    call.say(pdu.AssociateAccept(asked.called, asked.calling, results))


def without_roles(pacs: Pacs, call: Call, message: Message) -> None:
    pacs.respond_and_report(call, message, pacs.note(call, message), roles=False)


def no_role(_: Pacs, call: Call, asked: pdu.AssociateRequest) -> None:
    good.accept(_, call, asked, roles=())


FINE, AGAIN, WAITS = Then.COMMITTED, Then.ASKED_AGAIN, Then.WAITS_FOR_REPORT
NONE = "no commitment report within 3600 s; asked again"

CASES = {
    # When and where.
    "reports on the same association": Case(Hostile(commit=same), FINE),
    "reports on the same association, before its response": Case(Hostile(commit=before), FINE),
    "reports on the same association and hangs up": Case(Hostile(commit=same_and_hangs_up), FINE),
    "reports while the box releases": Case(Hostile(commit=takes, release=at_the_release), FINE),
    "reports on a new association": Case(Hostile(), FINE),
    "reports without role selection": Case(Hostile(accept=no_role, commit=without_roles), FINE),
    "reports twice": Case(Hostile(commit=twice), FINE),
    "never reports": Case(Hostile(commit=never), AGAIN, NONE, every=HOUR, rounds=3),
    "reports later than the box waits": Case(late(False), FINE, NONE, every=HOUR, rounds=3, told=False),
    "lost the instance, and says so later than the box waits": Case(
        late(True),
        Then.SENT_AGAIN,
        "the peer does not have the instance; it is sent again",
        every=HOUR,
        rounds=5,
        told=False,
    ),
    "will not commit to an instance, and says so later than the box waits": Case(
        Hostile(commit=late_refusal), Then.HELD_STORED, "does not commit this class of objects", every=HOUR, rounds=5
    ),
    "reports as another AE that is not listed": Case(
        calls_as(calling="STRANGER"),
        WAITS,
        "STRANGER at 127.0.0.1: rejected: its AE title is not known here",
        told=False,
    ),
    "reports as another AE that is listed": Case(calls_as(calling="OTHER"), FINE, listener='peers = ["OTHER"]'),
    "reports as the AE that the settings name": Case(
        calls_as(calling="COMMITTER"), FINE, more='commitment_ae_title = "COMMITTER"'
    ),
    "reports as another destination of the box": Case(
        calls_as(calling="ARCHIVE"),
        WAITS,
        "which was asked of pacs; if it may, add its AE title to 'peers'",
        told=False,
    ),
    "reports from an address that is not listed": Case(
        calls_as(source="127.0.0.3"),
        *(WAITS, "add it to 'addresses'"),
        told=False,
        listener='addresses = ["127.0.0.1"]',
    ),
    "reports from another address that is listed": Case(
        calls_as(source="127.0.0.3"), FINE, listener='addresses = ["127.0.0.0/24"]'
    ),
    # What it says.
    "reports a transaction that the box did not begin": Case(
        reports(under_another_transaction), WAITS, "which this box did not begin", told=False
    ),
    "reports instances that nobody asked for": Case(
        reports(with_strangers), FINE, "answered for instance 1.2.3.4, which it was not asked for; ignored", told=False
    ),
    "leaves an instance out of its report": Case(
        reports(leaves_out), AGAIN, "the report does not mention it; asked again"
    ),
    "lists an instance as committed and as failed": Case(
        reports(in_both_lists), AGAIN, "processing failure: the peer could not commit; it is asked again"
    ),
    "lost the instance (0112H)": Case(
        reports(lose), Then.SENT_AGAIN, "the peer does not have the instance; it is sent again"
    ),
    "fails to commit: processing failure (0110H)": Case(fails(0x0110), AGAIN, "0110H: processing failure"),
    "fails to commit: resource limitation (0213H)": Case(fails(0x0213), AGAIN, "0213H: resource limitation"),
    "fails to commit: duplicate transaction UID (0131H)": Case(fails(0x0131), AGAIN, "0131H: duplicate transaction"),
    "fails to commit: class not supported (0122H)": Case(
        fails(0x0122), Then.HELD_STORED, "the peer does not commit this class of objects"
    ),
    "fails to commit: class and instance conflict (0119H)": Case(
        fails(0x0119), Then.HELD_STORED, "the peer has another kind of object under this UID"
    ),
    "fails to commit, with a number of its own (9999H)": Case(
        fails(0x9999), Then.HELD_STORED, "9999H: the peer does not commit the instance, for a reason of its own"
    ),
    # How it takes the request.
    **{
        f"refuses the request: {status:04X}H": Case(refuses(status), AGAIN, words)
        for status, words in (
            (0x0110, "processing failure in the peer"),
            (0x0210, "confused about message numbers"),
            (0x0213, "the peer is short of resources"),
        )
    },
    **{
        f"refuses the request for good: {status:04X}H": Case(refuses(status), Then.ALL_HELD_STORED, words)
        for status, words in (
            (0x0112, "no such instance in the peer"),
            (0x0115, "the peer objects to the request"),
            (0x0117, "invalid instance UID"),
            (0x0118, "no such class in the peer"),
            (0x0119, "class and instance conflict"),
            (0x0122, "the peer does not take this kind of object"),
            (0x0123, "no such action in the peer"),
            (0x0124, "not authorized"),
            (0x0211, "unrecognized operation"),
            (0x0212, "mistyped argument"),
            (0x7777, "an answer the standard does not know"),
        )
    },
    "refuses each request that names one certain instance": Case(
        Hostile(commit=refuses_the_victim), Then.HELD_STORED, "the peer objects to the request"
    ),
    "takes no storage commitment": Case(
        Hostile(accept=refuses_the_context), Then.ALL_HELD_STORED, "does not take Storage Commitment"
    ),
    "is silent at the request": Case(Hostile(commit=silent), AGAIN, QUIET, patience=SILENT),
    "aborts at the request": Case(Hostile(commit=aborts), AGAIN, "aborted the association (its application)"),
    "answers another message than the request": Case(
        Hostile(commit=answers_another), AGAIN, "it answers message 99, but open is 1"
    ),
}
