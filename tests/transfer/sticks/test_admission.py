"""Which stick the box may use: the whole rule, as a table."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.settings import Media
from gateway.transfer.sticks.admission import Verdict, decide
from gateway.transfer.sticks.stick import Stick

GOOD = Stick("sdb1", "WARD", "4C53", "vfat", "FAT32", partition=1, bus="usb", size=8 << 30)
LISTED = ("label:WARD", "serial:0001")


@pytest.mark.parametrize(
    ("change", "sticks", "verdict", "words"),
    [
        ({}, ("label:WARD",), "use", "label:WARD"),
        ({}, ("label:ward",), "use", "label:ward"),
        ({"label": "Ward"}, ("label:WARD",), "use", "label:WARD"),
        ({}, ("serial:4C53",), "use", "serial:4C53"),
        ({}, ("ask", "serial:4C53"), "use", "serial:4C53"),
        ({}, ("serial:4c53",), "refuse", "none of those"),
        ({}, ("label:4C53", "serial:WARD"), "refuse", "none of those"),
        ({}, ("label:WARD2",), "refuse", "none of those"),
        ({"label": ""}, LISTED, "refuse", "none of those"),
        ({"label": "OTHER"}, (*LISTED, "ask"), "ask", "gateway media allow sdb1"),
        ({"label": "", "serial": ""}, ("ask",), "ask", "gateway media allow sdb1"),
        ({}, (), "refuse", "names none"),
        ({"version": "FAT16"}, LISTED, "use", ""),
        ({"partition": 0}, LISTED, "use", ""),
        ({"bus": "mmc", "name": "mmcblk1p1"}, LISTED, "use", ""),
        ({"version": "FAT12"}, LISTED, "refuse", "vfat FAT12: DICOM media need FAT16 or FAT32"),
        ({"file_system": "exfat", "version": "1.0"}, LISTED, "refuse", "exfat 1.0: DICOM media need"),
        ({"file_system": "ntfs", "version": ""}, ("ask",), "refuse", "file system is ntfs"),
        ({"file_system": "crypto_LUKS", "version": "2"}, ("ask",), "refuse", "file system is crypto_LUKS"),
        ({"file_system": "", "version": ""}, ("ask",), "refuse", "none that is known"),
        ({"partition": 2}, LISTED, "refuse", "not the first partition"),
        ({"partition": -1}, LISTED, "refuse", "not the first partition"),
        ({"read_only": True}, LISTED, "refuse", "write-protected"),
        ({"size": 0}, LISTED, "refuse", "no medium in it"),
        ({"bus": "ata"}, LISTED, "refuse", "neither a USB stick nor an SD card"),
        ({"bus": ""}, ("ask",), "refuse", "neither a USB stick nor an SD card"),
        ({"used_as": "/boot/firmware"}, (*LISTED, "ask"), "refuse", "runs on this disk (/boot/firmware)"),
    ],
)
def test_the_rule(change: dict[str, object], sticks: tuple[str, ...], verdict: str, words: str) -> None:
    stick = dataclasses.replace(GOOD, **change)  # type: ignore[arg-type]
    decision = decide(stick, Media(sticks=sticks))
    assert (decision.verdict, words in decision.words) == (verdict, True), decision


def test_a_box_without_media_uses_no_stick() -> None:
    assert decide(GOOD, None).verdict is Verdict.REFUSE


text = st.text(max_size=20)
entries = st.lists(st.one_of(st.just("ask"), text.map("label:{}".format), text.map("serial:{}".format)), max_size=4)


@given(
    st.builds(
        Stick, st.just("sdb1"), text, text, st.sampled_from(["vfat", "exfat", ""]), st.sampled_from(["FAT32", "FAT12"]),
        st.integers(-1, 3), st.sampled_from(["usb", "mmc", "ata"]), st.integers(0, 9), st.booleans(), text,
    ),
    entries,
)  # fmt: skip
def test_nothing_but_a_fat_of_the_boxs_own_choice_is_ever_used(stick: Stick, sticks: list[str]) -> None:
    decision = decide(stick, Media(sticks=tuple(sticks)))
    assert decision.words
    if decision.verdict is not Verdict.REFUSE:
        assert stick.file_system == "vfat"
        assert not stick.used_as
        assert not stick.read_only
        assert stick.size
    if decision.verdict is Verdict.USE:
        assert stick.label or stick.serial in {e.removeprefix("serial:") for e in sticks}
