"""What a statement is made of: headings that number themselves, paragraphs, lists and tables. Plain text throughout."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Heading:
    level: int  # 1 = a chapter
    text: str
    number: str = ""  # "4.2.1"

    @property
    def anchor(self) -> str:
        return f"s{self.number.replace('.', '-')}"


@dataclass(frozen=True, slots=True)
class Paragraph:
    text: str


@dataclass(frozen=True, slots=True)
class Bullets:
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Contents:
    """The headings of the document, down to ``level``."""

    level: int = 3


Block = Heading | Paragraph | Bullets | Table | Contents


@dataclass(frozen=True, slots=True)
class Document:
    title: str
    cover: tuple[tuple[str, str], ...]  # what, and its value
    blocks: tuple[Block, ...] = field(default=())

    @property
    def headings(self) -> Iterator[Heading]:
        return (block for block in self.blocks if isinstance(block, Heading))

    def table(self, title: str) -> Table:
        """The table of this title. Raises KeyError."""
        for block in self.blocks:
            if isinstance(block, Table) and block.title == title:
                return block
        raise KeyError(title)


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Raises ValueError for a row of another length: a slip in a chapter."""
    found = tuple(tuple(row) for row in rows)
    if any(len(row) != len(head) for row in found):
        raise ValueError(f"the table {title!r} has a row that does not fit its head")
    return Table(title, tuple(head), found)


def bullets(lines: Iterable[str]) -> Bullets:
    return Bullets(tuple(lines))


def numbered(blocks: Iterable[Block]) -> Iterator[Block]:
    """The same, with the number of each heading: as PS3.2 counts its sections."""
    counters: list[int] = []
    for block in blocks:
        if not isinstance(block, Heading):
            yield block
            continue
        counters = [*counters[: block.level], *[0] * (block.level - len(counters))]
        counters[block.level - 1] += 1
        yield Heading(block.level, block.text, ".".join(map(str, counters)))
