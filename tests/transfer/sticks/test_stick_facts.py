"""What udev and the kernel say of a stick: taken for what it is, hostile labels and serial numbers included."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import Misuse
from gateway.transfer.sticks.own_disks import used_as
from gateway.transfer.sticks.stick import from_udev, is_there, printable, valid_name

USB = {
    "DEVNAME": "/dev/sdb1",
    "ID_BUS": "usb",
    "ID_SERIAL": "Kingston_DataTraveler_4C530001-0:0",
    "ID_SERIAL_SHORT": "4C530001",
    "ID_FS_LABEL": "WARD_3",
    "ID_FS_LABEL_ENC": "WARD\\x203",
    "ID_FS_TYPE": "vfat",
    "ID_FS_VERSION": "FAT32",
    "PARTN": "1",
}


@pytest.fixture
def sys(tmp_path: Path) -> Path:
    """A kernel that knows a card with the box's own system, a stick, and a mapping on a disk."""
    root = tmp_path / "sys"
    tree = {
        "mmc/mmcblk0": ("179:0", ""),
        "mmc/mmcblk0/mmcblk0p1": ("179:1", "1"),
        "mmc/mmcblk0/mmcblk0p2": ("179:2", "2"),
        "usb/sdb": ("8:16", ""),
        "usb/sdb/sdb1": ("8:17", "1"),
        "usb/sdc": ("8:32", ""),
        "usb/sdc/sdc1": ("8:33", "1"),
        "virtual/dm-0": ("253:0", ""),
    }
    for path, (number, partition) in tree.items():
        folder = root / "devices" / path
        folder.mkdir(parents=True)
        (folder / "size").write_text("2048\n")
        (folder / "ro").write_text("0\n")
        if partition:
            (folder / "partition").write_text(partition)
        for place in (f"class/block/{folder.name}", f"dev/block/{number}"):
            (root / place).parent.mkdir(parents=True, exist_ok=True)
            (root / place).symlink_to(folder)
    slaves = root / "devices/virtual/dm-0/slaves"
    slaves.mkdir()
    (slaves / "sdc1").symlink_to(root / "devices/usb/sdc/sdc1")
    return root


def test_the_facts_that_decide(sys: Path) -> None:
    stick = from_udev("sdb1", USB, sys)
    assert (stick.label, stick.serial, stick.file_system, stick.version) == ("WARD 3", "4C530001", "vfat", "FAT32")
    assert (stick.partition, stick.bus, stick.size, stick.read_only) == (1, "usb", 1 << 20, False)


def test_maker_and_model_are_no_serial_number(sys: Path) -> None:
    """A thousand sticks share them; udev puts them together when a stick has no number."""
    said = {key: value for key, value in USB.items() if key != "ID_SERIAL_SHORT"}
    assert from_udev("sdb1", said, sys).serial == ""


def test_a_card_has_its_own_bus_and_number(sys: Path) -> None:
    card = {"ID_SERIAL": "0x1c2d3e4f", "ID_NAME": "SC32G", "ID_FS_TYPE": "vfat", "ID_FS_VERSION": "FAT32"}
    stick = from_udev("mmcblk0p1", card | {"PARTN": "1"}, sys)
    assert (stick.bus, stick.serial, stick.partition) == ("mmc", "0x1c2d3e4f", 1)


HOSTILE = [
    "\\x0a[media]\\x0asticks=ask",
    "\\x1b[2J\\x1b[31mALL\\x20IS\\x20WELL",
    "../../etc/passwd",
    "A" * 5000,
    "\u202egpj.exe",
    "\x00\x01\x7f",
    "$(reboot)`reboot`;reboot",
    "%s%n",
    "<script>alert(1)</script>",
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_label_or_number_is_one_short_printable_word(sys: Path, hostile: str) -> None:
    stick = from_udev("sdb1", USB | {"ID_FS_LABEL_ENC": hostile, "ID_SERIAL_SHORT": hostile}, sys)
    for text in (stick.label, stick.serial, str(stick)):
        assert text.isprintable()
        assert len(text) <= 200
    assert len(stick.label) <= 64


@pytest.mark.parametrize("number", ["", "x", "-1", "1e3", "\u0661", "99999999999999999999"])
def test_a_strange_partition_number_is_never_taken_for_the_first(sys: Path, number: str) -> None:
    assert from_udev("sdb1", USB | {"PARTN": number, "ID_PART_ENTRY_NUMBER": "7"}, sys).partition != 1


@pytest.mark.parametrize("name", ["", "sdb/1", "../sdb1", "sdb1\n", "SDB1", "-a", "sdb 1", "x" * 33, "cciss!c0d0"])
def test_what_is_no_device_name_is_refused(name: str) -> None:
    with pytest.raises(Misuse, match="no name of a block device"):
        valid_name(name)


def test_text_keeps_what_people_can_read() -> None:
    assert printable("Müller 日本 \n") == "Müller 日本"


def test_a_card_that_left_its_reader_is_gone(sys: Path) -> None:
    assert is_there("sdb1", sys)
    (sys / "class/block/sdb1/size").write_text("0\n")
    assert not is_there("sdb1", sys)
    assert not is_there("sdz1", sys)


MOUNTS = """22 1 179:2 / / rw - ext4 /dev/mmcblk0p2 rw
23 22 0:20 / /proc rw - proc proc rw
24 22 179:1 / /boot/firm\\040ware rw - vfat /dev/mmcblk0p1 rw
"""


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    folder = tmp_path / "proc"
    (folder / "self").mkdir(parents=True)
    (folder / "self/mountinfo").write_text(MOUNTS)
    (folder / "swaps").write_text("Filename Type Size Used Priority\n")
    return folder


@pytest.mark.parametrize(
    ("name", "more", "where"),
    [
        ("mmcblk0p1", "", "/"),
        ("mmcblk0", "", "/"),
        ("sdb1", "", ""),
        ("sdb1", "30 22 8:17 / /media/backup rw - vfat /dev/sdb1 rw\n", "/media/backup"),
        ("sdb", "30 22 8:17 / /media/backup rw - vfat /dev/sdb1 rw\n", "/media/backup"),
        ("sdb1", "30 22 8:17 / /run/gateway-sticks/sdb1 rw - vfat /dev/sdb1 rw\n", ""),
        ("sdc1", "31 22 253:0 / /srv rw - ext4 /dev/mapper/data rw\n", "/srv"),
        ("sdb1", "31 22 253:0 / /srv rw - ext4 /dev/mapper/data rw\n", ""),
    ],
)
def test_the_boxs_own_disks_are_told_by_what_is_mounted_from_them(
    sys: Path, proc: Path, name: str, more: str, where: str
) -> None:
    (proc / "self/mountinfo").write_text(MOUNTS + more)
    assert used_as(name, Path("/run/gateway-sticks"), sys, proc) == where


def test_this_machines_own_disks_are_never_free() -> None:
    """The disk under / of wherever this runs, if it is one that the kernel shows."""
    root = next(
        line.split()[2] for line in Path("/proc/self/mountinfo").read_text().splitlines() if line.split()[4] == "/"
    )
    device = Path("/sys/dev/block") / root
    if not device.exists():
        pytest.skip("/ is on no block device here")
    assert used_as(device.resolve().name, Path("/run/gateway-sticks")) != ""
