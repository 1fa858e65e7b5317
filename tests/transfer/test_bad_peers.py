"""A peer that refuses, stalls, lies or hangs up: each has its own words, and no instance is called sent."""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path

import hostile
import pytest
from ecg_files import TWELVE_LEAD
from hostile import Line

from gateway.errors import Misuse
from gateway.model import InstanceRef
from gateway.transfer.association import pdu
from gateway.transfer.association.pdu import Abort, AssociateAccept, AssociateReject, ContextResult
from gateway.transfer.calling import echo
from gateway.transfer.calling.outcomes import Failed, Outcome
from gateway.transfer.calling.peers import Peer
from gateway.transfer.storing import store
from gateway.trial.hospital import Hospital
from gateway.trial.ports import free_port

Ecg = Callable[..., InstanceRef]
Call = Callable[..., Peer]
Script = Callable[[Line], None]


def reject(*answer: int) -> Script:
    def script(line: Line) -> None:
        line.hear()
        line.say(AssociateReject(*answer))
        line.hear()

    return script


def silent(line: Line) -> None:
    while line.hear() is not None:
        pass


def hang_up(line: Line) -> None:
    line.hear()


def abort_at_request(line: Line) -> None:
    line.hear()
    line.say(Abort(2, 1))
    line.hear()


def abort_after_accept(line: Line) -> None:
    line.accept()
    line.say(Abort(0, 0))
    line.hear()


def abort_in_mid_data(line: Line) -> None:
    line.accept()
    line.hear()
    line.hear()
    line.say(Abort(0, 0))
    while line.hear() is not None:
        pass


def abort_instead_of_answer(line: Line) -> None:
    line.accept()
    line.message()
    line.say(Abort(2, 6))
    line.hear()


def hang_up_instead_of_answer(line: Line) -> None:
    line.accept()
    line.message()


def hang_up_with_something_unread(line: Line) -> None:
    """The peer's system sends a reset instead of an end then."""
    line.accept()
    line.connection.recv(1, socket.MSG_PEEK)


def reset_instead_of_answer(line: Line) -> None:
    line.accept()
    line.message()
    line.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def release_instead_of_answer(line: Line) -> None:
    line.accept()
    line.message()
    line.say(pdu.ReleaseRequest())
    line.hear()


def never_answer(line: Line) -> None:
    line.accept()
    while line.message() is not None:
        pass


def drip_the_answer(line: Line) -> None:
    """One byte at a time, and never the last: progress of a kind, but no PDU."""
    line.accept()
    message = line.message()
    assert message is not None
    for one in pdu.encode(hostile.response(message))[:-1]:
        line.say(bytes([one]))
        time.sleep(0.05)
    line.hear()


def answer_another_message(line: Line) -> None:
    line.accept()
    message = line.message()
    assert message is not None
    line.respond(message, message_id=999)
    line.hear()


def speak_http(line: Line) -> None:
    line.hear()
    line.say(b"HTTP/1.0 400 Bad Request\r\n\r\n")


def lie_about_the_length(line: Line) -> None:
    line.accept()
    line.message()
    line.say(b"\x04\x00\xff\xff\xff\xff\x00\x00")
    line.hear()


def accept_what_was_not_proposed(line: Line) -> None:
    asked = line.hear()
    assert isinstance(asked, pdu.AssociateRequest)
    line.say(AssociateAccept("A", "B", (ContextResult(1, 0, "1.2.840.10008.1.2.4.50"),)))
    line.hear()


def accept_a_context_of_its_own(line: Line) -> None:
    line.hear()
    line.say(AssociateAccept("A", "B", (ContextResult(77, 0, "1.2.840.10008.1.2"),)))
    line.hear()


def tiny_pdus(line: Line) -> None:
    line.accept(max_length=5)
    line.hear()


def garbage_command(line: Line) -> None:
    line.accept()
    line.message()
    line.say(pdu.Data((pdu.Pdv(1, True, True, b"\x08\x00\x05\x00garbage!"),)))
    line.hear()


