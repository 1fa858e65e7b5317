"""A board dies, another one reads its stick: real processes, the command as a person gives it, and Orthanc."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from importing import board_that_dies, tree
from orthanc import Orthanc, orthanc
from transfer.media.samples import PDF, data_set, write
from waiting import eventually

from gateway import local
from gateway.transfer import part10
from gateway.transfer.calling.peers import Peer
from gateway.transfer.storing import store
from gateway.trial.ports import free_port
from gateway.trial.workshop import Workshop, workshop

CONFIGURATION = """
[gateway]
data = "{out}/data"
runtime = "{runtime}"
[clock]
trust = "always"
[listener]
host = "127.0.0.1"
port = {listen}
[spool]
reserve = 0
[media]
folder = "{out}/no stick"
[[destination]]
name = "pacs"
ae_title = "ORTHANC"
host = "127.0.0.1"
port = {port}
retry_first = 0.2
retry_most = 1
"""


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    return tmp_path / "stick"


@pytest.fixture
def pacs(tmp_path: Path) -> Iterator[tuple[Orthanc, int]]:
    """Orthanc, and the port where it reports to."""
    listen, folder = free_port(), tmp_path / "orthanc"
    folder.mkdir()
    with orthanc(folder, "GATEWAY", listen) as running:
        yield running, listen


def started(shop: Workshop, port: int, listen: int) -> None:
    shop.configure(CONFIGURATION.format(out=shop.out, runtime=shop.runtime, listen=listen, port=port))
    shop.start("forward").wait_ready()


def gateway(shop: Workshop, *arguments: str) -> tuple[int, str, int]:
    """Exit code, standard output, and the peak of its memory in MiB."""
    code = (
        "import sys; from gateway import cli; code = cli.main(sys.argv[1:])\n"
        "peak = open('/proc/self/status').read().split('VmHWM:')[1].split()[0]\n"
        "print(int(peak) // 1024, file=sys.stderr); sys.exit(code)"
    )
    command = [sys.executable, "-c", code, "--config", str(shop.config), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    return done.returncode, done.stdout + done.stderr, int(done.stderr.split()[-1])


def until_committed(shop: Workshop, number: int) -> None:
    def destination() -> dict[str, int]:
        (found,) = local.ask(shop.runtime / "forward.sock", {"do": "status"})["destinations"]
        return dict(found)

    eventually(
        lambda: destination().get("COMMITTED") == number,
        lambda: f"{destination()} {shop.processes['forward'].log.read_text()[-2000:]}",
    )


def test_orthanc_has_half_of_the_stick_and_gets_the_other_half_and_commits_itself_to_all(
    tmp_path: Path, stick: Path, pacs: tuple[Orthanc, int]
) -> None:
    peer, listen = pacs
    uids = board_that_dies(tmp_path / "a", stick, 8)
    before = tree(stick)
    half = [part10.instance(path) for path in sorted(stick.glob("PA*/*/*/*"))[:4]]
    address = Peer("pacs", peer.ae_title, "127.0.0.1", peer.port, "GATEWAY", 30.0)
    assert all(outcome.good for _, outcome in store.send(address, half))
    with workshop(tmp_path / "b") as shop:
        started(shop, peer.port, listen)
        code, said, _ = gateway(shop, "media", "import", str(stick))
        assert code == 0, said
        assert "8 imported, of 1 patients" in said
        until_committed(shop, 8)
        assert sorted(peer.instances()) == uids
        log = shop.processes["forward"].log.read_text()
        assert sum(int(sent) for sent in re.findall(r"(\d+) of \d+ instances stored", log)) == 4
        code, said, _ = gateway(shop, "media", "import", str(stick), "--json")
        again = json.loads(said[: said.rindex("}") + 1])
        assert (code, again["imported"], again["known"], again["import"]) == (0, 0, 8, "")
    assert tree(stick) == before


def test_a_large_object_of_other_media_is_held_until_released_in_little_memory(tmp_path: Path, stick: Path) -> None:
    stick.mkdir()
    made = write(stick, data_set(PDF, EncapsulatedDocument=b""))
    path = Path(made.path)
    data = path.read_bytes()
    at = data.index(b"\x42\0\x11\0OB\0\0") + 8
    size = 300 << 20
    with path.open("wb") as stream:
        stream.write(data[:at] + size.to_bytes(4, "little"))
        for _ in range(300):
            stream.write(bytes(1 << 20))
        stream.write(data[at + 4 :])
    with workshop(tmp_path / "b") as shop:
        started(shop, free_port(), free_port())
        code, said, peak = gateway(shop, "media", "import", str(stick))
        assert code == 4, said
        assert "1 of them held" in said
        status = Path(f"/proc/{shop.processes['forward'].pid}/status").read_text()
        forward = int(status.split("VmHWM:")[1].split()[0]) // 1024
        print(f"importing 300 MiB: the command {peak} MiB, forward {forward} MiB")
        assert peak < 100
        assert forward < 150
        name = next(word for word in said.split() if word.startswith("import-"))
        code, said, _ = gateway(shop, "queue", "release", name)
        assert (code, "1 imported instances, each: 1 deliveries go on" in said) == (0, True)


def test_without_forward_or_without_a_medium_the_answer_is_one_line(tmp_path: Path, stick: Path) -> None:
    with workshop(tmp_path / "b") as shop:
        shop.configure(CONFIGURATION.format(out=shop.out, runtime=shop.runtime, listen=0, port=104))
        code, said, _ = gateway(shop, "media", "import", str(stick))
        assert (code, len(said.strip().splitlines())) == (3, 2)  # and the peak
        assert "is its service running?" in said
        shop.start("forward").wait_ready()
        code, said, _ = gateway(shop, "media", "import", str(stick))
        assert (code, len(said.strip().splitlines())) == (3, 2)
        assert "there is no medium at" in said
