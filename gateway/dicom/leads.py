"""Leads of an ECG as the standard codes them, and the four limb leads that follow from I and II.

Codes: CID 3001 "ECG Lead" of PS3.16 (scheme MDC, ISO/IEEE 11073-10102), CID 3005 for respiration. A calculated III,
aVR, aVL or aVF keeps the code of that lead, as electrocardiographs have always sent it; that it was calculated, and
how, stands in Channel Derivation Description (003A,020C). The sources of all else: :mod:`gateway.dicom.sources`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from gateway.model import Channel, Code


@dataclass(frozen=True, slots=True)
class Lead:
    """``label`` is how a cardiologist writes it."""

    label: str
    code: Code


def _mdc(label: str, value: int, meaning: str = "") -> Lead:
    return Lead(label, Code(f"2:{value}", "MDC", meaning or f"Lead {label}"))


LIMB = (
    _mdc("I", 1),
    _mdc("II", 2),
    _mdc("III", 61),
    _mdc("aVR", 62, "aVR, augmented voltage, right"),
    _mdc("aVL", 63, "aVL, augmented voltage, left"),
    _mdc("aVF", 64, "aVF, augmented voltage, foot"),
)
CHEST = tuple(_mdc(f"V{n}", n + 2) for n in range(1, 7))
FURTHER = (
    *(_mdc(f"V{n}", v) for n, v in ((7, 9), (8, 66), (9, 67))),
    *(_mdc(f"V{n}R", n + 8) for n in range(2, 8)),
    *(_mdc(axis, v) for axis, v in (("X", 16), ("Y", 17), ("Z", 18))),
    _mdc("MLII", 126, "Modified limb lead"),
)
RESPIRATION = Lead("Respiration", Code("109117", "DCM", "Respiration Waveform"))
UNSPECIFIED = Code("2:0", "MDC", "Unspecified lead")

ORDER = tuple(lead.label for lead in (*LIMB, *CHEST))  # the conventional one
TWELVE = frozenset(ORDER)
_BY_NAME = {lead.label.upper(): lead for lead in (*LIMB, *CHEST, *FURTHER, RESPIRATION)} | {"RESP": RESPIRATION}


def lead(label: str) -> Lead | None:
    """The lead that a label names, however it is written ("avr", "Lead I (Einthoven)"); None if it names none."""
    return _BY_NAME.get(label.partition("(")[0].strip().upper().removeprefix("LEAD "))


def source(label: str) -> Code:
    """Channel Source; a label that names no known lead is coded as unspecified, and stays in Channel Label."""
    found = lead(label)
    return found.code if found else UNSPECIFIED


@dataclass(frozen=True, slots=True)
class Column:
    """One channel of the instance as a sum of device channels: counts = sum of factor x device counts."""

    channel: Channel
    terms: tuple[tuple[int, int], ...]  # (device channel, factor)
    derivation: str = ""  # in words, if it was calculated


# lead -> (factor of I, factor of II, divisor of the sensitivity, words): integers, so that nothing is rounded
DERIVED = {
    "III": (-1, 1, 1, "III = II - I, calculated by the gateway"),
    "aVR": (-1, -1, 2, "aVR = -(I + II) / 2, calculated by the gateway"),
    "aVL": (2, -1, 2, "aVL = I - II / 2, calculated by the gateway"),
    "aVF": (-1, 2, 2, "aVF = II - I / 2, calculated by the gateway"),
}


def columns(channels: tuple[Channel, ...], derive: bool) -> tuple[Column, ...]:
    """What the instance gets: the device's channels, and the missing limb leads if they follow from I and II.

    They follow only if I and II are there once each, with the same sensitivity and unit and no baseline. Then
    the twelve leads come first, in the conventional order; without derivation the device's order stays.
    """
    own = tuple(Column(channel, ((i, 1),)) for i, channel in enumerate(channels))
    labels = [found.label if (found := lead(channel.label)) else "" for channel in channels]
    if not derive or labels.count("I") != 1 or labels.count("II") != 1:
        return own
    one, two = labels.index("I"), labels.index("II")
    if not _alike(channels[one], channels[two]):
        return own
    made = [_derive(label, channels, one, two) for label in DERIVED if label not in labels]
    if not made:
        return own
    known = [(label, column) for label, column in zip(labels, own, strict=True) if label in TWELVE]
    known += [(column.channel.label, column) for column in made]
    known.sort(key=lambda pair: ORDER.index(pair[0]))
    others = [column for label, column in zip(labels, own, strict=True) if label not in TWELVE]
    return (*(column for _, column in known), *others)


def _alike(one: Channel, two: Channel) -> bool:
    same = (one.sensitivity, one.unit) == (two.sensitivity, two.unit)
    return same and one.baseline == 0 and two.baseline == 0


def _derive(label: str, channels: tuple[Channel, ...], one: int, two: int) -> Column:
    of_one, of_two, divisor, words = DERIVED[label]
    first, second = channels[one], channels[two]
    channel = dataclasses.replace(
        first,
        label=label,
        sensitivity=first.sensitivity / divisor,
        low_cut=first.low_cut if first.low_cut == second.low_cut else None,
        high_cut=first.high_cut if first.high_cut == second.high_cut else None,
        notch=first.notch if first.notch == second.notch else None,
    )
    return Column(channel, ((one, of_one), (two, of_two)), words)
