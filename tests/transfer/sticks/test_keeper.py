"""Root's process from plugged in to taken out, and the carrier behind it.

udevadm and mount are played (this kernel may know no FAT; the VM's does): the mount is a tmpfs, so that there is a real
mount point, a real "full" and a real "gone".
"""

from __future__ import annotations

import contextlib
import os
import shutil
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from peers import need
from spooling import CLOCK, Box, Pacs, record, somebodys_exam
from waiting import eventually

from gateway import configuration, fsops
from gateway.settings import Settings
from gateway.transfer import media
from gateway.transfer.carrier import Carrier
from gateway.transfer.sticks import checking, mounting, told
from gateway.transfer.sticks.desk import StickDesk
from gateway.transfer.sticks.keeper import Keeper, System
from gateway.transfer.sticks.register import Register
from gateway.transfer.sticks.stick import Stick
from gateway.transfer.sticks.told import State

REAL_MOUNT = shutil.which("mount") or "mount"  # before PATH leads to the played one
UDEVADM = """#!/bin/sh
cat "{folder}/$(echo "$*" | sed 's/.*--name=//').udev"
"""
MOUNT = """#!/bin/sh
echo "$*" >> {folder}/mounted
[ -e {folder}/unmountable ] && echo "mount: wrong fs type, bad superblock" >&2 && exit 32
for root; do :; done
exec {mount} -t tmpfs -o "$(cat {folder}/size),mode=0700" none "$root"
"""
LABELLED = (
    "ID_BUS=usb\nID_SERIAL_SHORT=S{name}\nID_FS_LABEL_ENC={label}\nID_FS_TYPE=vfat\nID_FS_VERSION=FAT32\nPARTN=1\n"
)


