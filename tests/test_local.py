"""The local socket: every request is answered, and nobody there is not the same as nobody answering."""

from __future__ import annotations

import socket
import threading

import pytest

from gateway import local
from gateway.errors import Fatal, Held, Retry


@pytest.fixture
def serve(tmp_path):
    servers = []

    def start(**handlers):
        servers.append(local.Server(tmp_path / "x.sock", handlers))
        return servers[-1].path

    yield start
    for each in servers:
        each.close()


@pytest.fixture
def silent(tmp_path):
    """A process that has its socket open and never answers."""
    path = tmp_path / "silent.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(path))
        listening.listen(4)
        yield path


def defect(_request):
    raise IndexError("list index out of range")


@pytest.mark.parametrize("handler", [defect, lambda _request: {"not": object()}])
def test_a_defect_in_a_handler_is_answered_and_logged(serve, caplog, handler):
    path = serve(break_it=handler)
    with pytest.raises(Fatal, match=r"failed \((IndexError|TypeError)"):
        local.ask(path, {"do": "break_it"})
    assert "defect" in caplog.text
    assert local.ask(path, {"do": "ping"}) == {}


def test_a_refusal_comes_back_as_the_error_that_it_was(serve):
    def refuse(_request):
        raise Held("no", "do this")

    with pytest.raises(Held, match="no; do this"):
        local.ask(serve(it=refuse), {"do": "it"})


def test_nobody_there_is_none_a_left_over_socket_too(tmp_path):
    assert local.ask_if_there(tmp_path / "none.sock", {"do": "ping"}) is None
    left = tmp_path / "left.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(left))
    assert local.ask_if_there(left, {"do": "ping"}) is None
    assert not local.is_served(left)


def test_a_process_that_is_there_and_does_not_answer_is_not_nobody(silent):
    with pytest.raises(Retry, match="does not answer"):
        local.ask_if_there(silent, {"do": "stop"}, timeout=0.2)
    assert local.is_served(silent, 0.2)
    with pytest.raises(Fatal, match="another process serves"):
        local.Server(silent, {})


def test_a_slow_answer_to_one_keeps_no_other_waiting(serve):
    go = threading.Event()
    path = serve(slow=lambda _request: {"went": go.wait(20)})
    answers = []
    asker = threading.Thread(target=lambda: answers.append(local.ask(path, {"do": "slow"}, 20)))
    asker.start()
    assert local.ask(path, {"do": "ping"}) == {}
    go.set()
    asker.join()
    assert answers == [{"went": True}]
