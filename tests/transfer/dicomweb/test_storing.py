"""STOW-RS of files as they are on the disk: what cannot be read is held alone, and a stalled upload is noticed."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from archive import Archive, Line, answer, dataset

from gateway.destination import Destination
from gateway.model import InstanceRef
from gateway.settings import Box
from gateway.transfer.calling import peers
from gateway.transfer.calling.outcomes import Outcome
from gateway.transfer.calling.peers import Peer
from gateway.transfer.calling.throttle import Throttle
from gateway.transfer.delivering.transports import Transport, transport

Ecg = Callable[..., InstanceRef]


@pytest.fixture
def peer(there: Archive) -> Peer:
    url = f"http://127.0.0.1:{there.port}/web"
    return peers.destination(Box(), Destination(name="web", url=url, plain_http=True, timeout=1.0))


@pytest.fixture
def by() -> Transport:
    return transport(True)


def told(by: Transport, peer: Peer, *instances: InstanceRef) -> list[Outcome]:
    return [o for _, o in by.send(peer, instances, None)]


def test_a_file_that_is_gone_or_another_is_held_and_the_others_go_on(
    there: Archive, by: Transport, peer: Peer, ecg: Ecg
) -> None:
    gone, swapped, whole, empty = ecg(), ecg(), ecg(), ecg()
    Path(gone.path).unlink()
    Path(swapped.path).write_bytes(Path(whole.path).read_bytes())
    Path(empty.path).write_bytes(b"")
    outcomes = dict(by.send(peer, [gone, swapped, whole, empty], None))
    assert outcomes[whole].kind == "done" and list(there.held) == [whole.sop_instance_uid]
    for one, words in ((gone, "No such file"), (swapped, "another instance"), (empty, "no DICOM file")):
        assert (outcomes[one].kind, outcomes[one].code) == ("hold", "file-unreadable") and words in outcomes[one].words


def test_a_file_that_becomes_shorter_on_the_way_is_held_and_no_half_of_it_arrives(
    there: Archive, by: Transport, peer: Peer, ecg: Ecg
) -> None:
    long, other = ecg(200_000), ecg()

    def cut(_one: InstanceRef, _sent: int) -> None:
        Path(long.path).write_bytes(Path(long.path).read_bytes()[:100_000])

    outcomes = dict(by.send(peer, [long, other], cut))
    assert outcomes[long].code == "file-unreadable" and "became shorter" in outcomes[long].words
    assert outcomes[other].kind == "done" and list(there.held) == [other.sop_instance_uid]


def test_progress_tells_of_every_block_of_every_instance(by: Transport, peer: Peer, ecg: Ecg) -> None:
    instances, heard = [ecg(60_000), ecg()], list[tuple[InstanceRef, int]]()
    list(by.send(peer, instances, lambda one, sent: heard.append((one, sent))))
    for one in instances:
        sent = [s for i, s in heard if i == one]
        assert sent == sorted(sent) and sent[-1] == one.size
    assert len(heard) > 6


def test_a_server_that_stops_reading_is_given_up_after_the_time_out(
    there: Archive, by: Transport, peer: Peer, ecg: Ecg
) -> None:
    def script(archive: Archive, line: Line) -> None:
        line.head()
        archive.ended.wait(20)

    there.behave(script)
    (outcome,) = told(by, peer, ecg(800_000))  # more than the buffers of both ends take
    assert (outcome.kind, outcome.code) == ("retry", "silent") and "while it is sent" in outcome.words


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (507, "no room left"),
        (401, "token or certificate"),
        (413, "larger than it takes"),
        (200, "before it had got everything"),
    ],
)
def test_what_a_server_says_while_it_is_sent_to_is_heard_then(
    there: Archive, by: Transport, peer: Peer, ecg: Ecg, status: int, words: str
) -> None:
    def script(archive: Archive, line: Line) -> None:
        line.head()
        line.say(answer(status, "{}"))
        archive.ended.wait(20)

    there.behave(script)
    heard = list[int]()
    one = ecg(800_000)
    ((_, outcome),) = by.send(peer, [one], lambda _, sent: heard.append(sent))
    assert not outcome.good and words in outcome.words and max(heard, default=0) < one.size


def test_nobody_else_is_tried_when_a_server_fails_one_after_the_other(
    there: Archive, by: Transport, peer: Peer, ecg: Ecg
) -> None:
    def script(_: Archive, line: Line) -> None:
        while (head := line.head()) is not None:
            line.body(head)
            there.requests.append(head)
            line.say(answer(500))

    there.behave(script)
    outcomes = told(by, peer, *(ecg() for _ in range(32)))
    assert len(outcomes) == 32 and {o.code for o in outcomes} == {"http-500"}
    assert len(there.requests) < 12


def test_the_same_instance_twice_is_there_once(there: Archive, by: Transport, peer: Peer, ecg: Ecg) -> None:
    one = ecg()
    assert [o.kind for o in told(by, peer, one, one)] == ["done", "done"] and len(there.held) == 1


def test_a_refused_class_may_be_wrapped_as_another_as_with_dicom(
    there: Archive, by: Transport, peer: Peer, ecg: Ecg
) -> None:
    def script(_: Archive, line: Line) -> None:
        while (head := line.head()) is not None:
            line.body(head)
            line.say(answer(409, json.dumps(dataset(failed=[(one.sop_instance_uid, 0x0122)]))))

    one = ecg()
    there.behave(script)
    (outcome,) = told(by, peer, one)
    assert (outcome.kind, outcome.code) == ("hold", "class-refused")


def test_a_request_says_who_asks_whom_for_what(there: Archive, by: Transport, peer: Peer, ecg: Ecg) -> None:
    told(by, peer, ecg())
    (head,) = there.requests
    assert head.headers["host"] == f"127.0.0.1:{there.port}" and head.headers["accept"] == "application/dicom+json"
    assert head.headers["accept-encoding"] == "identity" and "authorization" not in head.headers


def test_it_loads_neither_pydicom_nor_numpy_nor_a_database() -> None:
    code = (
        "import sys; from gateway.transfer.delivering import transports; transports.transport(True); "
        "from gateway.transfer.dicomweb import asking; "
        "print(sorted({'pydicom', 'pynetdicom', 'numpy', 'sqlite3', 'asyncio'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_a_bandwidth_cap_holds_for_an_upload_too(there: Archive, by: Transport, peer: Peer, ecg: Ecg) -> None:
    slept, now = list[float](), [0.0]

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    one = ecg(20_000)
    throttle = Throttle(100_000, lambda: now[0], sleep)
    assert told(by, dataclasses.replace(peer, throttle=throttle), one)[0].kind == "done"
    assert max(slept) <= 1.0 and now[0] == pytest.approx(one.size / 100_000, rel=0.01)
