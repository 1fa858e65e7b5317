"""Which stick the box may use: a pure rule over what is known of it and what the configuration allows.

A file system other than FAT is refused whatever the profile says, also exFAT: PS3.12 (annexes for USB and SD) names
FAT16 and FAT32 only, a viewer in another house may read nothing else, and the order of writes that makes a pulled stick
readable (:mod:`gateway.transfer.media.fileset`) is shown for FAT.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gateway.settings import Media
from gateway.transfer.sticks.stick import Stick

_FATS = ("FAT16", "FAT32")
_BUSES = ("usb", "mmc")
_LIST = "'sticks' in [media]"


class Verdict(StrEnum):
    USE = "use"
    ASK = "ask"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with a stick, and in words why."""

    verdict: Verdict
    words: str


def decide(stick: Stick, allowed: Media | None) -> Decision:
    """Use it, ask a person first, or leave it alone."""
    if words := _unfit(stick):
        return Decision(Verdict.REFUSE, words)
    if allowed is None or not allowed.sticks:
        return Decision(Verdict.REFUSE, f"the box uses no sticks: {_LIST} names none")
    if (entry := _entry(stick, allowed.sticks)) is not None:
        return Decision(Verdict.USE, f"{_LIST} names it: {entry}")
    if "ask" in allowed.sticks:
        return Decision(Verdict.ASK, f"may the box write to it? gateway media allow {stick.name}")
    return Decision(Verdict.REFUSE, f"it is none of those that {_LIST} names")


def _entry(stick: Stick, entries: tuple[str, ...]) -> str | None:
    """What in the list means this stick. Upper and lower case of a label are one: many programs change it."""
    for entry in entries:
        kind, _, value = entry.partition(":")
        if kind == "serial" and value == stick.serial:
            return entry
        if kind == "label" and value.strip().casefold() == stick.label.casefold() and stick.label:
            return entry
    return None


def _unfit(stick: Stick) -> str:
    """Why no configuration can make it serve; "" if nothing speaks against it."""
    if stick.used_as:
        return f"the box itself runs on this disk ({stick.used_as})"
    if stick.bus not in _BUSES:
        return f"it is neither a USB stick nor an SD card (bus {stick.bus or 'unknown'})"
    if stick.size <= 0:
        return "there is no medium in it"
    if stick.file_system != "vfat" or stick.version not in _FATS:
        found = " ".join(w for w in (stick.file_system, stick.version) if w) or "none that is known"
        return f"its file system is {found}: DICOM media need FAT16 or FAT32; format it so (it will be emptied)"
    if stick.partition not in (0, 1):
        return "it is not the first partition: DICOM media have one, or no partition table"
    if stick.read_only:
        return "it is write-protected: move its switch, and plug it in again"
    return ""
