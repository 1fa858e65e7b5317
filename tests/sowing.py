"""Faults made from the tables: one for each rule that a row expresses, each with the healthy data set it is sown into.

A fault is told apart from whatever preparing it may bring along: it must be found in the spoiled file, by its rule and
at its place, and not be found in the same file before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from specimens import VALUES, fill_module, filled, kind, put, settle, specimen, value

from gateway.dicom import conditions, modules
from gateway.dicom.conditions import Chain, Condition, Test
from gateway.dicom.definition import Iod
from gateway.dicom.iods import BY_KEY
from gateway.dicom.module_rules import BULK
from gateway.dicom.modules import Attribute

NONSENSE = "NONSENSE"


@dataclass(frozen=True)
class Fault:
    """``prepare`` makes room in a healthy data set, ``spoil`` does the harm; ``rule`` at ``where`` finds it."""

    name: str
    iod: str
    module: str
    prepare: Callable[[Dataset], None]
    spoil: Callable[[Dataset], None]
    rule: str
    where: str


@dataclass(frozen=True)
class Row:
    """A row of a table in its place: the module, and the rows of the sequences around it."""

    iod: str
    module: str
    around: tuple[Attribute, ...]
    row: Attribute

    @property
    def name(self) -> str:
        return ".".join((*(outer.keyword for outer in self.around), self.row.keyword))

    @property
    def where(self) -> str:
        return "".join(f"{outer.keyword}[1]." for outer in self.around) + self.row.keyword

    @property
    def levels(self) -> tuple[tuple[Attribute, ...], ...]:
        """The rows of the data set's module and of each item down to the one that holds the row."""
        root = tuple(row for used in BY_KEY[self.iod].modules for row in modules.module(used.module).rows)
        return (root, *(outer.rows for outer in self.around))

    def chain(self, head: Dataset) -> Chain:
        """The data set and the items down to the one that holds the row; made where they are not there."""
        found = [head]
        for outer in self.around:
            if outer.tag not in found[-1] or found[-1][outer.tag].is_empty:
                put(found[-1], outer, value(outer))
            found.append(found[-1][outer.tag].value[0])
        return tuple(found)


def rows(iod: Iod) -> Iterator[Row]:
    """Every row of the IOD's modules, with those inside sequences; into each macro only once."""
    seen: set[tuple[object, ...]] = set()
    for used in iod.modules:
        yield from _rows(iod.key, used.module, (), modules.module(used.module).rows, seen)


def _rows(
    iod: str, module: str, around: tuple[Attribute, ...], listed: tuple[Attribute, ...], seen: set[tuple[object, ...]]
) -> Iterator[Row]:
    for row in listed:
        yield Row(iod, module, around, row)
        key = (row.macros, tuple(inner.keyword for inner in row.own))
        if row.rows and row.tag not in BULK and key not in seen:
            seen.add(key)
            yield from _rows(iod, module, (*around, row), row.rows, seen)


def faults(iod: Iod) -> Iterator[Fault]:
    for place in rows(iod):
        if place.row.tag in BULK or place.name == "SOPClassUID":
            continue  # bulk data has faults of its own; without its class nothing of this would be looked at
        makers = (_outside, _forbidden, _twice) if place.name in ALONE else MAKERS
        for make in makers:
            yield from make(place)


def _ready(place: Row) -> Callable[[Dataset], None]:
    """The row is there, and whatever it may stand with."""

    def prepare(head: Dataset) -> None:
        use(head, place)
        chain = place.chain(head)
        if place.row.allowed is not None:
            force(place.row.allowed, place, chain, True)
        if place.row.tag not in chain[-1] or chain[-1][place.row.tag].is_empty:
            put(chain[-1], place.row, value(place.row))
        settle(head, BY_KEY[place.iod], place.module, (place.row.tag, chain[-1]))

    return prepare


def use(head: Dataset, place: Row) -> None:
    """Give an optional module what it demands, and more, so that it stays one that is used."""
    fill_module(head, place.module)
    for used in BY_KEY[place.iod].modules:
        if used.module == place.module and used.condition is not None and len(place.around) == 0:
            force(used.condition, place, (head,), True)
    for row in modules.module(place.module).rows:
        if row.type == "3" and kind(row.tag) in ("LO", "SH", "ST", "LT") and row.tag not in head:
            put(head, row, value(row))


def _remove(place: Row) -> Callable[[Dataset], None]:
    return lambda head: place.chain(head)[-1].pop(place.row.tag, None) and None


def _set(place: Row, what: object) -> Callable[[Dataset], None]:
    return lambda head: put(place.chain(head)[-1], place.row, what)


# Without these their optional module is not used at all, and nothing is wrong
ALONE = [
    "WaveformAnnotationSequence",
    "DeviceSequence",
    "ICCProfile",
    "FrameExtractionSequence",
    "SequenceOfUltrasoundRegions",
    "NumberOfFramesInOverlay",
    "SharedFunctionalGroupsSequence",
    "ModalityLUTSequence",
]


def _missing(place: Row) -> Iterator[Fault]:
    if place.row.type in ("1", "2"):
        name = f"{place.name} (type {place.row.type}) missing"
        yield Fault(name, place.iod, place.module, _ready(place), _remove(place), f"type {place.row.type}", place.where)


