"""One module's table against a data set: types, conditions, allowed values, numbers of items, context groups."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag

from gateway.dicom import groups, values
from gateway.dicom.conditions import Chain
from gateway.dicom.elements import name
from gateway.dicom.finding import ERROR, WARNING, Finding
from gateway.dicom.modules import Attribute, Module

EVERYWHERE = frozenset({0x00080005, 0x4FFE0001, 0xFFFAFFFA})  # allowed in any item: character set and signatures
BULK = frozenset({0x54001010, 0x7FE00008, 0x7FE00009, 0x7FE00010, 0x00420011})  # judged by where it lies, not here


def findings(module: Module, dataset: Dataset) -> Iterator[Finding]:
    for row in module.rows:
        yield from _row(row, (dataset,), "", module.section)


def _row(row: Attribute, chain: Chain, prefix: str, section: str) -> Iterator[Finding]:
    """One row against one item (or the whole data set), and the rows below it against the items in it."""
    if row.tag in BULK:
        return
    item, where, rule = chain[-1], prefix + row.keyword, f"type {row.type}"
    if row.tag not in item:
        if row.type in ("1", "2"):
            yield Finding(ERROR, where, rule, section, "is missing")
        elif row.needed is not None and row.needed.holds(chain):
            yield Finding(ERROR, where, rule, section, f"is missing, though {row.needed.words}")
        return
    if row.allowed is not None and not row.allowed.holds(chain):
        yield Finding(ERROR, where, rule, section, f"is there, which is allowed only if {row.allowed.words}")
    element = item[row.tag]
    if element.is_empty:
        if row.type in ("1", "1C"):
            yield Finding(ERROR, where, rule, section, "is empty")
        return
    if element.VR == "SQ":
        yield from _items(row, element, chain, where, section)
    elif row.enumerated or row.terms:
        yield from _allowed(row, element, where, section)


def _allowed(row: Attribute, element: DataElement, where: str, section: str) -> Iterator[Finding]:
    given = list(element.value) if isinstance(element.value, (MultiValue, list)) else [element.value]
    for severity, rule, lists in ((ERROR, "enumerated value", row.enumerated), (WARNING, "defined term", row.terms)):
        for number, allowed in lists:
            for value in given if not number else given[number - 1 : number]:
                if str(value) not in allowed:
                    verb = "allowed" if severity == ERROR else "defined"
                    words = f"is {value!s:.20}; {verb} are {', '.join(allowed)}"
                    yield Finding(severity, where, rule, section, words)


def _items(row: Attribute, element: DataElement, chain: Chain, where: str, section: str) -> Iterator[Finding]:
    if row.one and len(element.value) > 1:
        yield Finding(ERROR, where, "items", section, f"has {len(element.value)} items; only one is allowed")
    for number, inner in enumerate(element.value, 1):
        place = f"{where}[{number}]"
        if row.group is not None and (found := groups.fault(inner, (row.group.cid,))):
            yield Finding(found[0], place, "context group", f"PS3.16 CID {row.group.cid}", found[1])
        below = row.rows
        for deeper in below:
            yield from _row(deeper, (*chain, inner), f"{place}.", section)
        if below:
            yield from strangers(inner, _tags(below), f"{place}.", section)


@cache
def _tags(rows: tuple[Attribute, ...]) -> frozenset[int]:
    return frozenset(row.tag for row in rows) | EVERYWHERE


def strangers(item: Dataset, known: frozenset[int], prefix: str, section: str) -> Iterator[Finding]:
    """Attributes of the dictionary that no row names; the private, the unknown and the retired are said elsewhere."""
    for tag in sorted(item.keys() - known):
        if _ordinary(tag) and _first_overlay(tag) not in known:
            words = "is in no module of this IOD; the file is of a Standard Extended SOP Class"
            yield Finding(WARNING, prefix + name(tag), "extended", section, words)


def _first_overlay(tag: BaseTag) -> int:
    """Overlays repeat in the even groups 6000 to 601E; the tables are about the first."""
    return tag & 0x6000FFFF if 0x6000 <= tag.group <= 0x601E else tag


@cache
def _ordinary(tag: BaseTag) -> bool:
    if tag.is_private or not values.known(tag) or tag.element == 0:
        return False
    return not values.retired(tag)