class Sockets:
    """Where sticks are plugged in, each with its keeper in a thread, as systemd starts one for each device."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder, self.settings = folder, settings
        self.area = settings.places.sticks
        self.system = System(folder / "sys", folder / "dev", folder / "proc")
        self._running: dict[str, tuple[threading.Thread, threading.Event]] = {}
        (folder / "dev").mkdir()
        (folder / "proc/self").mkdir(parents=True)
        (folder / "proc/self/mountinfo").write_text("")
        (folder / "size").write_text("size=64m")

    def device(self, name: str, label: str = "WARD", **said: str) -> None:
        properties = LABELLED.format(name=name, label=label) + "".join(f"{k}={v}\n" for k, v in said.items())
        (self.folder / f"{name}.udev").write_text(properties)
        folder = self.folder / "sys/class/block" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "size").write_text("131072\n")
        (folder / "ro").write_text("0\n")

    def plug(self, name: str, label: str = "WARD", **said: str) -> None:
        self.device(name, label, **said)
        stopping = threading.Event()
        keeper = Keeper(self.settings, name, lambda seconds: stopping.wait(seconds / 10), self.system)
        thread = threading.Thread(target=keeper.run, daemon=True)
        thread.start()
        self._running[name] = thread, stopping

    def told(self, name: str, state: State) -> told.Told:
        """What is told of a stick as soon as it is in this state."""
        return eventually(
            lambda: next((t for t in told.all_told(self.area) if (t.name, t.state) == (name, state)), None)
        )

    def pull(self, name: str) -> None:
        """The device is gone, whoever is writing; its keeper clears up and ends."""
        (self.folder / "sys/class/block" / name / "size").write_text("0\n")
        self._running.pop(name)[0].join(20)
        assert not told.all_told(self.area) or name not in {t.name for t in told.all_told(self.area)}

    def stop(self) -> None:
        for thread, stopping in self._running.values():
            stopping.set()
            thread.join(20)

    @property
    def plugged(self) -> set[str]:
        return set(self._running)

    @property
    def mounts(self) -> list[str]:
        log = self.folder / "mounted"
        return log.read_text().splitlines() if log.exists() else []


@pytest.fixture
def settings(config: Path) -> Settings:
    config.write_text(f'{config.read_text()}[media]\nsticks = ["label:WARD", "ask"]\npolicy = "media-verified"\n')
    found = configuration.load(config)
    found.box.data.mkdir()
    return found


@pytest.fixture
def sockets(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sockets]:
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    folder = tmp_path / "played"
    (folder / "bin").mkdir(parents=True)
    for name, text in (("udevadm", UDEVADM), ("mount", MOUNT)):
        (folder / "bin" / name).write_text(text.format(folder=folder, mount=REAL_MOUNT))
        (folder / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
    made = Sockets(folder, settings)
    try:
        yield made
    finally:
        made.stop()
        for root in sorted(made.area.glob("*/")) if made.area.is_dir() else ():
            mounting.unmount(root, gone=True)


@pytest.fixture
def carry(settings: Settings) -> Iterator[Callable[[int], tuple[Box, Carrier]]]:
    boxes: list[Box] = []

    def make(count: int) -> tuple[Box, Carrier]:
        exam = somebodys_exam(settings).exam
        for _ in range(count):
            record(settings, exam)
        box = Box(settings, Pacs())
        boxes.append(box)
        box.take_in()
        return box, Carrier(settings, box.ledger, CLOCK)

    yield make
    for box in boxes:
        box.ledger.close()


def waits(box: Box) -> int:
    return sum(state == "QUEUED" for state in box.states("media").values())


def test_a_listed_stick_is_mounted_for_the_spools_owner_and_gone_without_a_trace(sockets: Sockets) -> None:
    sockets.plug("sdq1")
    one = sockets.told("sdq1", State.MOUNTED)
    assert (one.label, one.serial) == ("WARD", "Ssdq1")
    (command,) = sockets.mounts
    owner = sockets.settings.box.data.stat()
    assert f"nodev,nosuid,noexec,uid={owner.st_uid},gid={owner.st_gid},umask=0077," in command
    assert command.startswith("-t vfat -o ")
    assert told.is_mounted(sockets.area, one)
    assert sockets.area.stat().st_mode & 0o777 == 0o750
    sockets.pull("sdq1")
    assert list(sockets.area.iterdir()) == []
    assert not mounting.is_mount_point(sockets.area / "sdq1")


def test_an_empty_mount_point_is_roots_alone(sockets: Sockets) -> None:
    sockets.plug("sdq1")
    sockets.told("sdq1", State.MOUNTED)
    subprocess.run([need("umount"), "--lazy", str(sockets.area / "sdq1")], check=True)
    found = (sockets.area / "sdq1").stat()
    assert (found.st_uid, found.st_mode & 0o022) == (0, 0)


def test_an_unlisted_stick_waits_for_a_persons_word(
    sockets: Sockets, settings: Settings, carry: Callable[[int], tuple[Box, Carrier]]
) -> None:
    box, carrier = carry(1)
    sockets.plug("sdq1", "VISITOR")
    sockets.told("sdq1", State.ASKED)
    assert sockets.mounts == []
    carrier.turn()
    assert "gateway media allow sdq1" in carrier.words
    desk = StickDesk(settings, CLOCK, carrier.plugged.eject, lambda: None)
    words = desk.allow({"name": "sdq1", "who": "nurse"})["words"]
    assert '"serial:Ssdq1" in [media] sticks allows it always' in words
    assert '"who": "nurse", "what": "allow", "subject": "stick sdq1' in settings.places.audit.read_text()
    sockets.told("sdq1", State.MOUNTED)
    carrier.turn()
    assert waits(box) == 0
    sockets.pull("sdq1")
    sockets.plug("sdq1", "OTHER")
    sockets.told("sdq1", State.ASKED)
    time.sleep(0.3)
    assert len(sockets.mounts) == 1, "an answer about the stick before is none about this one"


@pytest.mark.parametrize(
    ("said", "words"), [({"ID_FS_TYPE": "exfat"}, "format it"), ({"PARTN": "2"}, "not the first partition")]
)
def test_a_stick_that_cannot_serve_is_said_and_not_mounted(sockets: Sockets, said: dict[str, str], words: str) -> None:
    sockets.plug("sdq1", **said)
    assert words in sockets.told("sdq1", State.REFUSED).words
    assert sockets.mounts == []
    sockets.pull("sdq1")


def test_a_stick_that_cannot_be_mounted_is_said_in_the_words_of_mount(sockets: Sockets) -> None:
    (sockets.folder / "unmountable").touch()
    sockets.plug("sdq1")
    assert "bad superblock" in sockets.told("sdq1", State.REFUSED).words
    sockets.pull("sdq1")


def test_what_a_killed_process_left_mounted_is_cleared_by_the_next(sockets: Sockets) -> None:
    root = sockets.area / "sdq1"
    root.mkdir(parents=True)
    for _ in range(2):
        subprocess.run([REAL_MOUNT, "-t", "tmpfs", "none", str(root)], check=True)
    sockets.device("sdq1")
    Keeper(sockets.settings, "sdq1", lambda _: True, sockets.system).clear()
    assert not mounting.is_mount_point(root)


def test_a_stick_is_ejected_when_it_is_finished_and_then_may_be_taken_out(
    sockets: Sockets, settings: Settings, carry: Callable[[int], tuple[Box, Carrier]]
) -> None:
    box, carrier = carry(2)
    sockets.plug("sdq1")
    sockets.told("sdq1", State.MOUNTED)
    carrier.turn()
    desk = StickDesk(settings, CLOCK, carrier.plugged.eject, carrier.turn)  # type: ignore[arg-type]
    answer = desk.eject({"name": "sdq1"})
    assert (answer["done"], answer["words"]) == (True, "stick sdq1 may be taken out")
    assert not mounting.is_mount_point(sockets.area / "sdq1")
    assert waits(box) == 0


def test_two_sticks_in_a_row_make_two_file_sets_and_each_instance_is_on_one(
    sockets: Sockets, settings: Settings, carry: Callable[[int], tuple[Box, Carrier]]
) -> None:
    """The first has room for some of the instances only: a real ENOSPC is not waited for, what is free is asked."""
    box, carrier = carry(8)
    size = max(f.stat().st_size for f in settings.places.instances.glob("*/*.dcm"))
    (sockets.folder / "size").write_text(f"size={(1 << 20) + 4 * (size + 32768)}")
    sockets.plug("sdq1")
    sockets.told("sdq1", State.MOUNTED)
    carrier.turn()
    left = waits(box)
    assert 0 < left < 8
    assert "is full" in carrier.words
    first = media.verify(sockets.area / "sdq1", Register(settings.places.media).remembered)
    assert first.sound, str(first)
    sockets.pull("sdq1")
    (sockets.folder / "size").write_text("size=64m")
    sockets.plug("sdr1")
    sockets.told("sdr1", State.MOUNTED)
    carrier.turn()
    assert waits(box) == 0
    second = media.verify(sockets.area / "sdr1", Register(settings.places.media).remembered)
    assert second.sound, str(second)
    assert (first.file_set_id, second.file_set_id) == ("GATEWAY", "GATEWAY_2")
    assert first.counts["WAVEFORM"] + second.counts["WAVEFORM"] == 8
    assert box.purger.turn() == 8


@pytest.mark.parametrize("step", range(0, 60, 3))
def test_a_stick_pulled_in_mid_write_loses_nothing_and_the_rest_goes_to_the_next(
    sockets: Sockets,
    settings: Settings,
    carry: Callable[[int], tuple[Box, Carrier]],
    monkeypatch: pytest.MonkeyPatch,
    step: int,
) -> None:
    """Pulled before the ``step``-th durable step of the carrier's work: what was said to be stored is on the stick."""
    box, carrier = carry(3)
    sockets.plug("sdq1")
    sockets.told("sdq1", State.MOUNTED)
    root, kept = sockets.area / "sdq1", sockets.folder / "kept"
    kept.mkdir()
    subprocess.run([REAL_MOUNT, "--bind", str(root), str(kept)], check=True)  # the stick, in somebody's hand
    steps = iter(range(10_000))

    def watch(when: str, what: str, where: str) -> None:
        if when == "before" and where.startswith(str(root)) and next(steps) == step:
            monkeypatch.setattr(fsops, "watch", None)
            subprocess.run([need("umount"), "--lazy", str(root)], check=True)
            sockets.pull("sdq1")

    monkeypatch.setattr(fsops, "watch", watch)
    try:
        carrier.turn()
        monkeypatch.setattr(fsops, "watch", None)
        stored = {uid for uid, state in box.states("media").items() if state == "STORED"}
        names = [box.delivery(uid, "media")["words"].rpartition(" ")[2] for uid in stored]
        assert all((kept / name).is_file() for name in names)
        assert not any(box.delivery(uid, "media")["held"] for uid in box.states("media"))
        if "sdq1" not in sockets.plugged:
            sockets.plug("sdr1")
            sockets.told("sdr1", State.MOUNTED)
            carrier.turn()
        assert waits(box) == 0
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            subprocess.run([need("umount"), "--lazy", str(kept)], check=True)


