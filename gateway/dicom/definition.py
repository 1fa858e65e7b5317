"""What an information object definition says, as data, and whether waveforms of a given shape fit into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.dicom import leads
from gateway.dicom.conditions import Condition

BYTES = {"SB": 1, "UB": 1, "MB": 1, "AB": 1, "SS": 2, "US": 2, "SL": 4, "UL": 4, "SV": 8, "UV": 8}  # C.10.9.1.5
LONGEST_DATA = 0xFFFFFFFE  # bytes of one Waveform Data value (PS3.5 7.1.1), and of what holds it


@dataclass(frozen=True, slots=True)
class Use:
    """A module of an IOD: M, C with the condition if a file can tell it, or U."""

    module: str
    usage: str
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a waveform IOD allows in its Waveform Sequence. None or empty: the IOD says nothing about it."""

    groups: tuple[int, int | None]
    channels: tuple[int, int | None]  # per group
    interpretations: tuple[str, ...]
    rate: tuple[float, float] | None = None  # Hz
    channels_in_all: int | None = None
    samples: int | None = None  # per channel and group
    sources: tuple[str, ...] = ()  # context groups of Channel Source
    counts: tuple[int, ...] = ()  # the only numbers of channels per group
    uninterrupted: bool = False  # an interruption of the recording starts a new instance
    referenced: bool = False  # each channel names its reference electrode in its modifiers

    only_leads: frozenset[str] | None = None  # what is required of the labels, beyond the IOD's own words
    only_bits: int | None = None  # "auto" puts no counts into it that need more: they would lose


@dataclass(frozen=True, slots=True)
class Pictures:
    """What an image IOD allows in its Image Pixel module. None or empty: the IOD says nothing about it."""

    photometric: tuple[str, ...] = ()
    bits: tuple[int, ...] = ()  # Bits Allocated
    least_stored: int = 1  # Bits Stored
    frames: bool = False  # more than one is allowed


@dataclass(frozen=True, slots=True)
class Iod:
    """One row: everything that says how an instance of this class must look."""

    key: str
    label: str
    sop_class_uid: str
    section: str  # of PS3.3
    modality: str  # "" = free; A|B = either
    modules: tuple[Use, ...]
    limits: Limits | None = None  # of a waveform
    states_synchronized: bool = True  # see gateway.dicom.header.synchronized
    settled: bool = False  # instances are out there that may have to be made anew, byte for byte: nothing is added
    pictures: Pictures | None = None  # of an image
    document: str = ""  # MIME type of what is encapsulated

    @property
    def image(self) -> bool:
        """An MPPS names it in Referenced Image Sequence."""
        return self.pictures is not None

    @property
    def written_modality(self) -> str:
        """Modality as the gateway writes it; of a class that is of none, Other."""
        return self.modality.partition("|")[0] or "OT"

    @property
    def waveform(self) -> Limits:
        """Raises ValueError for what is no waveform."""
        if self.limits is None:
            raise ValueError(f"{self.label} holds no waveform")
        return self.limits

    @property
    def enhanced_equipment(self) -> bool:
        return any(use.module == "Enhanced General Equipment" for use in self.modules)


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a multiplex group the limits speak about."""

    labels: tuple[str, ...]
    rate: float  # Hz
    samples: int
    bits: int = 0  # that its counts need as they are


def violations(limits: Limits, groups: Sequence[Shape]) -> list[str]:
    """In words, each limit that groups of these shapes break; empty if they fit."""
    return [words for _, words in broken(limits, groups)]


def broken(limits: Limits, groups: Sequence[Shape]) -> list[tuple[str, str]]:
    """The same with the rule of each, as :data:`gateway.dicom.finding.RULES` names it."""
    found = []
    if not _within(len(groups), limits.groups):
        found.append(("groups", f"{len(groups)} multiplex groups, allowed are {_range(limits.groups)}"))
    total = sum(len(g.labels) for g in groups)
    if limits.channels_in_all is not None and total > limits.channels_in_all:
        most = limits.channels_in_all
        found.append(("channels", f"{total} channels in all groups together, allowed are at most {most}"))
    for number, group in enumerate(groups, 1):
        where = f"multiplex group {number}: "
        count = len(group.labels)
        if not _within(count, limits.channels):
            found.append(("channels", f"{where}{count} channels, allowed are {_range(limits.channels)}"))
        if limits.counts and count not in limits.counts:
            said = " or ".join(map(str, limits.counts))
            found.append(("channels", f"{where}{count} channels, allowed are {said}"))
        if limits.rate is not None and not limits.rate[0] <= group.rate <= limits.rate[1]:
            low, high = limits.rate
            allowed = (
                f"{low:g} to {high:g} Hz" if low and low != high else f"{'exactly' if low else 'up to'} {high:g} Hz"
            )
            found.append(("rate", f"{where}sampling frequency {group.rate:g} Hz, allowed are {allowed}"))
        if limits.samples is not None and group.samples > limits.samples:
            words = f"{where}{group.samples} samples per channel, allowed are at most {limits.samples}"
            found.append(("samples", words))
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
