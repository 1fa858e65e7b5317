"""``gateway echo``: all peers at once, each with what it lacks; the exit code says the worst."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from authority import Authority
from dcmtk import storescp

from gateway import cli
from gateway.trial.hospital import Hospital
from gateway.trial.ports import free_port

DESTINATION = '[[destination]]\nname = "{}"\nae_title = "HOSPITAL"\nhost = "127.0.0.1"\nport = {}\n{}\n'
RIS = '[[ris]]\nname = "{}"\nae_title = "HOSPITAL"\nhost = "127.0.0.1"\nport = {}\n{}\n'


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    with Hospital(tmp_path_factory.mktemp("hospital")) as there:
        yield there


@pytest.fixture(scope="module")
def scp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Stores, and does nothing else."""
    with storescp(tmp_path_factory.mktemp("scp") / "store") as port:
        yield port


class Echo:
    def __init__(self, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._config, self._capsys = config, capsys

    def __call__(self, peers: str, *arguments: str) -> tuple[int, str]:
        path = self._config.with_name("peers.toml")
        path.write_text(self._config.read_text() + peers)
        code = cli.main(["--config", str(path), "echo", *arguments])
        captured = self._capsys.readouterr()
        return code, captured.out + captured.err

    def json(self, peers: str, *arguments: str) -> tuple[int, dict[str, Any]]:
        code, said = self(peers, *arguments, "--json")
        return code, json.loads(said)


@pytest.fixture
def echo(config: Path, capsys: pytest.CaptureFixture[str]) -> Echo:
    return Echo(config, capsys)


def test_without_a_name_every_destination_and_ris_is_asked(echo: Echo, hospital: Hospital) -> None:
    code, said = echo(DESTINATION.format("pacs", hospital.port, "") + RIS.format("ris", hospital.port, ""))
    assert code == 0
    for name in ("destination pacs", "RIS ris"):
        assert f"{name}: HOSPITAL at 127.0.0.1:{hospital.port} answers in " in said
    assert " ms (C-ECHO " in said and "ATTENTION" not in said


def test_what_a_peer_refuses_of_what_is_needed_is_a_finding(echo: Echo, scp: int) -> None:
    peers = DESTINATION.format("pacs", scp, "") + DESTINATION.format("archive", scp, 'policy = "stored"')
    code, found = echo.json(peers + RIS.format("ris", scp, ""))
    findings = {one["name"]: one["findings"] for one in found["peers"]}
    assert code == 1
    assert findings["archive"] == []
    assert findings["pacs"] == [
        'it refuses storage commitment, which policy = "commitment" waits for: nothing would ever be freed'
    ]
    assert [words.split(";")[0] for words in findings["ris"]] == [
        "it refuses Modality Worklist",
        "it refuses Modality Performed Procedure Step",
    ]
    assert echo(peers, "pacs")[0] == 1 and "ATTENTION: it refuses storage" in echo(peers, "pacs")[1]
    assert echo(peers, "archive")[0] == 0
    assert echo("", f"ANY@127.0.0.1:{scp}")[0] == 0, "nobody knows what is needed of it"


def test_who_commits_under_another_title_is_asked_apart(echo: Echo, scp: int, hospital: Hospital) -> None:
    code, found = echo.json(DESTINATION.format("pacs", hospital.port, 'commitment_ae_title = "OTHER"'))
    asked = {one["what"]: one for one in found["peers"]}
    assert asked["destination pacs"]["answers"] and not asked["commitment of pacs"]["answers"]
    assert code == 3 and "does not know the AE title OTHER" in asked["commitment of pacs"]["words"]


def test_one_that_is_away_or_lacks_a_credential_does_not_keep_the_others_from_being_asked(
    echo: Echo, hospital: Hospital
) -> None:
    peers = DESTINATION.format("away", free_port(), "") + DESTINATION.format("here", hospital.port, "")
    peers += DESTINATION.format("keyless", hospital.port, 'tls = true\ncertificate = "box.pem"')
    code, found = echo.json(peers)
    asked = {one["name"]: one for one in found["peers"]}
    assert code == 3
    assert asked["here"]["answers"] and "nothing listens" in asked["away"]["words"]
    assert "names a credential" in asked["keyless"]["words"]


def test_all_are_called_before_the_first_has_answered(echo: Echo) -> None:
    """Each is hung up on, but only when all have called: one after the other, the first would wait in vain."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as server:
        server.settimeout(20)

        def hang_up() -> None:
            for one in [server.accept()[0] for _ in range(6)]:
                one.close()

        hanging_up = threading.Thread(target=hang_up)
        hanging_up.start()
        port = server.getsockname()[1]
        code, found = echo.json("".join(DESTINATION.format(f"p{n}", port, "timeout = 10") for n in range(6)))
        hanging_up.join()
    assert code == 3
    assert not any("says nothing" in one["words"] for one in found["peers"])


def test_tls_is_said_and_can_be_tried_out(echo: Echo, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    pacs, box = authority.sign("pacs"), authority.sign("box")
    with storescp(tmp_path / "store", "+tls", pacs.key, pacs.certificate, "+cf", authority.ca) as port:
        address = f"ANY@127.0.0.1:{port}"
        own = ("--certificate", box.certificate, "--key", box.key)
        code, said = echo("", address, "--ca", authority.ca, *own)
        assert code == 0 and "TLSv1.3, its certificate is valid until 20" in said
        code, said = echo("", address, *own)
        assert code == 3 and "name that CA as ca" in said


def test_with_nobody_configured_that_is_said(echo: Echo) -> None:
    assert echo("") == (0, "no destination and no RIS is configured\n")
