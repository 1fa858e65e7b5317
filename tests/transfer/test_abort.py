"""An A-ABORT is heard in whatever the sender waits for. Its own patience is an hour here: a deaf one would hang."""

from __future__ import annotations

import dataclasses
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import aborting
import hostile
import pytest
from authority import Authority
from hostile import Line

from gateway.transfer.calling.peers import Peer, Security
from gateway.transfer.storing import store

Call = Callable[..., Peer]
AN_HOUR = 3600.0


def kinds(state: str, folder: Path, peer: Peer, script: Callable[[Line], None], noticed: threading.Event) -> list[str]:
    """Codes of what came of each instance."""
    found = aborting.instances(folder, state)
    peer = dataclasses.replace(peer, timeout=AN_HOUR, operations=aborting.WINDOW)
    try:
        with hostile.peer(script) as port:
            told = list(store.send(dataclasses.replace(peer, port=port), found))
            noticed.set()
    finally:
        noticed.set()
    assert [i for i, _ in told if _.good] == found[: len([o for _, o in told if o.good])]
    return [o.code for _, o in told if not o.good]


@pytest.mark.parametrize("state", aborting.STATES)
def test_an_abort_is_heard_wherever_the_sender_is(state: str, tmp_path: Path, call: Call) -> None:
    noticed = threading.Event()
    codes = kinds(state, tmp_path / "ecg", call(0), aborting.script(state, noticed), noticed)
    assert codes
    assert set(codes) == {"aborted-2-0"}


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "ca")


@pytest.mark.parametrize("state", aborting.STATES)
def test_under_tls_too(state: str, tmp_path: Path, call: Call, hospital: Authority) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    signed = hospital.sign(f"pacs{list(aborting.STATES).index(state)}")
    context.load_cert_chain(signed.certificate, signed.key)
    noticed = threading.Event()
    play = aborting.script(state, noticed)

    def script(line: Line) -> None:
        line.connection = context.wrap_socket(line.connection, server_side=True)
        play(line)

    peer = dataclasses.replace(call(0), security=Security(hospital.ca, "", "", ""))
    codes = kinds(state, tmp_path / "ecg", peer, script, noticed)
    assert codes
    assert set(codes) == {"aborted-2-0"}
