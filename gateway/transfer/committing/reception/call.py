"""One caller, from the connection to its end: bytes and the time in, bytes and a story out. Pure.

One thing at a time: while a message is served or our answer is not out yet, nothing more is read from this caller. So
nobody can make the box remember more than one message of theirs, or answer faster than they listen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gateway.transfer.association import acceptor, dimse, pdu
from gateway.transfer.association.acceptor import Acceptor, Breach, State
from gateway.transfer.association.dimse import RESPONSE, Assembler, Field, Message, Tag
from gateway.transfer.association.pdu import AssociateRequest, ProtocolError
from gateway.transfer.committing import event_report
from gateway.transfer.committing.event_report import Answer, Report
from gateway.transfer.committing.reception import negotiation
from gateway.transfer.committing.reception.admission import TOO_MANY, Admission, Limits, Refusal
from gateway.transfer.committing.reception.negotiation import House
from gateway.transfer.committing.reception.wording import Story
from gateway.transfer.names import CLASSES, PUSH_MODEL, VERIFICATION

OnReport = Callable[[Report, str], Answer | None]  # the report and the caller's AE title; None: kept, success

UNRECOGNIZED_OPERATION = 0x0211
_NAMES = {f.value: f.name.replace("_", "-") for f in Field}
_OPEN = (State.ASKED, State.ESTABLISHED, State.RELEASING)


@dataclass(frozen=True, slots=True)
class Desk:
    """What all calls share."""

    house: House
    limits: Limits
    admission: Admission
    on_report: OnReport
    make_way: Callable[[str], None] = lambda _: None  # end an association of this address


class Call:
    """``deadline`` is in monotonic seconds; ``busy``: there is more to do of what was received."""

    def __init__(self, address: str, desk: Desk, now: float) -> None:
        self.address = address
        self.busy = False
        self.began = now
        self.deadline = now + desk.limits.request
        self.story = Story(address)
        self._desk = desk
        self._refusal: Refusal | None = desk.admission.arrive(address, now)
        self._machine = Acceptor(desk.limits.largest)
        self._assembler = Assembler(desk.limits.largest_message)
        self._work: Iterator[acceptor.Happening] = iter(())
        self._accepted: dict[int, tuple[str, str]] = {}
        self._fragment = 0  # bytes of data in a P-DATA-TF of ours
        self._heard = False
        self._inside = False  # has a place among the associations

    @property
    def out(self) -> bytearray:
        """What must be sent now; the owner takes it away."""
        return self._machine.out

    @property
    def ready(self) -> bool:
        """There is something to do now."""
        return self.busy and not self.out

    @property
    def waits(self) -> bool:
        """In the waiting room: has no association, or no longer."""
        return not self._inside

    @property
    def told(self) -> bool:
        """The story is complete; what is left is to hang up."""
        return self._machine.state not in (State.AWAITING, *_OPEN)

    @property
    def over(self) -> bool:
        """To be closed as soon as ``out`` is empty."""
        return self._machine.state is State.CLOSED

    def receive(self, data: bytes) -> None:
        """Bytes from the caller; not while ``busy``."""
        self._work, self.busy, self._heard = self._machine.receive(data), True, True

    def step(self, now: float) -> None:
        """Do one thing: serve one message, or take in what there is. Not while ``out`` waits to be sent."""
        before = self._machine.state
        try:
            for happening in self._work:
                if self._act(happening):
                    self.deadline = now + self._desk.limits.patience
                    self._changed(before, now)
                    return
        except ProtocolError as error:
            self._breach(error)  # what follows is for the machine to judge, however the wire had cut it
        else:
            self.busy = False
        self._changed(before, now)

    def lost(self, words: str, now: float, code: str = "lost") -> None:
        """The connection is gone."""
        before = self._machine.state
        if not self.told:
            self._end(words, code if self._heard else "left")
        self._machine.lost()
        self.busy = False
        self._changed(before, now)

    def expire(self, now: float) -> None:
        """The deadline has passed."""
        before, limits = self._machine.state, self._desk.limits
        if before in _OPEN:
            self._end(f"aborted: no whole message within {limits.patience:g} s", "silent")
            self._machine.abort()
        else:
            if not self.told:
                self._end(f"closed: it did not ask for an association within {limits.request:g} s", "silent")
            self._machine.expire()
        self._changed(before, now)

    def evict(self, now: float) -> None:
        """There is no room left to wait."""
        self.lost("closed: too many connections without an association", now, "evicted")

    def abort(self, words: str, now: float) -> None:
        """We end it, for a reason of ours."""
        before = self._machine.state
        if not self.told:
            self._end(words, "ended")
            self._machine.abort()
        if before is State.AWAITING:
            self._machine.lost()
        self._changed(before, now)

    def _changed(self, before: State, now: float) -> None:
        """What follows from a new state: the time to close, the place among the associations."""
        after = self._machine.state
        if after is before:
            return
        if after is State.ENDING:
            self.deadline = now + self._desk.limits.closing
        if self._inside and after not in _OPEN:
            self._inside = False
            self._desk.admission.leave(self.address)

    def _act(self, happening: acceptor.Happening) -> bool:
        """True if that was progress: an association, or a whole message."""
        match happening:
            case AssociateRequest():
                self._asked(happening)
                return True
            case pdu.Pdv():
                return self._arrived(happening)
            case pdu.ReleaseRequest():
                self._end("released", "")
                self._machine.release()
            case pdu.Abort():
                self._end(f"aborted by the caller (source {happening.source}, reason {happening.reason})", "aborted")
            case Breach():
                self._end(f"aborted: {happening.words}", "breach")
        return False

    def _asked(self, asked: AssociateRequest) -> None:
        self.story.title = negotiation.shown(asked.calling)
        refusal = self._refusal or negotiation.refusal(self._desk.house, asked)
        refusal = refusal or self._enter()
        if refusal is not None:
            self._end(f"rejected: {refusal.words}", refusal.code)
            self._machine.reject(refusal.answer)
            return
        self._inside = True
        agreed = negotiation.agree(asked, self._desk.limits.largest_data)
        self._accepted = agreed.accepted
        theirs, ours = asked.user.max_length, self._desk.limits.largest_data
        self._fragment = (min(theirs or ours, ours) - 6) & ~1  # even (PS3.8 annex D); six bytes are its header
        self._machine.accept(pdu.AssociateAccept(asked.called, asked.calling, agreed.results, agreed.user))
        if not agreed.accepted:
            uids = [c.abstract_syntax for c in asked.contexts[:3]]
            wanted = ", ".join(CLASSES.get(uid, dimse.printable(uid)) for uid in uids)
            self.story.note(f"wants {wanted}, which this box does not take")

    def _enter(self) -> Refusal | None:
        admission = self._desk.admission
        refusal = admission.enter(self.address)
        if refusal is TOO_MANY and (crowd := admission.crowd(self.address)) is not None:
            self._desk.make_way(crowd)
            refusal = admission.enter(self.address)
        return refusal

    def _arrived(self, fragment: pdu.Pdv) -> bool:
        if fragment.context_id not in self._accepted:
            raise ProtocolError(f"data on context {fragment.context_id}, which was not accepted")
        message = self._assembler.feed(fragment)
        if message is None:
            return False
        if message.field & RESPONSE:
            raise ProtocolError(f"a response {message.field:04X}H, but nothing was asked")
        if message.field != Field.C_CANCEL:  # which has no response, and nothing here could be cancelled
            dimse.number(message.command, Tag.MESSAGE_ID)  # else it could not be answered
            answer = dimse.encode(dimse.response(message.command, self._serve(message)))
            for part in dimse.fragments(message.context_id, True, answer, self._fragment):
                self.out.extend(part)
        return True

    def _serve(self, message: Message) -> int:
        sop_class_uid, syntax = self._accepted[message.context_id]
        if (sop_class_uid, message.field) == (VERIFICATION, Field.C_ECHO):
            self.story.echoes += 1
            return event_report.SUCCESS
        if (sop_class_uid, message.field) == (PUSH_MODEL, Field.N_EVENT_REPORT):
            return self._report(message, syntax)
        name = _NAMES.get(message.field, f"{message.field:04X}H")
        self.story.note(f"asked for {name} in {CLASSES[sop_class_uid]}, which this box does not do")
        return UNRECOGNIZED_OPERATION

    def _report(self, message: Message, syntax: str) -> int:
        def keep(report: Report) -> Answer | None:
            answer = self._desk.on_report(report, self.story.title)
            if answer is None or not (answer.status or answer.words):
                self.story.reports += 1
                self.story.committed += len(report.committed)
                self.story.failed += len(report.failed)
            return answer

        answer = event_report.take(self.story.title, message, syntax, keep)
        if answer.words:
            self.story.note(answer.words)
        return answer.status

    def _breach(self, error: ProtocolError) -> None:
        self._end(f"aborted: {error.message}", "breach")
        self._machine.abort(error.reason)

    def _end(self, words: str, code: str) -> None:
        """The first end is the one to be told."""
        if not self.story.end:
            self.story.end, self.story.code = words, code
