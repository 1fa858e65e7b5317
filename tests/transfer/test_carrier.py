"""Copies for removable media: what is there is filled, oldest first, and a copy is not a destination."""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.uid import ImplicitVRLittleEndian
from spooling import CLOCK, Box, Pacs, record, somebodys_exam

from gateway import configuration
from gateway.errors import Held, Retry
from gateway.model import InstanceRef
from gateway.spool.survey import troubles
from gateway.transfer import carrier as carrying
from gateway.transfer import media, plugged
from gateway.transfer.carrier import Carrier
from gateway.transfer.media import Filed, MediumFull, MediumRefused
from gateway.transfer.sticks import told
from gateway.transfer.sticks.register import Register
from gateway.transfer.sticks.told import Answer, State, Told

UID = "2.25.{}"
FILE_ID = "PA000001/ST000001/SE000001/IN{:06}"


class Sticks:
    """What adding meets on each root: takes everything, unless told otherwise by ``error``."""

    def __init__(self) -> None:
        self.taken: dict[str, list[str]] = {}  # name of the root's folder -> instances
        self.ids: dict[str, str] = {}
        self.error: dict[str, Exception | Callable[[InstanceRef], Exception | None]] = {}

    def add(
        self, root: Path, instance: InstanceRef, file_set_id: str, _beat: object, _profile: str, _extend: bool
    ) -> Filed:
        error = self.error.get(root.name)
        if callable(error):
            error = error(instance)
        if error is not None:
            raise error
        taken = self.taken.setdefault(root.name, [])
        taken.append(instance.sop_instance_uid)
        digest = hashlib.sha256(Path(instance.path).read_bytes()).hexdigest()
        name = self.ids.setdefault(root.name, file_set_id)
        number = sorted(self.taken).index(root.name) + 1
        return Filed(FILE_ID.format(len(taken)), digest, digest, name, UID.format(number))

    @property
    def all_taken(self) -> list[str]:
        return [uid for taken in self.taken.values() for uid in taken]


