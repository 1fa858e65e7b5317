"""What strangers may have of the box has a limit: memory, places and time, however many call and however they talk."""

from __future__ import annotations

import contextlib
import gc
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from itertools import count
from pathlib import Path

import hostile
import pytest
from hostile import Line
from listening import served
from tiers import SLOW

from gateway.model import InstanceRef
from gateway.settings import Box
from gateway.settings import Listener as ListenerSettings
from gateway.transfer.association import dimse, pdu
from gateway.transfer.association.dimse import Field, Tag
from gateway.transfer.association.inbox import Inbox
from gateway.transfer.association.pdu import Context, Data, Pdv, ProtocolError
from gateway.transfer.association.reader import Reader
from gateway.transfer.calling import echo
from gateway.transfer.calling.outcomes import Failed
from gateway.transfer.calling.peers import Peer
from gateway.transfer.committing import commitment
from gateway.transfer.committing.event_report import Report
from gateway.transfer.committing.listener import Listener
from gateway.transfer.committing.reception.admission import Admission, Limits
from gateway.transfer.committing.reception.call import Call, Desk
from gateway.transfer.committing.reception.negotiation import House
from gateway.transfer.names import IMPLICIT, PUSH_MODEL, VERIFICATION
from gateway.transfer.storing import store

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.fuzz.listener import pacs
from tests.fuzz.running import quiet

ROOT = Path(__file__).parents[2]
STORM, REPORTS = 2_000 if SLOW else 500, 36  # the PACS calls within its own burst of 40
MOST = 24 << 20  # bytes, as Limits says of itself
CONTEXTS = (Context(1, VERIFICATION, (IMPLICIT,)), Context(3, PUSH_MODEL, (IMPLICIT,)))
ASKED = pdu.encode(pdu.AssociateRequest("GATEWAY", "HOSPITAL", CONTEXTS))
NOTHING = pdu.encode(Data((Pdv(3, False, False, b""),)))
REPORT_BEGINS = dimse.request(Field.N_EVENT_REPORT, 7, PUSH_MODEL, data=True) | {Tag.EVENT_TYPE_ID: 1}