CASES: list[tuple[Script, str, str]] = [
    (reject(1, 1, 7), "rejected-1-7", "does not know the AE title HOSPITAL"),
    (reject(1, 1, 3), "rejected-1-3", "does not know the calling AE title GATEWAY"),
    (reject(2, 3, 2), "rejected-3-2", "all its associations in use"),
    (reject(1, 9, 9), "rejected-9-9", "source 9, reason 9"),
    (silent, "silent", "says nothing"),
    (hang_up, "lost", "closed the connection without a word after the association request"),
    (abort_at_request, "aborted-2-1", "unrecognized PDU"),
    (abort_after_accept, "aborted-0-0", "aborted the association (its application)"),
    (abort_in_mid_data, "aborted-0-0", "aborted the association (its application)"),
    (abort_instead_of_answer, "aborted-2-6", "invalid PDU parameter value"),
    (hang_up_instead_of_answer, "lost", "closed the connection without a word during the association"),
    (hang_up_with_something_unread, "lost", "closed the connection without a word during the association"),
    (reset_instead_of_answer, "lost", "closed the connection without a word during the association"),
    (release_instead_of_answer, "released", "before it was finished"),
    (never_answer, "silent", "says nothing"),
    (drip_the_answer, "silent", "says nothing"),
    (answer_another_message, "protocol", "answers message 999"),
    (speak_http, "protocol", "unknown PDU type 48H"),
    (lie_about_the_length, "protocol", "4294967295 bytes"),
    (accept_what_was_not_proposed, "protocol", "was not proposed"),
    (accept_a_context_of_its_own, "protocol", "context 77"),
    (tiny_pdus, "protocol", "maximum PDU length of 5 bytes"),
    (garbage_command, "protocol", "command set"),
]


@pytest.mark.parametrize(("script", "code", "words"), CASES, ids=[s.__name__ + c for s, c, _ in CASES])
def test_each_misbehaviour_is_named_and_every_instance_waits_for_another_try(
    script: Script, code: str, words: str, ecg: Ecg, call: Call
) -> None:
    instances = [ecg(40_000), ecg(), ecg()]
    with hostile.peer(script) as port:
        outcomes = list(store.send(call(port, timeout=1.0), instances))
    assert [i for i, _ in outcomes] == instances
    for _, outcome in outcomes:
        assert (outcome.kind, outcome.code) == ("retry", code)
        assert words in outcome.words
        assert f"HOSPITAL at 127.0.0.1:{port}" in outcome.words


def test_what_was_answered_before_the_peer_hung_up_counts(ecg: Ecg, call: Call) -> None:
    def script(line: Line) -> None:
        line.accept()
        message = line.message()
        assert message is not None
        line.respond(message)
        line.message()

    with hostile.peer(script) as port:
        outcomes = [o for _, o in store.send(call(port), [ecg(), ecg(), ecg()])]
    assert [(o.kind, o.code) for o in outcomes] == [("done", "0000"), ("retry", "lost"), ("retry", "lost")]


def test_an_answer_together_with_an_abort_still_counts(ecg: Ecg, call: Call) -> None:
    def script(line: Line) -> None:
        line.accept()
        message = line.message()
        assert message is not None
        line.say(pdu.encode(hostile.response(message)) + pdu.encode(Abort(0, 0)))
        line.hear()

    with hostile.peer(script) as port:
        outcomes = [o for _, o in store.send(call(port), [ecg(), ecg()])]
    assert [o.kind for o in outcomes] == ["done", "retry"]


STATUSES = [
    (0xB000, "warned"),
    (0xB006, "warned"),
    (0xB007, "warned"),
    (0xA700, "retry"),
    (0xA900, "hold"),
    (0xC123, "hold"),
    (0x0122, "hold"),
    (0x0124, "hold"),
    (0x7777, "hold"),
    (0x0000, "done"),
]


