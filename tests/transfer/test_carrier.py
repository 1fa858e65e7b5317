"""Copies for removable media: a stick that is not there is waited for, and a copy is not a destination."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import ImplicitVRLittleEndian
from spooling import CLOCK, Box, Pacs, record, somebodys_exam

from gateway import configuration
from gateway.errors import Held, Retry
from gateway.model import InstanceRef
from gateway.transfer.carrier import Carrier


class Stick:
    def __init__(self) -> None:
        self.taken: list[str] = []
        self.copies: list[bytes] = []
        self.error: Exception | None = None

    def add(self, root: Path, instance: InstanceRef, file_set_id: str, _beat: object, _profile: str) -> str:
        if self.error:
            raise self.error
        self.taken.append(instance.sop_instance_uid)
        self.copies.append(Path(instance.path).read_bytes())
        return "PA000001/ST000001/SE000001/IN000001"


def carried(config: Path, tmp_path: Path, policy: str = "copy", more: str = "") -> tuple[Box, Carrier, Stick]:
    config.write_text(f'{config.read_text()}[media]\nfolder = "{tmp_path}/stick"\npolicy = "{policy}"\n{more}\n')
    settings, stick = configuration.load(config), Stick()
    record(settings, somebodys_exam(settings).exam)
    box = Box(settings, Pacs())
    box.take_in()
    assert settings.media is not None
    return box, Carrier(settings.media, settings.box.data, box.ledger, CLOCK, stick.add), stick


@pytest.mark.parametrize(("policy", "frees"), [("copy", False), ("media-verified", True)])
def test_a_copy_frees_the_box_only_if_it_was_verified(config: Path, tmp_path: Path, policy: str, frees: bool) -> None:
    box, carrier, stick = carried(config, tmp_path, policy)
    (tmp_path / "stick").mkdir()
    carrier.turn()
    assert stick.taken == list(box.states("media"))
    assert set(box.states("media").values()) == {"STORED"}
    assert "PA000001" in box.delivery(stick.taken[0], "media")["words"]
    assert box.purger.turn() == frees


def test_a_stick_that_is_not_there_is_said_once_and_noticed_when_it_comes(
    config: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, carrier, stick = carried(config, tmp_path)
    for _ in range(5):
        carrier.turn()
    assert len([r for r in caplog.records if "no medium at" in r.message]) == 1
    assert not stick.taken
    (tmp_path / "stick").mkdir()
    carrier.turn()
    assert len(stick.taken) == 1


def test_a_full_stick_is_tried_again_and_an_instance_it_cannot_take_is_held(config: Path, tmp_path: Path) -> None:
    box, carrier, stick = carried(config, tmp_path)
    (tmp_path / "stick").mkdir()
    stick.error = Retry("the medium is full")
    carrier.turn()
    assert carrier.words == "the medium is full"
    carrier.pause.end()
    stick.error = Held("it does not fit the media profiles")
    carrier.turn()
    (uid,) = box.states("media")
    assert box.delivery(uid, "media")["held"] == "it does not fit the media profiles"


def test_a_damaged_file_is_never_copied_and_never_frees_the_box(config: Path, tmp_path: Path) -> None:
    box, carrier, stick = carried(config, tmp_path, "media-verified")
    (tmp_path / "stick").mkdir()
    (file,) = box.settings.places.instances.glob("*/*.dcm")
    data = bytearray(file.read_bytes())
    data[-5] ^= 1
    file.write_bytes(data)
    carrier.turn()
    assert not stick.taken
    assert box.purger.turn() == 0
    assert "not what was written" in box.ledger.query("SELECT corrupt FROM instances")[0]["corrupt"]


@pytest.mark.parametrize("unfit", ["hold", "transcode"])
def test_an_instance_that_does_not_fit_the_profile_is_held_or_transcoded_and_the_hash_of_the_copy_is_recorded(
    config: Path, tmp_path: Path, unfit: str
) -> None:
    box, carrier, stick = carried(config, tmp_path, more=f'unfit = "{unfit}"')
    (tmp_path / "stick").mkdir()
    (file,) = box.settings.places.instances.glob("*/*.dcm")
    implicit = pydicom.dcmread(file)
    implicit.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    implicit.save_as(file, implicit_vr=True, little_endian=True)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    with box.ledger.change() as c:
        c.execute("UPDATE instances SET syntax = ?, sha256 = ?", (ImplicitVRLittleEndian, digest))
    carrier.turn()
    (row,) = box.ledger.query("SELECT state, held, sent_sha256 FROM deliveries WHERE destination = 'media'")
    if unfit == "hold":
        assert "STD-GEN-USB-JPEG does not allow" in row["held"]
        assert not stick.copies
    else:
        assert (row["state"], row["held"]) == ("STORED", None)
        assert row["sent_sha256"] == hashlib.sha256(stick.copies[0]).hexdigest() != digest
    assert not list(tmp_path.glob("data/fitting/*"))