@pytest.mark.timeout(300)
def test_a_storm_of_hostile_callers_loses_no_report_and_leaves_memory_flat() -> None:
    """With the limits as shipped. The strangers are a process of their own; what is measured is the listener's."""
    kept: list[str] = []

    def take(report: Report, _caller: str) -> None:
        kept.append(report.transaction_uid)

    listener = Listener(Box(), ListenerSettings(host="127.0.0.1", port=0), (), take)
    ours = [f"1.2.840.99.{number}" for number in range(REPORTS)]
    with quiet(), served(listener), contextlib.ExitStack() as stack:
        tracemalloc.start()
        stack.callback(tracemalloc.stop)
        command = [sys.executable, "-m", "tests.fuzz.storm", str(listener.port), str(STORM), "1"]
        storm = stack.enter_context(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True))
        stack.callback(storm.kill)
        assert storm.stdout is not None
        unreported, used = list(reversed(ours)), dict[int, int]()
        for line in storm.stdout:  # every hundred strangers
            for uid in [unreported.pop() for _ in range(min(-(-REPORTS * 100 // STORM), len(unreported)))]:
                assert pacs(("127.0.0.1", listener.port), uid) == 0
            gc.collect()
            used[int(line)] = tracemalloc.get_traced_memory()[0]
        assert storm.wait() == 0
        peak = tracemalloc.get_traced_memory()[1]
    assert not unreported
    assert sorted(uid for uid in kept if uid in ours) == sorted(ours)
    calm, late = min(used), max(used)
    assert late >= STORM - 100
    assert abs(used[late] - used[calm]) < 2 << 20, used
    assert peak < MOST


def test_all_rooms_full_of_the_worst_callers_take_what_the_limits_say_at_most() -> None:
    """Sixteen with a message almost too long and a PDU of nothing but fragments; the rest with half a request."""
    limits = Limits(burst=1000)
    admission = Admission(limits)
    desk = Desk(House("GATEWAY"), limits, admission, lambda *_: None)
    tracemalloc.start()
    calls = []
    for number in range(limits.associations):
        call = Call(f"192.0.2.{number // limits.each}", desk, 0.0)
        calls.append(call)
        command = Data((Pdv(3, True, True, dimse.encode(REPORT_BEGINS)),))
        block = pdu.encode(Data((Pdv(3, False, False, bytes(limits.largest_data - 6)),)))
        for piece in (ASKED, pdu.encode(command), *[block] * (limits.largest_message // limits.largest_data)):
            call.receive(piece)
            while call.busy:
                call.step(0.0)
                call.out.clear()
        assert not call.told and not call.waits
        tiny = pdu.encode(Data((Pdv(1, True, True, b""),) * (limits.largest_data // 6 - 1)))
        call.receive(tiny)
        next(iter(call._work))
    for number in range(limits.waiting):
        call = Call(f"192.0.2.{100 + number}", desk, 0.0)
        calls.append(call)
        call.receive(struct.pack(">BBI", 1, 0, limits.largest_associate) + bytes(limits.largest_associate - 1))
        call.step(0.0)
        assert not call.told
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    print(f"{used / (1 << 20):.1f} MiB")
    assert limits.associations * limits.largest_message < used < MOST


@pytest.mark.parametrize("cut", [1, 5, 100, 1 << 15])
def test_what_is_answered_does_not_depend_on_how_the_wire_cuts(cut: int) -> None:
    """Two breaches on end: the second is judged by the machine, whether it came in one breath with the first or not."""
    call = Call("192.0.2.7", Desk(House("GATEWAY"), Limits(), Admission(Limits()), lambda *_: None), 0.0)
    whole = ASKED + pdu.encode(Data((Pdv(9, True, True, b"x"),))) + b"GET / HTTP/1.1"
    said = bytearray()
    for at in range(0, len(whole), cut):
        call.receive(whole[at : at + cut])
        while call.busy:
            call.step(0.0)
            said += call.out
            call.out.clear()
    heard = list(Reader().feed(bytes(said)))
    assert [type(one) for one in heard] == [pdu.AssociateAccept, pdu.Abort, pdu.Abort]
    assert heard[1:] == [pdu.Abort(2, 6), pdu.Abort(2, 1)]


def flood(line: Line, words: bytes) -> int:
    """Talk without end; how much was taken until it was cut off."""
    try:
        for number in count(1):
            line.connection.sendall(words * 50)
            if number % 100 == 0 and line.connection.fileno() < 0:
                break
    except OSError:
        pass
    return number


TALKERS: dict[str, tuple[bytes, bytes]] = {
    "while nothing is asked of it": (b"", b"\x01\0\0\0\x7f\0"),
    "in an association, without ever a message": (ASKED, NOTHING),
    "after it was refused": (pdu.encode(pdu.AssociateRequest("OTHER", "HOSPITAL", CONTEXTS)), NOTHING),
    "after its own release": (ASKED + pdu.encode(pdu.ReleaseRequest()), NOTHING),
}


@pytest.mark.parametrize("case", TALKERS)
def test_a_caller_that_never_stops_talking_has_no_more_time_than_a_silent_one(case: str) -> None:
    opening, words = TALKERS[case]
    limits = Limits(request=0.4, patience=0.4, closing=0.3)
    settings = ListenerSettings(host="127.0.0.1", port=0)
    with served(Listener(Box(), settings, (), lambda *_: None, limits)) as listener:
        line = Line(hostile.socket.create_connection(("127.0.0.1", listener.port), timeout=10))
        line.say(opening)
        assert flood(line, words) > 0  # it ends: pytest's time-out would end it otherwise
        line.connection.close()


Call_ = Callable[..., Peer]


def unheard(line: Line) -> None:
    """Talks without end, and hears nothing."""
    line.accept()
    flood(line, pdu.encode(Data((Pdv(1, True, False, b""),))))


def test_a_peer_that_talks_without_end_and_never_answers_is_called_silent(call: Call_) -> None:
    with hostile.peer(unheard) as port, pytest.raises(Failed, match="says nothing for 1 s"):
        echo.echo(call(port, timeout=1.0))


def test_a_peer_that_talks_without_end_and_never_listens_is_called_silent(
    call: Call_, ecg: Callable[..., InstanceRef]
) -> None:
    with hostile.peer(unheard) as port:
        ((_, outcome),) = store.send(call(port, timeout=1.0), [ecg(4_000_000)])
    assert (outcome.kind, outcome.code) == ("retry", "silent")


def test_a_peer_that_asks_on_and_on_while_we_write_is_cut_off(call: Call_, ecg: Callable[..., InstanceRef]) -> None:
    asked = dimse.request(Field.N_EVENT_REPORT, 7, PUSH_MODEL, "1." * 32, data=False) | {Tag.EVENT_TYPE_ID: 9}

    def script(line: Line) -> None:
        line.accept()
        flood(line, pdu.encode(Data((Pdv(1, True, True, dimse.encode(asked)),))))

    with hostile.peer(script) as port:
        instances = [InstanceRef("1.2", f"1.2.{n}", "1.2", "") for n in range(120_000)]
        outcome = commitment.request(call(port, timeout=2.0), "1.2.3", instances, lambda _: None, 0.1)
    assert (outcome.kind, outcome.code) == ("retry", "protocol")
    assert "takes no answer" in outcome.words


def test_answers_that_nobody_asked_for_are_bounded_by_number_and_by_bytes() -> None:
    command = {Tag.COMMAND_FIELD: 0x8001, Tag.MESSAGE_ID_BEING_RESPONDED_TO: 1, Tag.DATA_SET_TYPE: 1, Tag.STATUS: 0}
    inbox = Inbox()
    for _ in range(256):
        inbox.put(dimse.Message(1, command))
    with pytest.raises(ProtocolError, match="more than 256 answers"):
        inbox.put(dimse.Message(1, command))
    inbox, half = Inbox(), dimse.Message(1, command, bytes(dimse.LARGEST_DATA_SET // 2))
    inbox.put(half)
    inbox.put(half)
    with pytest.raises(ProtocolError, match="bytes that nobody asked for"):
        inbox.put(half)
    assert list(inbox.take_all()) == [half, half]


def test_the_line_of_a_call_stays_one_line_whatever_it_asks_for(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    settings = ListenerSettings(host="127.0.0.1", port=0)
    forged = "1.2\nlisten to me: " + "x" * 9000
    with served(Listener(Box(), settings, (), lambda *_: None)) as listener:
        line = Line(hostile.socket.create_connection(("127.0.0.1", listener.port), timeout=10))
        line.say(pdu.AssociateRequest("GATEWAY", "HOSPITAL", (Context(1, forged, (IMPLICIT,)),)))
        assert isinstance(line.hear(), pdu.AssociateAccept)
        line.say(pdu.ReleaseRequest())
        assert line.hear() == pdu.ReleaseReply()
        line.connection.close()
    (told,) = [r.message for r in caplog.records if "which this box does not take" in r.message]
    assert told.isprintable() and "1.2?listen to me" in told and len(told) < 300


def test_a_report_in_one_breath_with_the_acceptance_is_taken(call: Call_, ecg: Callable[..., InstanceRef]) -> None:
    """It came before anything was asked on this association: of a request before, that is."""
    heard: list[int] = []
    information = hostile_information("1.2.9")

    def script(line: Line) -> None:
        asked = line.hear()
        assert isinstance(asked, pdu.AssociateRequest)
        results = tuple(pdu.ContextResult(c.id, 0, c.transfer_syntaxes[0]) for c in asked.contexts)
        accepted = pdu.AssociateAccept(asked.called, asked.calling, results)
        implicit = next(c.id for c in asked.contexts if c.transfer_syntaxes == (IMPLICIT,))
        line.say(pdu.encode(accepted) + pdu.encode(hostile.event_report(implicit, 1, information)))
        while (message := line.message()) is not None:
            if message.field == Field.N_ACTION:
                line.respond(message)
            else:
                heard.append(message.status)

    reports: list[Report] = []
    with hostile.peer(script) as port:
        outcome = commitment.request(call(port), "1.2.3", [ecg()], reports.append, 0.1)
    assert outcome.good
    assert [r.transaction_uid for r in reports] == ["1.2.9"]
    assert heard == [0]


def test_an_answer_without_a_status_is_a_breach_and_the_instance_waits(
    call: Call_, ecg: Callable[..., InstanceRef]
) -> None:
    def script(line: Line) -> None:
        line.accept()
        message = line.message()
        assert message is not None
        command = {Tag.COMMAND_FIELD: 0x8001, Tag.MESSAGE_ID_BEING_RESPONDED_TO: 1, Tag.DATA_SET_TYPE: 0x0101}
        line.say(Data((Pdv(message.context_id, True, True, dimse.encode(command)),)))
        line.hear()

    with hostile.peer(script) as port:
        outcomes = [o for _, o in store.send(call(port), [ecg(), ecg()])]
    assert [(o.kind, o.code) for o in outcomes] == [("retry", "protocol")] * 2
    assert "without Status" in outcomes[0].words


def hostile_information(transaction_uid: str) -> bytes:
    from tests.fuzz.said import information  # noqa: PLC0415

    return information(transaction_uid, 1, 0, explicit=False)