def test_the_process_ends_in_order_when_systemd_stops_it(sockets: Sockets, config: Path) -> None:
    sockets.device("sdq1")
    code = (
        "import sys; from pathlib import Path; from gateway import configuration\n"
        "from gateway.service import Service; from gateway.transfer.sticks.keeper import Keeper, System\n"
        "here = Path(sys.argv[2]); service = Service('stick')\n"
        "system = System(here / 'sys', here / 'dev', here / 'proc')\n"
        "settings = configuration.load(Path(sys.argv[1]), adapters=False)\n"
        "Keeper(settings, 'sdq1', service.stopping.wait, system).run(service.ready); service.close()\n"
        "print(sorted({'pydicom', 'sqlite3', 'numpy', 'pynetdicom'} & set(sys.modules)))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(config), str(sockets.folder)], stdout=subprocess.PIPE, text=True
    )
    try:
        sockets.told("sdq1", State.MOUNTED)
        process.terminate()
        said, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, said.strip()) == (0, "[]"), "and it loads nothing that it need not"
    assert not mounting.is_mount_point(sockets.area / "sdq1")
    assert told.all_told(sockets.area) == []


@pytest.mark.parametrize(("bits", "version"), [(16, "FAT16"), (32, "FAT32")])
def test_a_fat_that_was_pulled_is_known_by_its_mark_and_checked(tmp_path: Path, bits: int, version: str) -> None:
    """A real FAT and the real fsck.fat on a file; the mark is what Linux sets while a volume is mounted."""
    image = tmp_path / "sdq1"
    image.touch()
    os.truncate(image, 48 << 20)
    subprocess.run([need("mkfs.fat"), "-F", str(bits), str(image)], check=True, capture_output=True)
    need("fsck.fat")
    stick = Stick("sdq1", version=version)
    assert not checking.was_cut(stick, tmp_path)
    with image.open("r+b") as volume:
        volume.seek(checking._STATE_AT[version])
        volume.write(b"\x01")
    assert checking.was_cut(stick, tmp_path)
    assert checking.check(stick, tmp_path) == ""
    assert not checking.was_cut(stick, tmp_path)


