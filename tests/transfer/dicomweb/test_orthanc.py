"""DICOMweb towards a real archive: Orthanc with its plug-in, plain and through mutual TLS, from the real courier."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from authority import Authority
from ecg_files import GENERAL_32
from nginx import nginx
from orthanc import PLUGINS, Orthanc, orthanc
from spooling import Box, Pacs, record, somebodys_exam

from gateway import configuration
from gateway.cli import main
from gateway.destination import Destination
from gateway.model import InstanceRef
from gateway.settings import Box as Named
from gateway.transfer.calling import peers
from gateway.transfer.delivering.transports import transport

Ecg = Callable[..., InstanceRef]
LARGE = 200_000_000  # bytes
MOST_MEMORY = 48_000  # kB that a process sending it may have resident


@pytest.fixture(scope="module")
def plugins() -> list[str]:
    plugin = PLUGINS / "libOrthancDicomWeb.so"
    if not plugin.exists():
        pytest.skip(f"{plugin} is not installed")
    return [str(PLUGINS / "libModalityWorklists.so"), str(plugin)]


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, plugins: list[str]) -> Iterator[Orthanc]:
    with orthanc(tmp_path_factory.mktemp("web"), Plugins=plugins, DicomWeb={"Enable": True}) as running:
        yield running


def to(web: Orthanc, **further: object) -> Destination:
    url = f"http://127.0.0.1:{web.http}/dicom-web"
    return Destination(name="web", url=url, plain_http=True, **further)  # type: ignore[arg-type]


def sent(where: Destination, instances: list[InstanceRef]) -> list[str]:
    return [o.kind for _, o in transport(True).send(peers.destination(Named(), where), instances, None)]


def file_of(web: Orthanc, instance: InstanceRef) -> bytes:
    return web.bytes(f"/instances/{web.instances()[instance.sop_instance_uid]}/file")


def test_two_hundred_instances_arrive_byte_for_byte(web: Orthanc, ecg: Ecg) -> None:
    instances = [ecg(500, GENERAL_32 if n % 2 else "1.2.840.10008.5.1.4.1.1.9.1.1") for n in range(200)]
    assert sent(to(web), instances) == ["done"] * 200
    there = web.instances()
    for one in instances:
        raw = web.bytes(f"/instances/{there[one.sop_instance_uid]}/file")
        assert hashlib.sha256(raw).digest() == hashlib.sha256(Path(one.path).read_bytes()).digest()


def test_what_is_sent_again_is_there_once(web: Orthanc, ecg: Ecg) -> None:
    one = ecg()
    before = len(web.instances())
    assert sent(to(web), [one]) == sent(to(web), [one]) == ["done"]
    assert len(web.instances()) == before + 1 and file_of(web, one) == Path(one.path).read_bytes()


def large(ecg: Ecg, size: int) -> InstanceRef:
    return ecg(size // 24)  # 12 channels of 2 bytes


@pytest.mark.parametrize("by", ["send", "bytes"])
def test_200_mb_go_and_come_back_in_constant_memory(web: Orthanc, ecg: Ecg, by: str) -> None:
    one = large(ecg, LARGE)
    code = f"""
import re
from pathlib import Path
from gateway.destination import Destination
from gateway.settings import Box
from gateway.transfer import part10
from gateway.transfer.calling import peers
from gateway.transfer.delivering.transports import transport
to = Destination(name="web", url="http://127.0.0.1:{web.http}/dicom-web", plain_http=True, policy="verified",
                 verified_by="bytes", timeout=60.0)
peer, one, by = peers.destination(Box(), to), part10.instance(Path({one.path!r})), transport(True)
print([o.kind for _, o in by.send(peer, [one], None)])
heard = []
if {by == "bytes"}:
    by.request(peer, "2.25.1", [one], heard.append, 0.0, lambda: False)
    assert heard[0].committed == {{one.sop_instance_uid}}, heard
print(re.search("VmHWM: *(.*) kB", Path("/proc/self/status").read_text().replace("\\t", " "))[1])
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    kinds, memory = said.stdout.split()
    assert kinds == "['done']" and int(memory) < MOST_MEMORY


@pytest.mark.parametrize(
    ("by", "words"),
    [
        ("index", "verified by QIDO-RS"),
        ("metadata", "verified by WADO-RS metadata"),
        ("bytes", "verified by WADO-RS, byte by byte"),
    ],
)
def test_a_recording_is_stored_and_verified_and_the_ledger_says_by_what(
    web: Orthanc, config: Path, by: str, words: str
) -> None:
    destination = f"""
[[destination]]
name = "pacs"
url = "http://127.0.0.1:{web.http}/dicom-web"
plain_http = true
policy = "verified"
verified_by = "{by}"
"""
    config.write_text(config.read_text() + destination)
    settings = configuration.load(config)
    whose = somebodys_exam(settings)
    for _ in range(3):
        record(settings, whose.exam, 50)
    box = Box(settings, _Real(settings.destinations[0]))
    box.take_in()
    box.deliver()
    states = box.states()
    assert set(states.values()) == {"VERIFIED"} and set(states) <= set(web.instances())
    assert {box.delivery(uid)["words"] for uid in states} == {words}
    rows = box.ledger.query("SELECT settled_at FROM instances")
    assert all(r["settled_at"] is not None for r in rows)


