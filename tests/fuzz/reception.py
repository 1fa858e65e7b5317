"""Callers of the box, byte by byte, against the pure core that serves them (gateway.transfer.committing.reception).

Held of every input: nothing but a well-formed answer comes out; each step does something; what is held of a caller has
a bound; a report is acknowledged if it was kept, and only then; a place among the associations is given back; the call
ends, and its line in the log is one line. And, of some: however the bytes are cut, what comes out is the same.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from gateway.transfer.association import dimse, pdu
from gateway.transfer.association.dimse import LARGEST_COMMAND, RESPONSE, Field, Tag
from gateway.transfer.association.pdu import Context
from gateway.transfer.association.reader import HEADER, Reader
from gateway.transfer.committing.event_report import Answer, Report
from gateway.transfer.committing.reception.admission import Admission, Limits
from gateway.transfer.committing.reception.call import Call, Desk
from gateway.transfer.committing.reception.negotiation import House
from gateway.transfer.names import EXPLICIT, IMPLICIT, PUSH_MODEL, VERIFICATION
from tests.fuzz.said import REPORTS, USERS, Sample, cut, event_report, in_one, message, sample, stream

CONTEXTS = (
    Context(1, VERIFICATION, (IMPLICIT,)),
    Context(3, PUSH_MODEL, (IMPLICIT,)),
    Context(5, PUSH_MODEL, (IMPLICIT, EXPLICIT)),
    Context(7, "1.2.840.10008.5.1.4.1.1.2", (EXPLICIT, IMPLICIT)),
)
_MANY = CONTEXTS + tuple(Context(i, f"1.2.3.{i}", (IMPLICIT, EXPLICIT)) for i in range(9, 256, 2))
REQUESTS = (
    *(sample(pdu.AssociateRequest("GATEWAY", "PACS", CONTEXTS, user)) for user in USERS * 3),
    sample(pdu.AssociateRequest("GATEWAY", "PACS", _MANY, USERS[1])),
    sample(pdu.AssociateRequest("OTHER", "PACS", CONTEXTS, USERS[1])),
    sample(pdu.AssociateRequest("GATEWAY", "PACS", CONTEXTS[3:], USERS[1])),
    sample(pdu.AssociateRequest("GATEWAY", "PACS", (Context(1, "1.2\n3" * 600, (IMPLICIT,)),), USERS[0])),
)


def _command(field: int, context_id: int = 1, data: bytes | None = None) -> list[pdu.Data]:
    asked = dimse.request(Field.C_ECHO, 5, VERIFICATION, "1.2.3", data=data is not None)
    return message(context_id, asked | {Tag.COMMAND_FIELD: field}, data)


MESSAGES: tuple[Sample, ...] = (
    sample(*_command(Field.C_ECHO)),
    sample(in_one(_command(Field.C_ECHO) * 20)),
    *(sample(*_command(f, 3, bytes(30))) for f in (Field.C_STORE, Field.C_FIND, Field.N_ACTION, 0x7777)),
    sample(*message(1, dimse.cancel(5))),
    sample(*_command(0x8030)),
    *(sample(*event_report(*report)) for report in REPORTS),
    *(sample(in_one(event_report(*report, size=150))) for report in REPORTS),
    *(sample(*event_report(*report, size=31)) for report in REPORTS[:3]),
    *(sample(*event_report(context, 9, information)) for context, _, information in REPORTS[:2]),
)
TIGHT = Limits(associations=2, burst=2, rate=0.0, largest_associate=4000, largest_data=600, largest_message=2000)
MOST_ANSWERED = LARGEST_COMMAND + (1 << 15)  # a response names the UIDs it was asked with; 12 bytes a fragment
LONGEST_LINE = 1500


@dataclass
class Kept:
    """The ledger: now and then it refuses a report, or fails."""

    dice: random.Random
    reports: list[Report] = field(default_factory=list)

    def take(self, report: Report, caller: str) -> Answer | None:
        assert report.transaction_uid and all(report.committed) and all(report.failed)
        assert not report.committed & set(report.failed)
        roll = self.dice.random()
        if roll < 0.1:
            raise OSError(28, "No space left on device")
        if roll < 0.2:
            return Answer(0x0124, "not its report")
        self.reports.append(report)
        return None


@dataclass
class Heard:
    """What one caller gets to hear, and the check of it."""

    raw: bytearray = field(default_factory=bytearray)

    def take(self, out: bytearray) -> None:
        assert len(out) <= MOST_ANSWERED, f"{len(out)} bytes in one answer"
        self.raw += out
        out.clear()

    def acknowledged(self) -> int:
        """Reports answered with success; AssertionError if anything that was said is no answer."""
        reader, assembler, good = Reader(), dimse.Assembler(), 0
        for said in reader.feed(bytes(self.raw)):
            assert isinstance(
                said, pdu.AssociateAccept | pdu.AssociateReject | pdu.Data | pdu.ReleaseReply | pdu.Abort
            ), f"{said} is no answer"
            for fragment in said.pdvs if isinstance(said, pdu.Data) else ():
                if (answer := assembler.feed(fragment)) is not None:
                    assert answer.field & RESPONSE and answer.data is None
                    good += answer.field == Field.N_EVENT_REPORT | RESPONSE and answer.status == 0
        assert reader.waiting == 0, "half a PDU was said"
        return good


def play(call: Call, pieces: list[bytes], heard: Heard, limits: Limits, now: float) -> None:
    """What the listener does with what comes in, with the bounds held at every moment."""
    pdu_most, message_most = max(limits.largest.values()) + HEADER, max(LARGEST_COMMAND, limits.largest_message)
    reader, parts, longest = call._machine._reader, call._assembler._parts, 0
    for piece in pieces:
        longest = max(longest, len(piece))
        if call.over:
            return
        call.receive(piece)
        steps, most_steps = 0, reader.waiting + len(piece) + 8
        while call.busy and not call.over:
            call.step(now)
            heard.take(call.out)
            steps += 8  # a PDV has six bytes at least, and nothing but a whole message ends a step before the bytes do
            assert steps <= most_steps, "it takes more steps than messages could have come"
            assert reader.waiting <= pdu_most + longest, f"{reader.waiting} bytes of one PDU"
            assert len(parts) <= message_most, f"{len(parts)} bytes of one message"


def end(chance: random.Random, call: Call, heard: Heard, now: float) -> None:
    """The caller hangs up, falls silent, is put out, or the box stops."""
    match chance.randrange(4):
        case 0:
            call.lost("the caller hung up without a word", now)
        case 1:
            call.evict(now)
        case 2:
            call.abort("aborted: the box stops", now)
    for _ in range(3):
        heard.take(call.out)
        if call.over:
            break
        now = max(now, call.deadline)
        call.expire(now)
    assert call.over and call.told and call.waits
    line = call.story.line(1.0)
    assert line.isprintable() and len(line) < LONGEST_LINE, f"no line for a log: {line[:200]!r}"


def outcome(seed: str, whole: bytes, limits: Limits, slices: random.Random) -> tuple[bytes, list[Report], str]:
    """One call; what was heard, kept and told. ``slices`` cuts; all else depends on the seed."""
    chance = random.Random(seed)
    kept, heard = Kept(chance), Heard()
    admission = Admission(limits)
    call = Call("192.0.2.7", Desk(House("GATEWAY", ()), limits, admission, kept.take), 0.0)
    play(call, list(cut(slices, whole)), heard, limits, 1.0)
    end(chance, call, heard, 2.0)
    assert not admission._inside, "a place is not given back"
    assert heard.acknowledged() == len(kept.reports), "what was kept is not what was acknowledged"
    return bytes(heard.raw), kept.reports, call.story.line(0.0)


def one(chance: random.Random) -> None:
    """One input. Raises whatever must not come out."""
    limits = chance.choice((Limits(), TIGHT))
    whole = stream(chance, REQUESTS, MESSAGES)
    seed = str(chance.random())
    first = outcome(seed, whole, limits, chance)
    if chance.random() < 0.15:
        assert outcome(seed, whole, limits, chance) == first, "it depends on how the wire cuts"
