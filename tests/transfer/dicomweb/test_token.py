"""The bearer token: from its file, renewed while the box runs, and seen by nobody but the server."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from archive import Archive, answer, archive
from authority import Authority

from gateway.cli import main
from gateway.destination import Destination
from gateway.errors import Misuse
from gateway.model import InstanceRef
from gateway.settings import Box
from gateway.transfer.calling import peers
from gateway.transfer.calling.outcomes import Outcome
from gateway.transfer.delivering.transports import transport

Ecg = Callable[..., InstanceRef]
FIRST, SECOND = "first.token-4711~+/==", "second.token-0815"


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "ca")


@pytest.fixture
def there(hospital: Authority) -> Iterator[Archive]:
    signed = hospital.sign("pacs")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(signed.certificate, signed.key)
    with archive(context) as running:
        running.token = FIRST
        yield running


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(FIRST + "\n")
    return path


def destination(there: Archive, hospital: Authority, token: Path | str) -> Destination:
    url = f"https://127.0.0.1:{there.port}/web"
    return Destination(name="web", url=url, ca=hospital.ca, token=str(token), policy="verified", timeout=5.0)


def test_the_token_is_read_anew_for_each_request_and_may_be_renewed_meanwhile(
    there: Archive, hospital: Authority, token: Path, ecg: Ecg
) -> None:
    by, peer = transport(True), peers.destination(Box(), destination(there, hospital, token))

    def sent() -> list[str]:
        return [o.kind for _, o in by.send(peer, [ecg(), ecg()], None)]

    assert sent() == ["done", "done"]
    token.write_text(SECOND)
    there.token = SECOND
    assert sent() == ["done", "done"]
    assert len(there.held) == 4 and there.connections == 1


def test_a_token_that_is_renewed_while_a_request_is_on_its_way_is_tried_at_once(
    there: Archive, hospital: Authority, token: Path, ecg: Ecg
) -> None:
    def renewing(archive: Archive, line: object) -> None:
        token.write_text(SECOND)
        archive.token, archive.behaviour = SECOND, None
        archive.serve(line)  # type: ignore[arg-type]

    there.behave(renewing)
    peer = peers.destination(Box(), destination(there, hospital, token))
    assert [o.kind for _, o in transport(True).send(peer, [ecg()], None)] == ["done"]
    assert [h.headers["authorization"] for h in there.requests] == [f"Bearer {FIRST}", f"Bearer {SECOND}"]


def test_a_token_that_is_over_is_a_reason_to_wait_and_not_to_hold(
    there: Archive, hospital: Authority, token: Path, ecg: Ecg
) -> None:
    there.token = SECOND
    by, peer = transport(True), peers.destination(Box(), destination(there, hospital, token))
    ((_, outcome),) = by.send(peer, [ecg()], None)
    assert (outcome.kind, outcome.code) == ("retry", "http-401") and "renew it" in outcome.words
    token.write_text(SECOND)
    assert [o.kind for _, o in by.send(peer, [ecg()], None)] == ["done"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read (No such file or directory)"),
        (b"", "holds no token"),
        (b"two words", "holds no token"),
        (b"a\r\nX-Injected: b", "holds no token"),
        ("Ärger".encode(), "holds no token"),
        (b"x" * 20_000, "holds no token"),
    ],
)
def test_a_file_without_a_token_is_named_and_nothing_is_sent(
    there: Archive, hospital: Authority, token: Path, ecg: Ecg, content: bytes | None, words: str
) -> None:
    token.unlink() if content is None else token.write_bytes(content)
    peer = peers.destination(Box(), destination(there, hospital, token))
    ((_, outcome),) = transport(True).send(peer, [ecg()], None)
    assert outcome.kind == "retry" and str(token) in outcome.words and words in outcome.words
    assert not there.requests


def test_the_token_stands_in_no_log_and_no_words_even_if_the_server_says_it_back(
    there: Archive, hospital: Authority, token: Path, ecg: Ecg, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    heard = list[Outcome]()
    peer = peers.destination(Box(), destination(there, hospital, token))
    echoes = (
        answer(401, FIRST, "text/plain"),
        answer(302, further=f"Location: https://example.org/?token={FIRST}\r\n"),
        answer(200, f'{{"00081199": "{FIRST}"}}'),
        f"HTTP/1.1 {FIRST}\r\n\r\n".encode(),
        answer(200, "{}", further=f"Content-Encoding: {FIRST}\r\n"),
        f"HTTP/1.1 999 {FIRST}\r\nContent-Length: 0\r\n\r\n".encode(),
    )
    for said in echoes:
        there.behave(lambda _, line, said=said: (line.body(line.head()), line.say(said)))
        heard += [o for _, o in transport(True).send(peer, [ecg()], None)]
    there.behave()
    heard += [o for _, o in transport(True).send(peer, [ecg()], None)]
    assert heard[-1].kind == "done" and not any(o.good for o in heard[:-1])
    assert FIRST not in caplog.text + repr(heard) + repr(peer)


def test_the_token_may_come_as_a_credential_of_systemd(
    there: Archive, hospital: Authority, token: Path, ecg: Ecg, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Misuse, match="names a credential, and this process was given none"):
        peers.destination(Box(), destination(there, hospital, "token"))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(token.parent))
    peer = peers.destination(Box(), destination(there, hospital, "token"))
    assert [o.kind for _, o in transport(True).send(peer, [ecg()], None)] == ["done"]


def test_a_command_takes_a_token_too_but_never_without_tls(
    there: Archive, hospital: Authority, token: Path, ecg: Ecg, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url, one = f"https://127.0.0.1:{there.port}/web", ecg()
    how = ["--ca", hospital.ca, "--token", str(token)]
    assert main(["--config", str(config), "echo", url, *how]) == 0
    assert "TLSv1.3" in capsys.readouterr().out
    assert main(["--config", str(config), "send", "--to", url, *how, one.path]) == 0
    assert main(["--config", str(config), "echo", url, "--ca", hospital.ca]) == 3
    assert "does not accept this box's token" in capsys.readouterr().err
    for plain in (url.replace("https", "http"), f"PACS@127.0.0.1:{there.port}"):
        assert main(["--config", str(config), "echo", plain, "--token", str(token)]) == 2
        assert "--token needs an https:// URL" in capsys.readouterr().err
