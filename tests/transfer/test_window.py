"""More than one at a time: the asynchronous operations window where it is granted, and several associations."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from pathlib import Path

import hostile
import pytest
from dcmtk import storescp
from hostile import Line
from pynetdicom import AE, evt

from gateway.model import InstanceRef
from gateway.transfer.association import pdu
from gateway.transfer.association.pdu import AssociateAccept, AssociateReject, ContextResult, Identity, UserInformation
from gateway.transfer.calling.peers import Peer
from gateway.transfer.storing import store

Ecg = Callable[..., InstanceRef]
Call = Callable[..., Peer]


def grant(line: Line, window: tuple[int, int] | None) -> pdu.AssociateRequest:
    asked = line.hear()
    assert isinstance(asked, pdu.AssociateRequest)
    results = tuple(ContextResult(c.id, 0, c.transfer_syntaxes[0]) for c in asked.contexts)
    line.say(AssociateAccept(asked.called, asked.calling, results, UserInformation(1 << 14, window=window)))
    return asked


@pytest.mark.parametrize(("granted", "together"), [((3, 1), 3), ((0, 1), 4), ((9, 1), 4), ((1, 1), 1), (None, 1)])
def test_so_many_are_on_their_way_as_the_peer_grants_and_are_answered_in_any_order(
    granted: tuple[int, int] | None, together: int, ecg: Ecg, call: Call
) -> None:
    """The peer answers only after it has got so many, the last first."""
    instances = [ecg(2) for _ in range(12)]

    def script(line: Line) -> None:
        assert grant(line, granted).user.window == (4, 1)
        while True:
            batch = [m for m in (line.message() for _ in range(together)) if m is not None]
            for message in reversed(batch):
                line.respond(message)
            if len(batch) < together:
                return

    with hostile.peer(script) as port:
        told = list(store.send(dataclasses.replace(call(port, timeout=5.0), operations=4), instances))
    assert {i for i, o in told if o.kind == "done"} == set(instances)
    assert len(told) == len(instances)


def test_an_answer_that_comes_twice_is_a_breach_and_nothing_is_called_sent_by_it(ecg: Ecg, call: Call) -> None:
    def script(line: Line) -> None:
        grant(line, (4, 1))
        first = line.message()
        assert first is not None
        line.respond(first)
        line.respond(first)
        line.hear()

    with hostile.peer(script) as port:
        told = list(store.send(dataclasses.replace(call(port), operations=4), [ecg(2) for _ in range(4)]))
    assert [o.kind for _, o in told] == ["done", "retry", "retry", "retry"]


def test_every_instance_has_one_outcome_on_four_associations(tmp_path: Path, ecg: Ecg, call: Call) -> None:
    instances = [ecg(100) for _ in range(40)]
    with storescp(tmp_path / "store", "--fork") as port:
        told = list(store.send(dataclasses.replace(call(port), associations=4), instances))
    assert sorted(i.path for i, _ in told) == sorted(i.path for i in instances)
    assert {o.kind for _, o in told} == {"done"}
    assert len(list((tmp_path / "store").iterdir())) == 40


def test_a_peer_that_takes_one_association_only_gets_all_on_it(ecg: Ecg, call: Call) -> None:
    one = threading.Lock()

    def script(line: Line) -> None:
        if not one.acquire(blocking=False):
            line.hear()
            line.say(AssociateReject(2, 3, 2))
            line.hear()
            return
        line.accept()
        while (message := line.message()) is not None:
            line.respond(message)

    with hostile.peer(script) as port:
        told = list(store.send(dataclasses.replace(call(port), associations=3), [ecg(2) for _ in range(9)]))
    assert [o.kind for _, o in told] == ["done"] * 9


def test_what_one_association_breaks_on_does_not_stop_the_others(ecg: Ecg, call: Call) -> None:
    first = threading.Lock()

    def script(line: Line) -> None:
        line.accept()
        breaks = first.acquire(blocking=False)
        while (message := line.message()) is not None:
            if breaks:
                line.say(pdu.Abort(0, 0))
                return
            line.respond(message)

    with hostile.peer(script) as port:
        told = list(store.send(dataclasses.replace(call(port), associations=2), [ecg(2) for _ in range(10)]))
    kinds = sorted(o.kind for _, o in told)
    assert kinds == ["done"] * 9 + ["retry"]


def test_nobody_goes_on_when_the_caller_wants_no_more(ecg: Ecg, call: Call) -> None:
    before = threading.active_count()

    def script(line: Line) -> None:
        line.accept()
        while (message := line.message()) is not None:
            line.respond(message)

    with hostile.peer(script) as port:
        serving = threading.active_count()
        sending = store.send(dataclasses.replace(call(port), associations=3), [ecg(2) for _ in range(60)])
        next(sending)
        sending.close()  # type: ignore[attr-defined]
        assert not [t for t in threading.enumerate() if t.name.startswith("to pacs")]
    assert serving >= before


def test_a_user_is_told_and_the_answer_understood_by_a_real_peer(ecg: Ecg, call: Call) -> None:
    heard = list[tuple[int, bytes, bytes]]()

    def look(event: evt.Event) -> tuple[bool, bytes | None]:
        heard.append((event.user_id_type, event.primary_field, event.secondary_field))
        return event.secondary_field == b"secret", b""

    ae, instance = AE(), ecg()
    ae.add_supported_context(instance.sop_class_uid)
    handlers = [(evt.EVT_USER_ID, look), (evt.EVT_C_STORE, lambda _: 0)]
    scp = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        peer = call(scp.server_address[1])
        for passcode, kind in ((b"secret", "done"), (b"wrong", "retry")):
            known = dataclasses.replace(peer, identity=Identity(2, b"box", passcode, confirm=True))
            assert [o.kind for _, o in store.send(known, [instance])] == [kind]
    finally:
        scp.shutdown()
    assert heard == [(2, b"box", b"secret"), (2, b"box", b"wrong")]