class Site:
    """A box with ``count`` recordings that wait for media, and the carrier that copies them."""

    def __init__(self, config: Path, medium: str, count: int = 1, real: bool = False) -> None:
        config.write_text(f"{config.read_text()}[media]\n{medium}\n")
        self.settings, self.sticks = configuration.load(config), Sticks()
        exam = somebodys_exam(self.settings).exam
        for _ in range(count):
            record(self.settings, exam)
        self.box = Box(self.settings, Pacs())
        self.box.take_in()
        self.refreshed: list[str] = []
        self.carrier = Carrier(
            self.settings,
            self.box.ledger,
            CLOCK,
            media.add if real else self.sticks.add,
            self.refresh,
        )
        self.register = Register(self.settings.places.media)

    def refresh(self, root: Path, _beat: object, _at_once: bool) -> bool:
        self.refreshed.append(root.name)
        return True

    def plug(self, name: str, label: str = "", state: State = State.MOUNTED, words: str = "") -> Told:
        """What root's process tells of a stick, and the folder that plays its mount."""
        area = self.settings.places.sticks
        (area / name).mkdir(parents=True, exist_ok=True)
        one = Told(name, os.urandom(8).hex(), state, words, time.time(), label, f"S-{name}", device="0:0")
        told.tell(area, one, os.getgid())
        return one

    def pull(self, name: str) -> None:
        told.forget(self.settings.places.sticks, name)

    def run(self, turns: int = 3) -> None:
        for _ in range(turns):
            for medium in self.carrier.plugged.there:
                medium.pause.end()
            self.carrier.turn()

    @property
    def oldest_first(self) -> list[str]:
        sql = "SELECT instance FROM deliveries WHERE destination = 'media' ORDER BY queued_at, instance"
        return [r["instance"] for r in self.box.ledger.query(sql)]

    @property
    def waits(self) -> int:
        return sum(state == "QUEUED" for state in self.box.states("media").values())

    def present(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.carrier.status(self.waits)["present"]
        return found


@pytest.fixture
def site(config: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Site]:
    """Folders play the sticks: whether they really are mounted is test_mounted's affair."""
    monkeypatch.setattr(told, "is_mounted", lambda area, one: (area / one.name).is_dir())

    def make(medium: str = 'sticks = ["ask"]', count: int = 1, real: bool = False) -> Site:
        return Site(config, medium, count, real)

    return make


@pytest.mark.parametrize(("policy", "frees"), [("copy", False), ("media-verified", True)])
def test_a_copy_frees_the_box_only_if_it_was_verified(
    site: Callable[..., Site], tmp_path: Path, policy: str, frees: bool
) -> None:
    here = site(f'folder = "{tmp_path}/stick"\npolicy = "{policy}"')
    (tmp_path / "stick").mkdir()
    here.run()
    assert here.sticks.all_taken == list(here.box.states("media"))
    assert set(here.box.states("media").values()) == {"STORED"}
    assert "File ID PA000001" in here.box.delivery(here.sticks.all_taken[0], "media")["words"]
    assert here.box.purger.turn() == frees


def test_a_copy_of_other_bytes_than_the_spool_vouches_for_frees_nothing(
    site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = site('sticks = ["ask"]\npolicy = "media-verified"')
    here.plug("sda1")
    real = here.sticks.add
    bad = lambda *given: Filed(*(FILE_ID.format(1), "0" * 64, "0" * 64, "X", "2.25.1"))  # noqa: E731
    monkeypatch.setattr(here.carrier, "_add", bad)
    here.run()
    assert here.waits == 1
    assert here.box.purger.turn() == 0
    monkeypatch.setattr(here.carrier, "_add", real)
    here.run()
    assert here.box.purger.turn() == 1


def test_a_folder_that_is_not_there_is_said_once_and_noticed_when_it_comes(
    site: Callable[..., Site], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    here = site(f'folder = "{tmp_path}/stick"')
    here.run(5)
    assert len([r for r in caplog.records if "no medium at" in r.message]) == 1
    assert here.carrier.answers is False
    (tmp_path / "stick").mkdir()
    here.run(1)
    assert len(here.sticks.all_taken) == 1
    assert here.carrier.answers is True


def test_that_no_stick_is_plugged_in_is_no_trouble(site: Callable[..., Site]) -> None:
    here = site()
    here.run()
    assert (here.carrier.answers, here.carrier.troubles) == (None, [])


def test_the_backlog_goes_to_the_stick_oldest_first(site: Callable[..., Site]) -> None:
    here = site(count=5)
    here.plug("sda1")
    here.run()
    assert here.sticks.taken == {"sda1": here.oldest_first}


def test_two_sticks_at_once_are_filled_one_after_the_other_as_two_file_sets(site: Callable[..., Site]) -> None:
    here = site(count=4)
    here.plug("sda1", "FIRST")
    here.plug("sdb1", "SECOND")
    full = lambda _: MediumFull("it is full") if len(here.sticks.taken.get("sda1", ())) == 2 else None  # noqa: E731
    here.sticks.error["sda1"] = full
    here.run()
    oldest = here.oldest_first
    assert here.sticks.taken == {"sda1": oldest[:2], "sdb1": oldest[2:]}
    assert here.sticks.ids == {"sda1": "GATEWAY", "sdb1": "GATEWAY_2"}
    assert "file-set GATEWAY (label FIRST)" in here.box.delivery(oldest[0], "media")["words"]
    assert "file-set GATEWAY_2 (label SECOND)" in here.box.delivery(oldest[3], "media")["words"]
    kept = [(e.file_set_id, e.label, e.serial) for e in here.register.entries()]
    assert kept == [("GATEWAY", "FIRST", "S-sda1"), ("GATEWAY_2", "SECOND", "S-sdb1")]


def test_a_full_stick_says_so_once_and_the_next_one_goes_on(
    site: Callable[..., Site], caplog: pytest.LogCaptureFixture
) -> None:
    here = site(count=3)
    here.plug("sda1")
    here.sticks.error["sda1"] = MediumFull("the medium is full", "put in another medium")
    here.run(4)
    assert len([r for r in caplog.records if "the medium is full" in r.message]) == 1
    assert "the medium is full; put in another medium" in here.carrier.words
    assert here.present()[0]["full"]
    assert here.waits == 3
    here.pull("sda1")
    here.plug("sdb1")
    here.run()
    assert here.sticks.taken == {"sdb1": here.oldest_first}


def test_what_is_too_large_for_the_stick_does_not_keep_the_rest_from_it(site: Callable[..., Site]) -> None:
    here = site(count=3)
    here.plug("sda1")
    oldest = here.oldest_first[0]
    with here.box.ledger.change() as c:
        c.execute("UPDATE instances SET size = 1000000000 WHERE uid = ?", (oldest,))
    large = lambda one: MediumFull("no room") if one.sop_instance_uid == oldest else None  # noqa: E731
    here.sticks.error["sda1"] = large
    here.run()
    assert sorted(here.sticks.taken["sda1"]) == sorted(here.oldest_first[1:])
    assert here.waits == 1


def test_a_stick_that_gets_room_again_is_used_again(site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch) -> None:
    here = site()
    here.plug("sda1")
    here.sticks.error["sda1"] = MediumFull("no room")
    free = [5 << 20]
    monkeypatch.setattr(plugged.shutil, "disk_usage", lambda _root: type("Usage", (), {"free": free[0]}))
    here.run()
    del here.sticks.error["sda1"]
    here.run()
    assert here.waits == 1
    free[0] = 50 << 20
    here.run()
    assert here.waits == 0


def test_a_stick_of_another_program_is_refused_as_a_whole_and_holds_no_instance(site: Callable[..., Site]) -> None:
    here = site(count=2)
    here.plug("sda1")
    here.sticks.error["sda1"] = MediumRefused("it is another program's")
    here.run()
    assert "another program" in here.carrier.words
    assert not any(here.box.delivery(uid, "media")["held"] for uid in here.oldest_first)
    here.plug("sdb1")
    here.run()
    assert here.sticks.taken == {"sdb1": here.oldest_first}


def test_an_instance_that_does_not_fit_is_held_and_blocks_no_other(site: Callable[..., Site]) -> None:
    here = site(count=3)
    here.plug("sda1")
    first, *rest = here.oldest_first
    unfit = lambda one: Held("it does not fit the media profiles") if one.sop_instance_uid == first else None  # noqa: E731
    here.sticks.error["sda1"] = unfit
    here.run()
    assert here.box.delivery(first, "media")["held"] == "it does not fit the media profiles"
    assert here.sticks.taken["sda1"] == rest


def test_what_was_in_work_when_the_stick_was_pulled_is_the_first_to_go_when_it_comes_back(
    site: Callable[..., Site],
) -> None:
    here = site(count=3)
    here.plug("sda1")

    def pulled(_one: InstanceRef) -> Exception:
        here.pull("sda1")
        return Retry("the medium does not take or give data", "plug it in again")

    here.sticks.error["sda1"] = pulled
    assert here.carrier.turn() > 0
    assert here.waits == 3
    assert here.carrier.turn() > 0, "no hot loop while it is away"
    del here.sticks.error["sda1"]
    here.plug("sda1")
    here.run()
    assert here.sticks.taken["sda1"] == here.oldest_first


def test_a_failing_stick_is_left_alone_for_a_while_and_another_takes_over(site: Callable[..., Site]) -> None:
    here = site(count=3)
    here.plug("sda1")
    here.plug("sdb1")
    tries: list[str] = []

    def failing(one: InstanceRef) -> Exception:
        tries.append(one.sop_instance_uid)
        return Retry("the medium does not take or give data")

    here.sticks.error["sda1"] = failing
    here.carrier.turn()
    here.carrier.turn()
    assert len(tries) == 1
    assert len(here.sticks.taken["sdb1"]) == 3


def test_a_damaged_file_is_never_copied_and_never_frees_the_box(site: Callable[..., Site]) -> None:
    here = site('sticks = ["ask"]\npolicy = "media-verified"')
    here.plug("sda1")
    (file,) = here.settings.places.instances.glob("*/*.dcm")
    data = bytearray(file.read_bytes())
    data[-5] ^= 1
    file.write_bytes(data)
    here.run()
    assert not here.sticks.all_taken
    assert here.box.purger.turn() == 0
    assert "not what was written" in here.box.ledger.query("SELECT corrupt FROM instances")[0]["corrupt"]


def test_the_register_knows_the_copy_before_the_ledger_does(
    site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = site()
    here.plug("sda1")
    seen: list[dict[str, str]] = []
    monkeypatch.setattr(carrying.deliveries, "stored", lambda *_: seen.append(here.register.remembered(UID.format(1))))
    here.carrier.turn()
    assert list(seen[0]) == [FILE_ID.format(1)]


def test_a_register_that_cannot_be_written_stores_nothing(
    site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = site()
    here.plug("sda1")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(here.carrier.plugged.register, "filed", full)
    with pytest.raises(OSError, match="No space left"):
        here.carrier.turn()
    assert here.waits == 1
    assert not here.present()[0]["full"], "the box's own disk is full, not the stick"


def test_pages_are_made_once_when_the_backlog_is_written(
    site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = site(count=5)
    here.plug("sda1")
    monkeypatch.setattr(carrying, "_BATCH", 2)
    for _ in range(2):
        here.carrier.turn()
    assert here.refreshed == []
    here.run(4)
    assert here.refreshed == ["sda1"]


def test_a_person_sees_what_is_there_what_waits_and_when_it_may_be_taken_out(site: Callable[..., Site]) -> None:
    here = site(count=2)
    here.plug("sda1", "WARD")
    here.plug("sdc1", "VISITOR", State.ASKED, "may the box write to it? gateway media allow sdc1")
    seen: list[dict[str, Any]] = []
    here.sticks.error["sda1"] = lambda _one: seen.extend(here.present())  # type: ignore[func-returns-value,return-value]
    here.carrier.turn()
    assert (seen[0]["may_be_taken_out"], seen[0]["words"]) == (False, "it is being written: leave it in")
    (now,) = here.present()
    assert (now["label"], now["file_set_id"], now["instances"]) == ("WARD", "GATEWAY", 2)
    assert (now["may_be_taken_out"], now["words"]) == (True, "it may be taken out now")
    assert any("gateway media allow sdc1" in trouble for trouble in here.carrier.troubles)
    (asked,) = here.carrier.status(0)["sticks"]
    assert (asked["name"], asked["state"]) == ("sdc1", "asked")


def test_a_stick_that_a_person_wants_out_gets_nothing_more_and_its_pages_first(site: Callable[..., Site]) -> None:
    here = site(count=3)
    one = here.plug("sda1")

    def wanted_out(_one: InstanceRef) -> None:
        here.carrier.plugged.eject(one.token)

    here.sticks.error["sda1"] = wanted_out  # type: ignore[assignment]
    here.carrier.turn()
    assert len(here.sticks.taken["sda1"]) == 1, "what is in work is finished"
    assert here.refreshed == ["sda1"]
    assert told.answered(here.settings.places.answers, one, Answer.EJECT, os.geteuid())
    here.run()
    assert len(here.sticks.taken["sda1"]) == 1


def test_file_sets_of_a_real_dicomdir_go_on_where_they_were(site: Callable[..., Site]) -> None:
    here = site(count=2, real=True)
    here.plug("sda1", "WARD")
    here.run()
    (root,) = [m.root for m in here.carrier.plugged.there]
    (entry,) = here.register.entries()
    report = media.verify(root, here.register.remembered)
    assert report.sound
    assert len(here.register.remembered(entry.file_set_uid)) == 2
    here.pull("sda1")
    here.run(1)
    assert here.present() == []
    here.plug("sda1", "WARD")
    here.run(1)
    assert [(m["file_set_id"], m["instances"]) for m in here.present()] == [("GATEWAY", 2)]


def test_a_medium_whose_own_list_lies_is_found_out_by_the_box(site: Callable[..., Site]) -> None:
    here = site(count=2, real=True)
    here.plug("sda1")
    here.run()
    (root,) = [m.root for m in here.carrier.plugged.there]
    list_ = root / "GATEWAY/SHA256.TXT"
    file_id = list_.read_text().split()[1]
    data = bytearray((root / file_id).read_bytes())
    data[-3] ^= 1
    (root / file_id).write_bytes(data)
    first, _, rest = list_.read_text().partition("\n")
    list_.write_text(f"{hashlib.sha256(data).hexdigest()}{first[64:]}\n{rest}")
    assert media.verify(root).sound, "by itself it is believed"
    said = str(media.verify(root, here.register.remembered))
    assert "1 hashes on the medium are not those that this box keeps" in said
    assert f"{file_id}: its content is not what was written" in said


def test_a_box_whose_copies_are_its_destination_does_not_say_that_nothing_leaves_it(site: Callable[..., Site]) -> None:
    here = site('sticks = ["ask"]\npolicy = "media-verified"')
    counts = dict.fromkeys(("corrupt", "held_recordings", "held_deliveries", "held_steps"), 0)
    assert not [t for t in troubles(here.settings, here.box.ledger, CLOCK, counts) if "nothing leaves the box" in t]


def test_a_copy_that_ends_when_its_stick_is_gone_is_not_believed(site: Callable[..., Site]) -> None:
    """It may have gone to the empty mount point: by a user who may write there."""
    here = site()
    here.plug("sda1")
    here.sticks.error["sda1"] = lambda _one: here.pull("sda1")  # type: ignore[assignment,func-returns-value]
    here.carrier.turn()
    assert here.sticks.all_taken == here.oldest_first
    assert here.waits == 1
    assert here.register.entries() == []


@pytest.mark.parametrize("unfit", ["hold", "transcode"])
def test_an_instance_that_does_not_fit_the_profile_is_held_or_transcoded_and_the_hash_of_the_copy_is_recorded(
    config: Path, tmp_path: Path, unfit: str
) -> None:
    (tmp_path / "stick").mkdir()
    here = Site(config, f'folder = "{tmp_path}/stick"\nunfit = "{unfit}"', real=True)
    (file,) = here.settings.places.instances.glob("*/*.dcm")
    implicit = pydicom.dcmread(file)
    implicit.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    implicit.save_as(file, implicit_vr=True, little_endian=True)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    with here.box.ledger.change() as c:
        c.execute("UPDATE instances SET syntax = ?, sha256 = ?", (ImplicitVRLittleEndian, digest))
    here.carrier.turn()
    (row,) = here.box.ledger.query("SELECT state, held, sent_sha256 FROM deliveries WHERE destination = 'media'")
    copies = list((tmp_path / "stick").glob("PA*/*/*/IN*"))
    if unfit == "hold":
        assert "STD-GEN-USB-JPEG does not allow" in row["held"]
        assert not copies
    else:
        assert (row["state"], row["held"]) == ("STORED", None)
        assert row["sent_sha256"] == hashlib.sha256(copies[0].read_bytes()).hexdigest() != digest
    assert not list(tmp_path.glob("data/fitting/*"))
