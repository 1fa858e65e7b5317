"""Context groups of PS3.16: which codes a channel source, a unit or a purpose is taken from.

The table is ``tables/groups.txt``; the groups whose meanings are written too are of :mod:`gateway.dicom.sources`.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from pydicom.dataset import Dataset

from gateway.dicom import sources
from gateway.dicom.finding import ERROR, WARNING

_FILE = Path(__file__).parent / "tables" / "groups.txt"
_UCUM = re.compile(r"[!-~]{1,16}")  # a unit has no space and only ASCII, whatever else UCUM says
UNITS = "82"
DIFFERENTIAL = ("DCM", "109006")  # Differential signal, of CID 3240
# SNOMED as DICOM wrote it before 2020, and what devices wrote before the codes were agreed (PS3.16 8.1)
RETIRED_SCHEMES = {"SRT": "SCT", "SNM3": "SCT", "99SDM": "SCT", "SCPECG": "MDC", "ISO11073": "MDC"}


@cache
def _groups() -> dict[str, tuple[str, list[str]]]:
    """Name and lines of each group, by number."""
    found: dict[str, tuple[str, list[str]]] = {}
    lines: list[str] = []
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("  "):
            lines.append(line)
        elif line and not line.startswith("#"):
            cid, _, name = line.partition(" ")
            lines = []
            found[cid] = (name, lines)
    return found


@cache
def codes(cid: str) -> frozenset[tuple[str, str]]:
    """(scheme, code) of each member of a group. Raises KeyError for one that is not here."""
    if cid in sources.numbers():
        return sources.codes(cid)
    found, scheme = set(), ""
    for line in _groups()[cid][1]:
        words = line.split()
        if not line.startswith("    "):
            scheme = words.pop(0)
        found |= {(scheme, code) for word in words for code in _expand(word)}
    return frozenset(found)


def numbers() -> list[str]:
    """Of all groups that are here."""
    return [*_groups(), *sources.numbers()]


def _expand(word: str) -> list[str]:
    """ "2:0-3" -> "2:0", "2:1", "2:2", "2:3"."""
    prefix, colon, rest = word.rpartition(":")
    first, dash, last = rest.partition("-")
    if not dash:
        return [word]
    return [f"{prefix}{colon}{n}" for n in range(int(first), int(last) + 1)]


def name(cid: str) -> str:
    if cid == UNITS:
        return "Units of Measurement"
    return sources.name(cid) if cid in sources.numbers() else _groups()[cid][0]


def code(item: Dataset) -> tuple[str, str]:
    """(scheme, value) of a Code Sequence item."""
    value = item.get("CodeValue") or item.get("LongCodeValue") or item.get("URNCodeValue") or ""
    return str(item.get("CodingSchemeDesignator", "")), str(value)


def fault(item: Dataset, cids: tuple[str, ...]) -> tuple[str, str] | None:
    """Severity and words, if a code is in none of these groups. Its meaning is not quoted: it may be free text."""
    scheme, value = code(item)
    if not scheme or not value:
        return None  # the code macro has its own rules about that
    if cids == (UNITS,):
        if scheme != "UCUM":
            return ERROR, f"is coded in {scheme:.16}; units come from UCUM (CID 82)"
        return None if _UCUM.fullmatch(value) else (ERROR, f"{value!r:.20} is no UCUM unit (CID 82)")
    if any((scheme, value) in codes(cid) for cid in cids):
        return None
    said = " or ".join(f"CID {cid} ({name(cid)})" for cid in cids)
    if newer := RETIRED_SCHEMES.get(scheme):
        return WARNING, f"{value:.16} is coded in {scheme}, which is retired; {said} has codes of {newer}"
    return WARNING, f"{value:.16} of {scheme:.16} is not in {said}; other systems may not know it"
