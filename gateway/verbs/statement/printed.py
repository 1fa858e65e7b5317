"""A statement as one HTML file that can be read and printed anywhere: its style within it, nothing from outside."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from gateway.verbs.statement.document import Bullets, Contents, Document, Heading, Paragraph, Table

_SHORT = 12  # characters
_STYLE = """
:root { --ink: #1b2226; --soft: #5b686f; --line: #aab4b9; }
body { font: 15px/1.5 system-ui, "Noto Sans", sans-serif; color: var(--ink); }
body { max-width: 62rem; margin: 2rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.9rem; line-height: 1.2; }
h2 { margin-top: 2.6rem; border-bottom: 2px solid var(--ink); }
h3, h4, h5 { margin: 1.6rem 0 .4rem; }
h2, h3, h4, h5 { break-after: avoid; }
table { border-collapse: collapse; width: 100%; margin: .4rem 0 1.2rem; font-size: .86rem; }
caption { text-align: left; font-weight: 600; padding: .3rem 0; }
thead { display: table-header-group; }
tr { break-inside: avoid; }
th, td { border: 1px solid var(--line); padding: .22rem .5rem; text-align: left; vertical-align: top; }
td { overflow-wrap: anywhere; }
.short { white-space: nowrap; }
h4, h5 { font-size: 1rem; }
h5 { font-weight: 500; }
th { background: #eef1f2; }
dl { display: grid; grid-template-columns: max-content auto; gap: .2rem 1.2rem; }
dt { color: var(--soft); }
dd { margin: 0; }
nav ol { list-style: none; padding: 0; margin: .2rem 0; }
.l2 { padding-left: 1.2rem; }
.l3 { padding-left: 2.4rem; }
a { color: inherit; }
@page { margin: 18mm 15mm; }
@media print { body { font-size: 10pt; margin: 0; max-width: none; } nav { break-after: page; } }
"""


def written(document: Document) -> str:
    return "".join(_parts(document)) + "\n"


def _parts(document: Document) -> Iterator[str]:
    yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{escape(document.title)}</title><style>{_STYLE}</style></head><body>\n"
    yield f"<h1>{escape(document.title)}</h1>\n<dl>"
    yield from (f"<dt>{escape(what)}</dt><dd>{escape(value)}</dd>" for what, value in document.cover)
    yield "</dl>\n"
    for block in document.blocks:
        yield from _contents(document, block) if isinstance(block, Contents) else (_block(block), "\n")
    yield "</body></html>"


def _contents(document: Document, contents: Contents) -> Iterator[str]:
    yield "<nav><ol>"
    for heading in document.headings:
        if heading.level <= contents.level:
            link = f'<a href="#{heading.anchor}">{heading.number} {escape(heading.text)}</a>'
            yield f'<li class="l{heading.level}">{link}</li>'
    yield "</ol></nav>\n"


def _block(block: Heading | Paragraph | Bullets | Table) -> str:
    if isinstance(block, Heading):
        tag = f"h{min(block.level + 1, 5)}"
        return f'<{tag} id="{block.anchor}">{block.number} {escape(block.text)}</{tag}>'
    if isinstance(block, Paragraph):
        return f"<p>{escape(block.text)}</p>"
    if isinstance(block, Bullets):
        return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in block.lines) + "</ul>"
    head = "".join(f"<th>{escape(cell)}</th>" for cell in block.head)
    rows = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in block.rows)
    top = f"<caption>{escape(block.title)}</caption><thead><tr>{head}</tr></thead>"
    return f"<table>{top}<tbody>{rows}</tbody></table>"


def _cell(text: str) -> str:
    """Tags, codes and types stay in one line."""
    short = ' class="short"' if len(text) <= _SHORT and " " not in text else ""
    return f"<td{short}>{escape(text or '-')}</td>"
