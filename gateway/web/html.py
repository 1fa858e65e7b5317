"""The small parts that every section of the page is made of. Every text is escaped here."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape


class Markup(str):
    """Text that is HTML already: a button, an input."""

    __slots__ = ()


def section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], nothing: str) -> str:
    """``rows`` are escaped here, but for what is :class:`Markup`; a row's cells follow ``head``."""
    lines = ["<tr>" + "".join(f"<td>{text(cell)}</td>" for cell in row) + "</tr>" for row in rows]
    if not lines:
        return f'<p class="none">{escape(nothing)}</p>'
    top = "".join(f"<th>{escape(word)}</th>" for word in head)
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def text(value: str) -> str:
    return value if isinstance(value, Markup) else escape(value)


def button(words: str, data: Mapping[str, str], *, grave: bool = False) -> Markup:
    """``data`` says to page.js what it does; ``grave``: it needs a second look."""
    attributes = "".join(f' data-{name}="{escape(value, quote=True)}"' for name, value in data.items())
    kind = ' class="grave"' if grave else ""
    return Markup(f'<button type="button"{kind}{attributes}>{escape(words)}</button>')


def checkbox(
    name: str, value: str, data: Mapping[str, str], *, label: str, on: bool = False, off: bool = False
) -> Markup:
    """``label`` is read out where none is to be seen; ``on``: checked, ``off``: cannot be chosen."""
    attributes = "".join(f' data-{key}="{escape(said, quote=True)}"' for key, said in data.items())
    state = (" checked" if on else "") + (" disabled" if off else "")
    named = f'name="{name}" value="{escape(value, quote=True)}" aria-label="{escape(label, quote=True)}"'
    return Markup(f'<input type="checkbox" {named}{attributes}{state}>')


def clock(wall: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(wall))


def age(seconds: float) -> str:
    return (
        f"{seconds:.0f} s"
        if seconds < 120
        else f"{seconds / 60:.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:.0f} h"
    )


def scheduled(start: str) -> str:
    """``YYYYMMDD HHMM…`` (DA and TM) for people; anything else as it came."""
    for form, shown in (("%Y%m%d %H%M%S", "%d %b %H:%M"), ("%Y%m%d %H%M", "%d %b %H:%M"), ("%Y%m%d", "%d %b")):
        try:
            return datetime.strptime(start, form).strftime(shown)
        except ValueError:
            continue
    return start or "-"


def date(value: str) -> str:
    return f"{value[:4]}-{value[4:6]}-{value[6:]}" if len(value) == 8 and value.isdigit() else value or "-"


def person(name: str) -> str:
    """A person name (PN) as people write it."""
    return name.replace("^", ", ", 1).replace("^", " ").strip(", ")