def _empty(place: Row) -> Iterator[Fault]:
    if place.row.type == "1":
        name = f"{place.name} (type 1) empty"
        yield Fault(name, place.iod, place.module, _ready(place), _set(place, None), "type 1", place.where)


def _outside(place: Row) -> Iterator[Fault]:
    for rule, lists in (("enumerated value", place.row.enumerated), ("defined term", place.row.terms)):
        for number, _ in lists:
            numeric = kind(place.row.tag) not in ("CS", "LO", "SH", "UI")
            bad: object = 99 if numeric else NONSENSE
            if number > 1:
                healthy = value(place.row)
                bad = [*healthy[: number - 1], bad]
            name = f"{place.name} no {rule}{f' {number}' if number else ''}"
            yield Fault(name, place.iod, place.module, _ready(place), _set(place, bad), rule, place.where)


def _needed(place: Row) -> Iterator[Fault]:
    if (needed := place.row.needed) is None:
        return

    def prepare(head: Dataset) -> None:
        use(head, place)
        chain = place.chain(head)
        force(needed, place, chain, True)
        put(chain[-1], place.row, value(place.row))
        settle(head, BY_KEY[place.iod], place.module, (place.row.tag, chain[-1]))

    name = f"{place.name} missing though {needed.words[:60]}"
    yield Fault(name, place.iod, place.module, prepare, _remove(place), f"type {place.row.type}", place.where)


def _forbidden(place: Row) -> Iterator[Fault]:
    if (allowed := place.row.allowed) is None or place.row.keyword == "CodingSchemeVersion":
        return  # a code without its scheme needs a URN; that one is sown by hand

    def prepare(head: Dataset) -> None:
        use(head, place)
        chain = place.chain(head)
        force(allowed, place, chain, False)
        chain[-1].pop(place.row.tag, None)
        settle(head, BY_KEY[place.iod], place.module, (place.row.tag, chain[-1]))

    name = f"{place.name} there without: {allowed.words[:60]}"
    yield Fault(
        name, place.iod, place.module, prepare, _set(place, value(place.row)), f"type {place.row.type}", place.where
    )


def _twice(place: Row) -> Iterator[Fault]:
    if place.row.one:

        def double(head: Dataset) -> None:
            items = place.chain(head)[-1][place.row.tag].value
            items.append(items[0])

        yield Fault(f"{place.name} two items", place.iod, place.module, _ready(place), double, "items", place.where)


MAKERS = (_missing, _empty, _outside, _needed, _forbidden, _twice)


def force(condition: Condition, place: Row, chain: Chain, truth: bool) -> None:
    """Make a condition of the tables hold, or not, for the innermost item."""
    for test in condition.tests if truth == condition.both else condition.tests[:1]:
        _force(test, place, chain, truth)
    assert condition.holds(chain) == truth, f"{condition.words} could not be made {truth}"


def _force(test: Test, place: Row, chain: Chain, truth: bool) -> None:
    if test.what == "rule":
        if test.values == ("TEXT",):
            chain[0].PatientName = "Müller" if truth else "Doe"
        elif truth:
            chain[0].StrainDescription = "Maine Coon"
        else:
            for tag in conditions.ANIMALS:
                chain[0].pop(tag, None)
        return
    depth = 0 if test.up < 0 else max(0, len(chain) - 1 - test.up)
    item, tag, what = chain[depth], test.tags[-1], test.what
    vr = kind(tag)
    row = next((row for row in place.levels[depth] if row.tag == tag), None)
    if row is not None and row.allowed is not None and all(t.what in ("is", "present") for t in row.allowed.tests):
        force(row.allowed, place, chain[: depth + 1], True)
    if what in ("is", "is not"):
        right = truth == (what == "is")
        text = test.values[0] if right else _other(place.levels[depth], test)
        item.add_new(tag, vr, pointer(text) if vr == "AT" else int(text) if vr in ("US", "SS", "UL", "SL") else text)
    elif (what not in ("absent", "empty")) == truth:
        new = value(row) if row else Sequence([filled(())]) if vr == "SQ" else VALUES[vr]
        item.add_new(tag, vr, int(test.values[0]) + 2 if what == "above" else new)
    else:
        item.pop(tag, None)


def _other(listed: tuple[Attribute, ...], test: Test) -> str:
    """A value that the condition does not name, and that every row about the attribute allows."""
    lists = [set(found) for row in listed if row.tag == test.tags[-1] for _, found in (*row.enumerated, *row.terms)]
    left = set.intersection(*lists) - set(test.values) if lists else set()
    return min(left, default="OTHER")


def pointer(text: str) -> int:
    """ "(0018,1063)" as a tag; another word points elsewhere."""
    digits = "".join(c for c in text if c in "0123456789ABCDEF")
    return int(digits, 16) if text.startswith("(") else 0x00082111


def everything(keys: tuple[str, ...]) -> list[Fault]:
    """The faults of these IODs, those of a module that several share only once."""
    found: dict[str, Fault] = {}
    for key in keys:
        for fault in faults(BY_KEY[key]):
            found.setdefault(fault.name, fault)
    return list(found.values())


def healthy(iod: str) -> Dataset:
    return specimen(BY_KEY[iod])
