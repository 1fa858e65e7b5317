"""What a single value may look like, by value representation (PS3.5 table 6.2-1), as data and a few functions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from pydicom.datadict import (
    dictionary_has_tag,
    dictionary_is_retired,
    dictionary_VM,
    dictionary_VR,
    repeater_has_tag,
)
from pydicom.dataelem import DataElement
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag


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
_ZONE = r"([+-](0\d|1[0-4])[0-5]\d)?"
RULES: dict[str, Rule] = {
    "AE": _rule(16, r"[ -\[\]-~]*[!-\[\]-~][ -\[\]-~]*", "at most 16 printable ASCII characters, no backslash"),
    "AS": _rule(4, r"\d{3}[DWMY]", "three digits and D, W, M or Y"),
    "CS": _rule(16, r"[A-Z0-9_ ]*", "at most 16 of A-Z, 0-9, space and underscore"),
    "DA": _rule(8, _DATE, "a date YYYYMMDD"),
    "DS": _rule(16, _NUMBER, "a decimal number of at most 16 characters"),
    "DT": _rule(
        26,
        rf"\d{{4}}{_ZONE}|\d{{4}}(0[1-9]|1[0-2]){_ZONE}|{_DATE}({_TIME}(\.\d{{1,6}})?)?{_ZONE} *",
        "YYYYMMDDHHMMSS.F&ZZXX",
    ),
    "IS": _rule(12, r" *[+-]?\d{1,10} *", "a whole number of at most 12 characters, from -2147483648 to 2147483647"),
    "LO": _rule(64, "", "at most 64 characters"),
    "LT": _rule(10240, "", "at most 10240 characters"),
    "PN": _rule(64, "", "at most 64 characters in each component group"),
    "SH": _rule(16, "", "at most 16 characters"),
    "ST": _rule(1024, "", "at most 1024 characters"),
    "TM": _rule(14, rf"{_TIME}(\.\d{{1,6}})? *", "a time HHMMSS.FFFFFF"),
    "UC": _rule(0xFFFFFFFE, "", "text"),
    "UI": _rule(
        64,
        r"(0|[1-9]\d*)(\.(0|[1-9]\d*))+",
        "a UID: digits and dots, no number empty or with leading zeros",
    ),
    "UR": _rule(0xFFFFFFFE, r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*", "a URI, without spaces before it"),
}
_CONTROL = re.compile(r"[\x00-\x1a\x1c-\x1f\x7f]")  # ESC belongs to the code extensions
_BUT_LINES = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")  # TAB, LF, FF and CR are allowed in paragraphs
_PARAGRAPHS = frozenset({"LT", "ST", "UT"})
_LARGEST_IS, _SMALLEST_IS = 2**31 - 1, -(2**31)
_MOST_GROUPS, _MOST_COMPONENTS = 3, 5  # of a person's name


_LONG_CODE, _SHORT_ENOUGH = 0x00080119, 16  # what fits into Code Value stands there (PS3.3 8.1)


def element_faults(element: DataElement) -> Iterator[str]:
    """In words, what is wrong with the values of one element (not of items in it)."""
    rule = RULES.get(element.VR)
    if element.tag == _LONG_CODE and len(str(element.value)) <= _SHORT_ENOUGH:
        yield f"has {len(str(element.value))} characters; up to {_SHORT_ENOUGH} are a Code Value"
    if rule is None and element.VR not in _PARAGRAPHS:
        return
    if element.is_empty:
        return
    control = _BUT_LINES if element.VR in _PARAGRAPHS else _CONTROL
    for value in _values(element):
        text = (getattr(value, "original_string", None) if element.VR in ("DS", "IS") else None) or str(value)
        if not text:
            continue
        if rule is not None:
            yield from _text_faults(element.VR, text, rule)
        if control.search(text):
            yield "contains control characters"


def _values(element: DataElement) -> list[object]:
    return list(element.value) if isinstance(element.value, (MultiValue, list)) else [element.value]


def _text_faults(vr: str, text: str, rule: Rule) -> Iterator[str]:
    parts = text.split("=") if vr == "PN" else [text]
    if any(len(part) > rule.length for part in parts):
        yield f"has {max(map(len, parts))} characters; {vr} allows {rule.words}"
    elif rule.pattern is not None and rule.pattern.fullmatch(text) is None:
        yield f"{text!r} is not {rule.words}" if _harmless(vr) else f"a value is not {rule.words}"
    elif vr == "IS" and not _SMALLEST_IS <= int(text) <= _LARGEST_IS:
        yield f"{text!r} is not {rule.words}"
    if vr == "PN" and (len(parts) > _MOST_GROUPS or any(p.count("^") >= _MOST_COMPONENTS for p in parts)):
        yield f"has more than {_MOST_GROUPS} component groups (=) or {_MOST_COMPONENTS} components (^)"


def _harmless(vr: str) -> bool:
    """Values of these kinds identify nobody and may be shown."""
    return vr in {"AE", "CS", "DS", "IS", "TM", "UI"}


def padding_fault(vr: str, value: bytes) -> str:
    """Whether a value is filled up to its even length with the wrong byte (PS3.5 6.2); "" if not."""
    if vr == "UI":
        return "is padded with a space; a UID is padded with a NUL" if value[-1:] == b" " else ""
    if (vr in RULES or vr in _PARAGRAPHS) and value[-1:] == b"\0":
        return f"is padded with a NUL; {vr} is padded with a space"
    return ""


def multiplicity_fault(element: DataElement) -> str:
    """Whether there are more or fewer values than the dictionary allows; "" if not."""
    if element.VR == "SQ" or element.is_empty or element.tag.is_private or not known(element.tag):
        return ""
    count = len(_values(element))
    allowed = dictionary_VM(element.tag)
    low, most, step = _multiplicity(allowed)
    good = low <= count and (most is None or count <= most) and count % step == 0
    return "" if good else f"has {count} values; allowed are {allowed}"


@cache
def _multiplicity(allowed: str) -> tuple[int, int | None, int]:
    """ "1-n" -> (1, None, 1); "2-2n" -> (2, None, 2); "3" -> (3, 3, 1)."""
    first, _, last = allowed.partition("-")
    if last.endswith("n"):
        return int(first), None, int(last[:-1] or 1)
    return int(first), int(last or first), 1


@cache
def known(tag: BaseTag) -> bool:
    return dictionary_has_tag(tag) or repeater_has_tag(tag)


@cache
def dictionary_kind(tag: BaseTag) -> str:
    """The only VR that the dictionary gives, or ""."""
    return dictionary_VR(tag) if known(tag) else ""


def kind_fault(element: DataElement) -> str:
    """Whether the VR as written is another than the dictionary's (PS3.6); "" if not."""
    if element.VR == "UN":
        return ""
    allowed = dictionary_kind(element.tag).split(" or ")
    return "" if element.VR in allowed else f"has the VR {element.VR}; it must be {' or '.join(allowed)}"


@cache
def retired(tag: BaseTag) -> bool:
    return not tag.is_private and known(tag) and dictionary_is_retired(tag)
