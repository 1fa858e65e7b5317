"""Who must be told a port before it listens gets one that nobody else comes by meanwhile."""

from __future__ import annotations

import socket
import subprocess
import sys

from gateway.trial import ports


def test_a_port_is_none_that_the_system_gives_to_whoever_asks_for_any() -> None:
    first, last = map(int, ports._RANGE.read_text().split())
    assert not first <= ports.free_port() <= last


def test_a_port_is_not_given_again_while_others_are_left() -> None:
    given = [ports.free_port() for _ in range(100)]
    assert len(set(given)) == len(given)


def test_a_port_that_somebody_listens_on_is_passed_over() -> None:
    taken = ports.free_port() + 1
    with socket.create_server(("127.0.0.1", taken)):
        assert ports.free_port() != taken


def test_two_processes_give_different_ports() -> None:
    code = "from gateway.trial.ports import free_port; print(*(free_port() for _ in range(100)))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True).stdout
    assert not set(map(int, said.split())) & {ports.free_port() for _ in range(100)}


def test_where_the_system_gives_from_all_ports_it_is_asked(monkeypatch, tmp_path) -> None:
    everything = tmp_path / "range"
    everything.write_text("1024\t65535\n")
    monkeypatch.setattr(ports, "_RANGE", everything)
    monkeypatch.setattr(ports, "_own", ports._own.__wrapped__)
    assert 1024 <= ports.free_port() <= 65535