def test_a_refused_instance_never_blocks_those_behind_it(ecg: Ecg, call: Call) -> None:
    statuses = iter(status for status, _ in STATUSES)

    def script(line: Line) -> None:
        line.accept()
        while (message := line.message()) is not None:
            line.respond(message, next(statuses))

    with hostile.peer(script) as port:
        outcomes = [o for _, o in store.send(call(port), [ecg(2) for _ in STATUSES])]
    assert [(int(o.code, 16), o.kind) for o in outcomes] == STATUSES
    assert "disk is probably full" in outcomes[3].words


def test_a_peer_that_accepts_no_context_at_all_holds_every_instance_with_words(ecg: Ecg, call: Call) -> None:
    def script(line: Line) -> None:
        line.accept(refuse=(TWELVE_LEAD,))
        line.message()

    with hostile.peer(script) as port:
        outcomes = [o for _, o in store.send(call(port), [ecg(), ecg()])]
    assert [(o.kind, o.code) for o in outcomes] == [("hold", "class-refused")] * 2


def test_a_peer_that_stops_reading_in_the_middle_is_called_silent(ecg: Ecg, call: Call) -> None:
    def script(line: Line) -> None:
        line.accept()
        hung_up = select.poll()
        hung_up.register(line.connection, select.POLLRDHUP)
        hung_up.poll(30_000)

    with hostile.peer(script) as port:
        outcomes = [o for _, o in store.send(call(port, timeout=1.0), [ecg(1_000_000)])]
    assert [(o.kind, o.code) for o in outcomes] == [("retry", "silent")]


def test_a_closed_port_and_an_unknown_host_are_named(ecg: Ecg, call: Call) -> None:
    (_, closed), *_ = store.send(call(free_port()), [ecg()])
    assert (closed.kind, closed.code) == ("retry", "closed") and "nothing listens" in closed.words
    unknown = Peer("pacs", "PACS", "no-such-host.invalid", 104, "GATEWAY", 5.0)
    (_, nobody), *_ = store.send(unknown, [ecg()])
    assert (nobody.kind, nobody.code) == ("retry", "no-such-host") and "no-such-host.invalid" in nobody.words


def test_the_wrong_ae_title_is_said_by_a_real_peer_and_understood(tmp_path: Path, call: Call) -> None:
    with Hospital(tmp_path / "hospital") as hospital, pytest.raises(Failed, match="does not know the AE title WRONG"):
        echo.echo(call(hospital.port, "WRONG"))


def test_echo_shows_which_classes_are_accepted(tmp_path: Path, call: Call) -> None:
    def script(line: Line) -> None:
        line.accept(refuse=(TWELVE_LEAD,))
        while (message := line.message()) is not None:
            line.respond(message)

    with hostile.peer(script) as port:
        shown = str(echo.echo(call(port))).splitlines()
    assert "12-Lead ECG                        refused" in [line.strip() for line in shown]
    assert any("General ECG" in line and "Explicit VR Little Endian" in line for line in shown)


def test_an_ae_title_that_is_none_is_refused_before_anything_is_sent() -> None:
    for wrong in ("", "X" * 17, "ÄRZTE", "A\\B"):
        with pytest.raises(Misuse, match="is no AE title"):
            Peer("pacs", wrong, "127.0.0.1", 104, "GATEWAY")


def test_a_sender_that_is_dropped_half_way_leaves_no_open_connection(ecg: Ecg, call: Call) -> None:
    ended = list[object]()

    def script(line: Line) -> None:
        line.accept()
        message = line.message()
        assert message is not None
        line.respond(message)
        while isinstance(arrived := line.hear(), pdu.Data):
            pass
        ended.append(arrived)

    with hostile.peer(script) as port:
        sending = store.send(call(port), [ecg(), ecg()])
        first: tuple[InstanceRef, Outcome] = next(sending)  # type: ignore[call-overload]
        sending.close()  # type: ignore[attr-defined]
    assert first[1].kind == "done"
    assert isinstance(ended[0], Abort)


def test_a_peer_behind_a_listening_socket_that_nobody_serves_is_called_silent(ecg: Ecg, call: Call) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        (_, outcome), *_ = store.send(call(server.getsockname()[1], timeout=0.5), [ecg()])
    assert (outcome.kind, outcome.code) == ("retry", "silent")