def test_a_folder_that_was_cut_off_while_it_was_made_is_gone_after_the_check(tmp_path: Path) -> None:
    """Seen when a stick lost its power in mkdir: the name is on it, the FAT still says that its cluster is free."""
    image = tmp_path / "sdq1"
    image.touch()
    os.truncate(image, 16 << 20)
    subprocess.run([need("mkfs.fat"), "-F", "16", str(image)], check=True, capture_output=True)
    need("fsck.fat")
    data = bytearray(image.read_bytes())
    sector, _cluster, reserved, fats, _entries, _sectors, _media, size = struct.unpack_from("<HBHBHHBH", data, 11)
    root, torn = (reserved + fats * size) * sector, b"PA000001   \x10" + bytes(14) + b"\x05\0" + bytes(4)
    data[root : root + 32] = torn
    data[checking._STATE_AT["FAT16"]] |= 1
    image.write_bytes(data)
    assert checking.check(Stick("sdq1", version="FAT16"), tmp_path) == ""
    assert image.read_bytes()[root] in (0x00, 0xE5)  # free, or deleted


def test_what_the_check_saved_of_nameless_pieces_is_known_by_its_name(tmp_path: Path) -> None:
    for name in ("FSCK0000.REC", "fsck0002.rec", "FSCK.REC", "FSCK00000.REC", "NOTES.REC"):
        (tmp_path / name).write_text("a recording, perhaps")
    assert checking.pieces(tmp_path) == {"FSCK0000.REC", "fsck0002.rec"}


def test_a_stick_that_was_pulled_is_mended_as_roots_own_before_anybody_sees_it(sockets: Sockets) -> None:
    """That the pieces are gone and those of others stay is shown on a real FAT in the machine (make vm)."""
    boot = bytearray(512)
    boot[checking._STATE_AT["FAT32"]] = 1
    (sockets.folder / "dev/sdq1").write_bytes(boot)
    fsck = sockets.folder / "bin/fsck.fat"
    fsck.write_text("#!/bin/sh\nexit 0\n")
    fsck.chmod(0o755)
    sockets.plug("sdq1")
    sockets.told("sdq1", State.MOUNTED)
    before, then, mounted = sockets.mounts
    assert "uid=0,gid=0,umask=0077,utf8,flush,ro " in before
    assert "uid=0,gid=0,umask=0077,utf8,flush " in then
    assert ",ro " not in mounted


def test_without_fsck_the_stick_is_used_and_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounting, "_environment", lambda: {"PATH": str(tmp_path)})
    monkeypatch.setenv("PATH", str(tmp_path))
    if shutil.which("fsck.fat"):
        pytest.skip("it is found all the same")
    assert checking.check(Stick("sdq1", version="FAT32"), tmp_path) == "fsck.fat is not installed"
