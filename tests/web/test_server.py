"""The console's door: who is let in, how much of it, and what is written down about it."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import Fatal, Misuse
from gateway.web import server as module
from gateway.web.server import CONNECTIONS, LONGEST_BODY, Reply, Server, loopback

JSON = {"Content_Type": "application/json", "X_Gateway": "1"}


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "box.hospital.example", ""])
def test_an_address_that_others_can_reach_is_refused_in_words(host: str) -> None:
    with pytest.raises(Misuse, match=r"there is no login yet.*tunnel"):
        loopback(host)


@pytest.mark.parametrize(
    ("host", "bound"),
    [("localhost", "127.0.0.1"), ("127.0.0.1", "127.0.0.1"), ("127.9.9.9", "127.9.9.9"), ("::1", "::1")],
)
def test_loopback_is_bound(host: str, bound: str) -> None:
    assert loopback(host) == bound


def test_a_port_that_is_taken_is_said_in_words(console: Server) -> None:
    with pytest.raises(Fatal, match=r"another process listens on .* does another console run"):
        Server("127.0.0.1", console.port, {})


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:8104", ""])
def test_another_host_name_is_refused_against_dns_rebinding(client: Any, host: str) -> None:
    assert client.get("/worklist.json", Host=host)[0] == 421


def test_its_own_names_are_let_in(client: Any) -> None:
    for name in ("127.0.0.1", "localhost", "LOCALHOST"):
        assert client.get("/status.json", Host=f"{name}:{client.port}")[0] == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content_Type": "application/json"}, 403),
        ({"X_Gateway": "1", "Content_Type": "text/plain"}, 415),
        ({"X_Gateway": "1", "Content_Type": "application/x-www-form-urlencoded"}, 415),
        (JSON | {"Origin": "http://evil.example"}, 403),
        (JSON | {"Origin": "null"}, 403),
    ],
)
def test_a_post_that_another_site_could_forge_is_refused(client: Any, headers: dict[str, str], status: int) -> None:
    assert client.ask("POST", "/exam/start", {"devices": ["ecg1"], "emergency": True}, **headers)[0] == status


def test_another_site_cannot_read_either(client: Any) -> None:
    assert client.get("/worklist.json", Origin="http://evil.example")[0] == 403


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/../etc/passwd", 404),
        ("GET", "/live/", 404),
        ("GET", "/exam/start", 405),
        ("POST", "/status.json", 405),
        ("DELETE", "/", 501),
    ],
)
def test_what_is_not_there_is_said_as_json(client: Any, method: str, path: str, status: int) -> None:
    got, headers, body = client.ask(method, path, {}, **JSON)
    assert (got, headers["content-type"]) == (status, "application/json; charset=utf-8")
    assert body.startswith(b'{"error"')


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"[]", 400), (b"{", 400), (b"[" * 10_000, 400), (b"\xff", 400), (b" " * (LONGEST_BODY + 1), 413), (b"", 400)],
)
def test_a_body_that_is_no_small_json_object_is_refused(client: Any, body: bytes, status: int) -> None:
    assert client.ask("POST", "/exam/start", body, **JSON)[0] == status


def test_every_answer_forbids_all_scripts_but_our_file_and_frames_and_caching(client: Any) -> None:
    for path in ("/", "/status.json", "/page.css", "/nothing"):
        headers = client.get(path)[1]
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "script-src 'self';" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert (headers["x-content-type-options"], headers["cache-control"]) == ("nosniff", "no-store")


def test_a_client_that_drips_its_request_is_cut_off_and_its_place_is_free_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "CONNECTIONS", 2)
    server = Server("127.0.0.1", 0, {"GET /": lambda _: Reply(b"{}")}, seconds=0.3)
    server.start()
    try:
        for _ in range(3):  # more than there are places, one after another
            with socket.create_connection(("127.0.0.1", server.port), timeout=20) as slow:
                slow.sendall(b"GET / HTTP/1.1\r\nHost: ")
                assert slow.recv(1) == b""
    finally:
        server.close()


def test_one_connection_too_many_is_turned_away_and_the_others_are_served() -> None:
    server = Server("127.0.0.1", 0, {"GET /": lambda _: Reply(b"{}")}, seconds=20)
    server.start()
    idle = []
    try:
        idle = [socket.create_connection(("127.0.0.1", server.port), timeout=20) for _ in range(CONNECTIONS)]
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as more:
            assert more.recv(100).startswith(b"HTTP/1.0 503")
        idle[0].sendall(f"GET / HTTP/1.0\r\nHost: localhost:{server.port}\r\n\r\n".encode())
        assert idle[0].recv(100).startswith(b"HTTP/1.0 200")
    finally:
        for connection in idle:
            connection.close()
        server.close()


def test_the_log_names_the_route_and_never_what_was_asked(client: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger=module.__name__)
    client.get("/worklist.json?patient=Doe")
    client.get("/Doe")
    client.ask("BREW", "/Doe")
    client.post("/exam/start", {"devices": ["ecg1"], "step": "Doe"})
    lines = [r.getMessage() for r in caplog.records if r.name == module.__name__]
    assert "GET /worklist.json: 200" in lines
    assert "GET (another path): 404" in lines
    assert not [line for line in lines if "Doe" in line]


def test_a_bug_behind_a_route_is_answered_and_logged_without_its_data(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_rest: str) -> Reply:
        raise ValueError("Doe^Jane")

    server = Server("127.0.0.1", 0, {"GET /": broken})
    server.start()
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            connection.sendall(f"GET / HTTP/1.0\r\nHost: localhost:{server.port}\r\n\r\n".encode())
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
    finally:
        server.close()
    assert answer.startswith(b"HTTP/1.0 500")
    assert b"Doe" not in answer
    errors = [r.getMessage() for r in caplog.records if r.levelno >= logging.INFO]
    assert errors == ["the console failed on /: ValueError; -v shows where"]


ACTIVATED = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
os.execv(sys.executable, [sys.executable, "-m", "gateway", *sys.argv[2:]])
"""


def test_a_socket_that_systemd_bound_is_taken_over(config: Path) -> None:
    """As sd_listen_fds(3) has it: whoever called before the process was there is answered by it."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port, number = bound.getsockname()[1], bound.fileno()
        command = [sys.executable, "-c", ACTIVATED, str(number), "--config", str(config), "console"]
        with subprocess.Popen(command, pass_fds=(number,), stderr=subprocess.PIPE, text=True) as console:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/status.json", timeout=90) as answer:
                    assert b'"light"' in answer.read()
            finally:
                console.terminate()
                _out, said = console.communicate(timeout=60)
    assert f"the page is at http://127.0.0.1:{port}/" in said
