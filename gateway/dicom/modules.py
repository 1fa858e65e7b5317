"""The module tables of PS3.3, read from ``tables/*.txt``: attributes, types, conditions, allowed values.

The notation is explained in ``tables/README.txt``. A table is read when it is first asked for, since most are about
classes that this process never sees.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path

from gateway.dicom import conditions
from gateway.dicom.conditions import Condition

TABLES = Path(__file__).parent / "tables"
TYPES = ("1", "1C", "2", "2C", "3")


@dataclass(frozen=True, slots=True)
class Group:
    """The context group that a code comes from; ``defined``: it shall, though most groups may be extended."""

    cid: str
    defined: bool


@dataclass(frozen=True, slots=True)
class Attribute:
    """One row of a module table, and in ``own`` the rows below it.

    ``needed``: type 1C or 2C is required if it holds. ``allowed``: the attribute may be there only if it holds.
    ``world``: what the standard's condition is about when no file tells. ``enumerated`` and ``terms``: of the value
    with this number, counted from 1; 0 = of each.
    """

    keyword: str
    tag: int
    type: str
    needed: Condition | None = None
    allowed: Condition | None = None
    world: str = ""
    enumerated: tuple[tuple[int, tuple[str, ...]], ...] = ()
    terms: tuple[tuple[int, tuple[str, ...]], ...] = ()
    one: bool = False
    open: bool = False
    group: Group | None = None
    macros: tuple[str, ...] = ()
    own: tuple[Attribute, ...] = ()

    @property
    def rows(self) -> tuple[Attribute, ...]:
        """The rows of the items, for a sequence; those of the macros come first."""
        return _rows(self.macros, self.own)


@dataclass(frozen=True, slots=True)
class Module:
    name: str
    section: str
    rows: tuple[Attribute, ...]
    tags: frozenset[int] = field(default=frozenset())

    @property
    def demands(self) -> bool:
        """Whether something of it is there whenever the module is."""
        return any(one.type in ("1", "2") for one in self.rows)


@cache
def _rows(macros: tuple[str, ...], own: tuple[Attribute, ...]) -> tuple[Attribute, ...]:
    return (*(one for name in macros for one in macro(name).rows), *own)


@cache
def module(name: str) -> Module:
    return _read("module", name)


@cache
def macro(name: str) -> Module:
    return _read("macro", name)


@cache
def _blocks() -> dict[tuple[str, str], tuple[str, list[str]]]:
    """Each table's section and lines, by kind and name, from all the files."""
    found: dict[tuple[str, str], tuple[str, list[str]]] = {}
    for path in sorted(TABLES.glob("*.txt")):
        if path.stem in ("README", "groups", "sources"):
            continue
        for block in path.read_text(encoding="utf-8").strip().split("\n\n"):
            head, *lines = block.splitlines()
            kind, _, rest = head.partition(" ")
            name, _, section = rest.partition("|")
            found[kind, name.strip()] = (section.strip(), lines)
    return found


def names() -> list[str]:
    """Of all modules."""
    return [name for kind, name in _blocks() if kind == "module"]


def _read(kind: str, name: str) -> Module:
    section, lines = _blocks()[kind, name]
    included = [line.split()[1] for line in lines if line.startswith("include ")]
    own = _tree([line for line in lines if not line.startswith("include ")], 0)
    rows = (*(one for name in included for one in macro(name).rows), *own)
    return Module(
        name, section if section.startswith("PS3") else f"PS3.3 {section}", rows, frozenset(one.tag for one in rows)
    )


def _tree(lines: list[str], depth: int) -> Iterator[Attribute]:
    """The rows at this depth, each with the deeper lines that follow it."""
    starts = [n for n, line in enumerate(lines) if _depth(line) == depth]
    for start, end in pairwise([*starts, len(lines)]):
        yield row(lines[start].lstrip(">"), tuple(_tree(lines[start + 1 : end], depth + 1)))


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(">"))


def row(text: str, own: tuple[Attribute, ...] = ()) -> Attribute:
    """One line of a table. Raises ValueError, naming the row, for a slip in a table."""
    keyword, kind, *rest = text.split(None, 2)
    if kind not in TYPES:
        raise ValueError(f"{text!r} has no type")
    if kind.endswith("C") and not rest:
        raise ValueError(f"{text!r} has no condition")
    needed = allowed = group = None
    world, may = "", False
    flags: set[str] = set()
    macros: tuple[str, ...] = ()
    enumerated: list[tuple[int, tuple[str, ...]]] = []
    terms: list[tuple[int, tuple[str, ...]]] = []
    for clause in rest[0].split(";") if rest else ():
        word, _, said = clause.strip().partition(" ")
        if word == "if":
            needed = conditions.parse(said)
        elif word == "only":
            allowed = conditions.parse(said)
        elif word == "when":
            world = said
        elif word == "may":
            may = True
        elif word in ("one", "open"):
            flags.add(word)
        elif word == "of":
            macros = tuple(said.split())
        elif word in ("cid", "dcid"):
            group = Group(said, word == "dcid")
        elif word[:1] in "=~":
            (enumerated if word[0] == "=" else terms).append((int(word[1:] or 0), tuple(said.strip().split("|"))))
        else:
            raise ValueError(f"{text!r}: {clause!r} is no clause")
    if needed is not None and not may:
        allowed = allowed or needed
    return Attribute(
        keyword,
        conditions.tag_of(keyword),
        kind,
        needed,
        allowed,
        world,
        tuple(enumerated),
        tuple(terms),
        "one" in flags,
        "open" in flags,
        group,
        macros,
        own,
    )