class _Real(Pacs):
    """No stand-in at the courier's seam: the transport of the destination."""

    def __init__(self, to: Destination) -> None:
        by = transport(bool(to.url))
        self.send, self.request, self.look = by.send, by.request, by.look  # type: ignore[method-assign, misc, assignment]


def test_orthanc_has_no_commitment_over_http_and_that_is_said_with_what_to_do(web: Orthanc, ecg: Ecg) -> None:
    by, peer, one = transport(True), peers.destination(Named(), to(web)), ecg()
    assert [o.kind for _, o in by.send(peer, [one], None)] == ["done"]
    outcome = by.request(peer, "2.25.1", [one], lambda _: None, 0.0, lambda: False)
    assert outcome.kind == "retry" and 'no storage commitment over HTTP; policy = "verified"' in outcome.words


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "ca")


def through(port: int, **further: str) -> Destination:
    """By the proxy's TLS; what was stored is verified byte by byte."""
    url = f"https://127.0.0.1:{port}/dicom-web"
    return Destination(name="web", url=url, policy="verified", verified_by="bytes", **further)  # type: ignore[arg-type]


def test_instances_reach_orthanc_through_mutual_tls(
    tmp_path: Path, web: Orthanc, hospital: Authority, ecg: Ecg
) -> None:
    box, instances = hospital.sign("box"), [ecg() for _ in range(50)] + [large(ecg, 20_000_000)]
    with nginx(tmp_path / "nginx", web.http, tls=(hospital.sign("pacs"), hospital)) as port:
        to = through(port, ca=hospital.ca, certificate=box.certificate, key=box.key)
        assert sent(to, instances) == ["done"] * 51
        heard = list[str]()
        peer = peers.destination(Named(), to)
        transport(True).request(peer, "2.25.1", instances, lambda r: heard.extend(r.committed), 0.0, lambda: False)
        assert set(heard) == {i.sop_instance_uid for i in instances}


def test_who_is_not_trusted_is_told_why_and_sends_nothing(
    tmp_path: Path, web: Orthanc, hospital: Authority, ecg: Ecg
) -> None:
    other = Authority(tmp_path / "other", "Another CA")
    box, stranger, one = hospital.sign("box"), other.sign("box"), ecg()
    own = {"certificate": box.certificate, "key": box.key}
    with nginx(tmp_path / "nginx", web.http, tls=(hospital.sign("pacs"), hospital)) as port:
        for to, words in (
            (through(port, ca=hospital.ca), "does it want https, or this box's certificate?"),
            (through(port, ca=hospital.ca, certificate=stranger.certificate, key=stranger.key), "answered HTTP 400"),
            (through(port, ca=other.ca, **own), "comes from a CA that is not known here; name that CA as ca"),
            (through(port, **own), "comes from a CA that is not known here"),
            (Destination(name="web", url=f"http://127.0.0.1:{port}", plain_http=True), "answered HTTP 400"),
            (through(web.http, ca=hospital.ca), "speak TLS at that port"),
        ):
            ((_, outcome),) = transport(True).send(peers.destination(Named(), to), [one], None)
            assert outcome.kind == "retry" and words in outcome.words, outcome
    assert one.sop_instance_uid not in web.instances()


def test_a_proxy_that_takes_no_large_request_gets_smaller_ones(tmp_path: Path, web: Orthanc, ecg: Ecg) -> None:
    instances = [ecg(5000) for _ in range(20)]  # 120 kB each
    instances.insert(7, large(ecg, 3_000_000))
    with nginx(tmp_path / "nginx", web.http, largest="500k") as port:
        to = Destination(name="web", url=f"http://127.0.0.1:{port}/dicom-web", plain_http=True)
        outcomes = dict(transport(True).send(peers.destination(Named(), to), instances, None))
    assert [outcomes[i].kind for i in instances] == ["done"] * 7 + ["hold"] + ["done"] * 13
    assert "larger than it takes; ask its administrator" in outcomes[instances[7]].words


def test_echo_and_send_work_by_url_and_by_name(
    web: Orthanc, config: Path, ecg: Ecg, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"http://127.0.0.1:{web.http}/dicom-web"
    config.write_text(config.read_text() + f'[[destination]]\nname = "web"\nurl = "{url}"\nplain_http = true\n')
    one = ecg()
    for name in (url, "web"):
        assert main(["--config", str(config), "echo", name]) == 0
        assert f"{url} answers in" in capsys.readouterr().out
        assert main(["--config", str(config), "send", "--to", name, one.path]) == 0
        assert f"1 of 1 sent to {url}" in capsys.readouterr().err
    assert file_of(web, one) == Path(one.path).read_bytes()
    assert main(["--config", str(config), "echo", f"http://127.0.0.1:{web.http}/nowhere"]) == 3
    assert "no such service at that address" in capsys.readouterr().err
