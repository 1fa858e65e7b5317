"""A damaged file is found by whoever sends it: no peer gets a whole message of it, and the others go on."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dcmtk import storescp
from spooling import DESTINATION, Box, Pacs, record, somebodys_exam

from gateway import configuration
from gateway.model import InstanceRef
from gateway.settings import Settings
from gateway.spool import layout
from gateway.transfer.calling.outcomes import Outcome
from gateway.transfer.calling.peers import Peer
from gateway.transfer.delivering.transports import DICOM
from gateway.transfer.storing import instance_file, store
from gateway.trial.hospital import Hospital

SMALL, LARGE = 100, 60_000  # samples; 1.4 MB are six blocks
Ecg = Callable[..., InstanceRef]
Call = Callable[..., Peer]


def written(one: InstanceRef) -> InstanceRef:
    """With its hash, as the ledger gives it."""
    return dataclasses.replace(one, sha256=hashlib.sha256(Path(one.path).read_bytes()).hexdigest())


def spoil(path: str | Path, at: int = -5) -> None:
    data = bytearray(Path(path).read_bytes())
    data[at] ^= 1
    Path(path).write_bytes(data)


@pytest.mark.parametrize("at", [-5, 300_000, 140])
@pytest.mark.parametrize("samples", [SMALL, LARGE])
def test_no_peer_has_a_damaged_instance_and_all_others_arrive(
    tmp_path: Path, ecg: Ecg, call: Call, samples: int, at: int
) -> None:
    before, bad, behind = (written(ecg(n)) for n in (SMALL, samples, LARGE))
    spoil(bad.path, min(at, bad.size - 1))
    with Hospital(tmp_path / "hospital") as hospital:
        outcomes = dict(store.send(call(hospital.port), [before, bad, behind]))
        assert set(hospital.stored) == {before.sop_instance_uid, behind.sop_instance_uid}
    assert (outcomes[bad].kind, outcomes[bad].code) == ("hold", "file-damaged")
    assert outcomes[before].good and outcomes[behind].good


@pytest.mark.parametrize("cut", [10, 200_000])
def test_a_file_that_became_shorter_is_not_sent(tmp_path: Path, ecg: Ecg, call: Call, cut: int) -> None:
    bad = written(ecg(LARGE))
    Path(bad.path).write_bytes(Path(bad.path).read_bytes()[:-cut])
    with Hospital(tmp_path / "hospital") as hospital:
        ((_, outcome),) = store.send(call(hospital.port), [bad])
        assert not hospital.stored
    assert outcome.code == "file-damaged"


@pytest.mark.parametrize("associations", [2, 4])
def test_beside_other_associations_too(tmp_path: Path, ecg: Ecg, call: Call, associations: int) -> None:
    found = [written(ecg(LARGE)) for _ in range(6)]
    spoil(found[2].path)
    peer = dataclasses.replace(call(0), associations=associations)
    with Hospital(tmp_path / "hospital") as hospital:
        outcomes = dict(store.send(dataclasses.replace(peer, port=hospital.port), found))
    assert [outcomes[one].code for one in found].count("file-damaged") == 1
    assert outcomes[found[2]].code == "file-damaged"


def test_what_would_be_transcoded_is_looked_at_before(tmp_path: Path, ecg: Ecg, call: Call) -> None:
    bad, good = written(ecg()), written(ecg())
    spoil(bad.path)
    with storescp(tmp_path / "store", "+xi", "--bit-preserving") as port:
        peer = dataclasses.replace(call(port, "ANY-SCP"), scratch=str(tmp_path))
        outcomes = dict(store.send(peer, [bad, good]))
    assert outcomes[bad].code == "file-damaged"
    assert outcomes[good].good


class Wire(Pacs):
    """A PACS behind the real sender."""

    compares = True

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port = port

    def send(self, peer: Peer, *more: object) -> Iterator[tuple[InstanceRef, Outcome]]:
        return DICOM.send(dataclasses.replace(peer, port=self.port), *more)  # type: ignore[arg-type]


@pytest.fixture
def settings(config: Path) -> Settings:
    config.write_text(config.read_text() + DESTINATION.format(name="pacs", port=104, policy="stored"))
    return configuration.load(config)


@pytest.fixture
def box(settings: Settings, tmp_path: Path) -> Iterator[Box]:
    whose = somebodys_exam(settings)
    for _ in range(3):
        record(settings, whose.exam, 50)
    with Hospital(tmp_path / "hospital") as hospital:
        box = Box(settings, Wire(hospital.port))
        box.take_in()
        yield box
        box.ledger.close()


def spoil_one(box: Box, how: Callable[[Path], None]) -> tuple[str, str | None]:
    """One of three; what the ledger says of it after they were sent."""
    bad = sorted(box.states())[1]
    (path,) = box.settings.places.instances.glob(f"*/{bad}.dcm")
    how(path)
    box.deliver()
    assert sorted(box.states().values()) == ["QUEUED", "STORED", "STORED"]
    assert box.states()[bad] == "QUEUED"
    return bad, box.ledger.query("SELECT corrupt FROM instances WHERE uid = ?", bad)[0]["corrupt"]


def test_the_ledger_knows_a_file_that_is_not_what_was_written(box: Box) -> None:
    bad, corrupt = spoil_one(box, spoil)
    assert corrupt == "its file is not what was written"
    assert box.delivery(bad)["held"] is None  # it goes on when the file is as it was, without a person's word


def test_the_ledger_knows_a_file_that_cannot_be_read(box: Box) -> None:
    _, corrupt = spoil_one(box, lambda path: path.rename(path.with_suffix(".away")))
    assert corrupt is not None
    assert corrupt.startswith("its file cannot be read")


def test_a_file_that_only_seemed_to_be_damaged_is_tried_again(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sender read something else than the disk gives when it is asked once more."""
    compare = instance_file.InstanceFile.compare

    def once(file: instance_file.InstanceFile) -> None:
        monkeypatch.setattr(instance_file.InstanceFile, "compare", compare)
        raise instance_file.Damaged

    monkeypatch.setattr(instance_file.InstanceFile, "compare", once)
    box.deliver()
    assert sorted(box.states().values()) == ["QUEUED", "STORED", "STORED"]
    (waits,) = [uid for uid, state in box.states().items() if state == "QUEUED"]
    assert (box.delivery(waits)["held"], box.delivery(waits)["attempts"]) == (None, 1)
    with box.ledger.change() as c:
        c.execute("UPDATE deliveries SET next_try = 0")
    box.deliver()
    assert set(box.states().values()) == {"STORED"}


def test_what_was_adopted_without_a_hash_has_one_before_it_is_sent(box: Box) -> None:
    with box.ledger.change() as c:
        c.execute("UPDATE instances SET sha256 = NULL")
    box.deliver()
    rows = box.ledger.query(
        "SELECT i.sha256, i.path, d.sent_sha256 FROM instances i JOIN deliveries d ON uid = instance"
    )
    for row in rows:
        assert row["sha256"] == row["sent_sha256"] == layout.sha256(box.settings.box.data / row["path"])
