"""When a conditional attribute (type 1C, 2C) must, may or must not be there, as small named predicates.

Only conditions that can be decided from the data set itself are here; a condition about the world ("if the
body part is paired", "if a trigger was used") is :data:`UNKNOWABLE` and never gives a finding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pydicom.dataset import Dataset

TEXT = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})  # the VRs that Specific Character Set is about
Predicate = Callable[[Dataset, Dataset], bool]  # (the item that holds the attribute, the whole data set)


@dataclass(frozen=True, slots=True)
class Condition:
    """``holds``: the attribute is required. ``otherwise``: it may be there although it is not required."""

    words: str
    holds: Predicate
    otherwise: bool = True


def _has(keyword: str) -> Predicate:
    return lambda item, _root: keyword in item


def _lacks(keyword: str) -> Predicate:
    return lambda item, _root: keyword not in item


def _range_type(*kinds: str) -> Predicate:
    """Temporal Range Type says that positions follow, and none of the other two ways gives them."""

    def holds(item: Dataset, _root: Dataset) -> bool:
        return str(item.get("TemporalRangeType", "")) in kinds

    return holds


_POSITIONS = ("ReferencedSamplePositions", "ReferencedTimeOffsets", "ReferencedDateTime")
_RANGES = ("POINT", "MULTIPOINT", "SEGMENT", "MULTISEGMENT", "BEGIN", "END")


def _position_needed(mine: str) -> Predicate:
    def holds(item: Dataset, root: Dataset) -> bool:
        others = any(other in item for other in _POSITIONS if other != mine)
        return _range_type(*_RANGES)(item, root) and not others

    return holds


def _non_ascii(_item: Dataset, root: Dataset) -> bool:
    """Whether a text value of the data set has a character outside the default repertoire."""
    return any(
        not str(value).isascii() for element in root.iterall() if element.VR != "SQ" for value in [element.value]
    )


UNKNOWABLE = Condition("depends on what the file does not tell", lambda _item, _root: False)

SYNCHRONIZED = Condition(
    "Acquisition Time Synchronized is Y",
    lambda _item, root: str(root.get("AcquisitionTimeSynchronized", "")) == "Y",
    otherwise=False,
)
PAIRED_PART = Condition(
    "the body part examined is a paired structure",
    lambda _item, _root: False,
    otherwise=False,
)
EXTENDED_CHARACTERS = Condition("a text is not in the default character repertoire", _non_ascii)
HAS_SENSITIVITY = Condition("Channel Sensitivity is present", _has("ChannelSensitivity"))
NO_SAMPLE_SKEW = Condition("Channel Sample Skew is absent", _lacks("ChannelSampleSkew"), otherwise=False)
NO_TIME_SKEW = Condition("Channel Time Skew is absent", _lacks("ChannelTimeSkew"), otherwise=False)
NO_CONCEPT = Condition("Concept Name Code Sequence is absent", _lacks("ConceptNameCodeSequence"), otherwise=False)
NO_TEXT = Condition("Unformatted Text Value is absent", _lacks("UnformattedTextValue"), otherwise=False)
SAMPLE_POSITIONS = Condition(
    "Temporal Range Type needs positions and no other kind gives them", _position_needed("ReferencedSamplePositions")
)
TIME_OFFSETS = Condition(
    "Temporal Range Type needs positions and no other kind gives them", _position_needed("ReferencedTimeOffsets")
)
DATE_TIMES = Condition(
    "Temporal Range Type needs positions and no other kind gives them", _position_needed("ReferencedDateTime")
)
IS_TEXT_CODE = Condition(
    "neither Long Code Value nor URN Code Value is present",
    lambda item, _root: "LongCodeValue" not in item and "URNCodeValue" not in item,
    otherwise=False,
)
HAS_CODE_VALUE = Condition(
    "Code Value or Long Code Value is present", lambda item, _root: "CodeValue" in item or "LongCodeValue" in item
)
