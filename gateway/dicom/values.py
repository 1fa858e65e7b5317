"""What a single value may look like, by value representation (PS3.5 table 6.2-1), as data and one function."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pydicom.datadict import dictionary_has_tag, dictionary_is_retired, dictionary_VM, dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.multival import MultiValue


@dataclass(frozen=True, slots=True)
class Rule:
    """``pattern`` None: any text. ``length``: characters of one value (bytes for the ASCII kinds)."""

    length: int
    pattern: re.Pattern[str] | None
    words: str


def _rule(length: int, pattern: str, words: str) -> Rule:
    return Rule(length, re.compile(pattern) if pattern else None, words)


_NUMBER = r" *[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)? *"
_TIME = r"([01]\d|2[0-3])([0-5]\d([0-5]\d|60)?)?"
_DATE = r"\d{4}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])"
RULES: dict[str, Rule] = {
    "AE": _rule(16, r"[ -\[\]-~]*", "at most 16 printable ASCII characters, no backslash"),
    "AS": _rule(4, r"\d{3}[DWMY]", "three digits and D, W, M or Y"),
    "CS": _rule(16, r"[A-Z0-9_ ]*", "at most 16 of A-Z, 0-9, space and underscore"),
    "DA": _rule(8, _DATE, "a date YYYYMMDD"),
    "DS": _rule(16, _NUMBER, "a decimal number of at most 16 characters"),
    "DT": _rule(
        26, rf"\d{{4}}(\d\d)?|\d{{6}}|{_DATE}({_TIME}(\.\d{{1,6}})?)?([+-]\d{{4}})? *", "YYYYMMDDHHMMSS.F&ZZXX"
    ),
    "IS": _rule(12, r" *[+-]?\d{1,10} *", "a whole number of at most 12 characters"),
    "LO": _rule(64, "", "at most 64 characters"),
    "LT": _rule(10240, "", "at most 10240 characters"),
    "PN": _rule(64, "", "at most 64 characters in each component group"),
    "SH": _rule(16, "", "at most 16 characters"),
    "ST": _rule(1024, "", "at most 1024 characters"),
    "TM": _rule(14, rf"{_TIME}(\.\d{{1,6}})? *", "a time HHMMSS.FFFFFF"),
    "UI": _rule(
        64,
        r"(0|[1-9]\d*)(\.(0|[1-9]\d*))+",
        "a UID: digits and dots, no number empty or with leading zeros",
    ),
}
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")


def element_faults(element: DataElement) -> Iterator[str]:
    """In words, what is wrong with the values of one element (not of items in it)."""
    if element.VR == "SQ" or element.is_empty:
        return
    values = list(element.value) if isinstance(element.value, (MultiValue, list)) else [element.value]
    if fault := _multiplicity(element, len(values)):
        yield fault
    rule = RULES.get(element.VR)
    if rule is None:
        return
    for value in values:
        text = (getattr(value, "original_string", None) if element.VR in ("DS", "IS") else None) or str(value)
        if not text:
            continue
        parts = text.split("=") if element.VR == "PN" else [text]
        if any(len(part) > rule.length for part in parts):
            longest = max(map(len, parts))
            yield f"has {longest} characters; {element.VR} allows {rule.words}"
        elif rule.pattern is not None and rule.pattern.fullmatch(text) is None:
            yield f"{text!r} is not {rule.words}" if _harmless(element.VR) else f"a value is not {rule.words}"
        if _CONTROL.search(text):
            yield "contains control characters"


def _harmless(vr: str) -> bool:
    """Values of these kinds identify nobody and may be shown."""
    return vr in {"AE", "CS", "DS", "IS", "TM", "UI"}


def _multiplicity(element: DataElement, count: int) -> str:
    if element.tag.is_private or not dictionary_has_tag(element.tag):
        return ""
    allowed = dictionary_VM(element.tag)
    low, _, high = allowed.partition("-")
    step = int(high[:-1] or 1) if high.endswith("n") else 0
    most = count if step else int(high or low)
    good = int(low) <= count <= most and count % (step or 1) == 0
    return "" if good else f"has {count} values; allowed are {allowed}"


def kind_fault(element: DataElement) -> str:
    """Whether the VR as written is another than the dictionary's (PS3.6); "" if not."""
    if element.tag.is_private or not dictionary_has_tag(element.tag) or element.VR == "UN":
        return ""
    allowed = dictionary_VR(element.tag).split(" or ")
    return "" if element.VR in allowed else f"has the VR {element.VR}; it must be {' or '.join(allowed)}"


def retired(element: DataElement) -> bool:
    known = not element.tag.is_private and dictionary_has_tag(element.tag)
    return known and dictionary_is_retired(element.tag)
