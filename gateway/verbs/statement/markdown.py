"""A statement as Markdown."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from gateway.verbs.statement.document import Bullets, Contents, Document, Heading, Paragraph, Table

_WIDTH = 120


def written(document: Document) -> str:
    return "\n".join(_lines(document)) + "\n"


def _lines(document: Document) -> Iterator[str]:
    yield f"# {document.title}"
    yield ""
    for what, value in document.cover:
        yield f"- {what}: {value}"
    for block in document.blocks:
        yield ""
        if isinstance(block, Contents):
            for heading in document.headings:
                if heading.level <= block.level:
                    yield f"{'  ' * (heading.level - 1)}- {heading.number} {heading.text}"
        else:
            yield from _block(block)


def _block(block: Heading | Paragraph | Bullets | Table) -> Iterator[str]:
    if isinstance(block, Heading):
        yield f"{'#' * (block.level + 1)} {block.number} {block.text}"
    elif isinstance(block, Paragraph):
        yield from textwrap.wrap(block.text, _WIDTH, break_long_words=False, break_on_hyphens=False)
    elif isinstance(block, Bullets):
        for line in block.lines:
            yield from textwrap.wrap(line, _WIDTH, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)
    else:
        yield f"**{block.title}**"
        yield ""
        yield _row(block.head)
        yield "|" + "---|" * len(block.head)
        yield from (_row(row) for row in block.rows)


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ") or "-"
