"""TABLE of the IODs that the gateway writes: SOP class, modality, modules with usage, content constraints.

Modules and constraints follow PS3.3 A.34 (2024e): A.34.3 12-Lead ECG, A.34.4 General ECG, A.34.5 Ambulatory ECG,
A.34.18 General 32-bit ECG. For the last one the modules and their usage are confirmed from the tables of 2024e, sample
interpretation SL from Supplement 237; that it takes 1 to 4 groups of 1 to 24 channels, and states no range of
sampling frequencies, is second-hand. A new IOD is a new row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.dicom import leads, modules
from gateway.dicom.modules import Module
from gateway.sop_classes import WRITTEN

BYTES = {"SB": 1, "UB": 1, "MB": 1, "AB": 1, "SS": 2, "US": 2, "SL": 4, "UL": 4}  # of a sample, C.10.9.1.5
LONGEST_DATA = 0xFFFFFFFE  # bytes of one Waveform Data value (PS3.5 7.1.1), and of what holds it


@dataclass(frozen=True, slots=True)
class Limits:
    """What an IOD allows in its Waveform Sequence. None: the IOD says nothing about it."""

    groups: tuple[int, int | None]
    channels: tuple[int, int | None]  # per group
    interpretations: tuple[str, ...]
    rate: tuple[float, float] | None = None  # Hz
    channels_in_all: int | None = None
    samples: int | None = None  # per channel and group
    sources: str = ""  # context group of Channel Source

    only_leads: frozenset[str] | None = None  # what "auto" requires of the labels, beyond the IOD's own words


@dataclass(frozen=True, slots=True)
class Iod:
    """One row: everything that says how an instance of this class must look."""

    key: str
    label: str
    sop_class_uid: str
    section: str  # of PS3.3
    modality: str
    modules: tuple[tuple[Module, str], ...]  # with usage M, C or U
    limits: Limits
    states_synchronized: bool = True  # see gateway.dicom.header.synchronized
    image: bool = False  # an MPPS names it in Referenced Image Sequence

    @property
    def interpretation(self) -> str:
        """The sample interpretation that the gateway writes: the widest that the IOD allows."""
        return max(self.limits.interpretations, key=lambda i: BYTES[i])

    @property
    def enhanced_equipment(self) -> bool:
        return any(m is modules.ENHANCED_EQUIPMENT for m, _ in self.modules)


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a multiplex group the limits speak about."""

    labels: tuple[str, ...]
    rate: float  # Hz
    samples: int


def _waveform_modules(
    *,
    equipment: str = "",
    synchronization: str = "U",
    context: str = "M",
    annotation: str = "C",
) -> tuple[tuple[Module, str], ...]:
    """The modules common to all waveform IODs, with the usages in which they differ."""
    rows = [
        (modules.PATIENT, "M"),
        (modules.GENERAL_STUDY, "M"),
        (modules.GENERAL_SERIES, "M"),
        (modules.SYNCHRONIZATION, synchronization),
        (modules.GENERAL_EQUIPMENT, "M"),
        (modules.ENHANCED_EQUIPMENT, equipment),
        (modules.WAVEFORM_IDENTIFICATION, "M"),
        (modules.WAVEFORM, "M"),
        (modules.ACQUISITION_CONTEXT, context),
        (modules.WAVEFORM_ANNOTATION, annotation),
        (modules.SOP_COMMON, "M"),
    ]
    return tuple((module, usage) for module, usage in rows if usage)


_ROWS = (
    Iod(
        "twelve-lead",
        "12-Lead ECG",
        WRITTEN["twelve-lead"],
        "A.34.3",
        "ECG",
        _waveform_modules(),
        Limits(
            groups=(1, 5),
            channels=(1, 13),
            channels_in_all=13,
            rate=(200.0, 1000.0),
            interpretations=("SS",),
            samples=16384,
            sources="3001",
            only_leads=leads.TWELVE,
        ),
        states_synchronized=False,
    ),
    Iod(
        "general",
        "General ECG",
        WRITTEN["general"],
        "A.34.4",
        "ECG",
        _waveform_modules(),
        Limits(groups=(1, 4), channels=(1, 24), rate=(200.0, 1000.0), interpretations=("SS",), sources="3001"),
        states_synchronized=False,
    ),
    Iod(
        "ambulatory",
        "Ambulatory ECG",
        WRITTEN["ambulatory"],
        "A.34.5",
        "ECG",
        _waveform_modules(context="U"),
        Limits(groups=(1, 1), channels=(1, 12), rate=(50.0, 1000.0), interpretations=("SB", "SS"), sources="3001"),
        states_synchronized=False,
    ),
    Iod(
        "general-32",
        "General 32-bit ECG",
        WRITTEN["general-32"],
        "A.34.18",
        "ECG",
        _waveform_modules(equipment="M"),
        Limits(groups=(1, 4), channels=(1, 24), interpretations=("SL",), sources="3001"),
    ),
)

TABLE: dict[str, Iod] = {row.key: row for row in _ROWS}
BY_CLASS: dict[str, Iod] = {row.sop_class_uid: row for row in _ROWS}


def violations(limits: Limits, groups: Sequence[Shape]) -> list[str]:
    """In words, each limit that groups of these shapes break; empty if they fit."""
    found = []
    if not _within(len(groups), limits.groups):
        found.append(f"{len(groups)} multiplex groups, allowed are {_range(limits.groups)}")
    total = sum(len(g.labels) for g in groups)
    if limits.channels_in_all is not None and total > limits.channels_in_all:
        found.append(f"{total} channels in all groups together, allowed are at most {limits.channels_in_all}")
    for number, group in enumerate(groups, 1):
        where = f"multiplex group {number}: "
        if not _within(len(group.labels), limits.channels):
            found.append(f"{where}{len(group.labels)} channels, allowed are {_range(limits.channels)}")
        if limits.rate is not None and not limits.rate[0] <= group.rate <= limits.rate[1]:
            low, high = limits.rate
            found.append(f"{where}sampling frequency {group.rate:g} Hz, allowed are {low:g} to {high:g} Hz")
        if limits.samples is not None and group.samples > limits.samples:
            found.append(f"{where}{group.samples} samples per channel, allowed are at most {limits.samples}")
    return found


def foreign_leads(limits: Limits, groups: Sequence[Shape]) -> list[str]:
    """Labels that "auto" does not put into this IOD because they are none of its leads."""
    if limits.only_leads is None:
        return []
    known = [(label, leads.lead(label)) for group in groups for label in group.labels]
    return [label for label, lead in known if lead is None or lead.label not in limits.only_leads]


def _within(value: int, bounds: tuple[int, int | None]) -> bool:
    low, high = bounds
    return low <= value and (high is None or value <= high)


def _range(bounds: tuple[int, int | None]) -> str:
    low, high = bounds
    return f"at least {low}" if high is None else (f"exactly {low}" if low == high else f"{low} to {high}")
