"""The pages as XHTML 1.0, which PDI wants, readable for a browser of any age: pure functions, every text escaped.

No script, no form, nothing from outside the medium; every address is relative, so the medium may be mounted anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from gateway import __version__

MARK = "modality-gateway-pages"  # stands in the head of every page of ours, and in README.TXT
_DOCTYPE = (
    '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">'
)
_POLICY = "script-src 'none'; object-src 'none'; frame-src 'none'; base-uri 'none'; form-action 'none'"


@dataclass(frozen=True, slots=True)
class Row:
    """One study in a list. ``link``: its page, relative to the folder IHE_PDI; empty if it has none yet."""

    link: str
    patient: str
    patient_id: str
    born: str
    when: str
    what: str
    contents: str


@dataclass(frozen=True, slots=True)
class Shown:
    """One instance on its study's page. ``picture``: a file beside the page, empty if there is none."""

    title: str
    when: str
    picture: str
    note: str
    file_id: str


@dataclass(frozen=True, slots=True)
class Study:
    """One page of a study. ``facts``: label and value; what has no value is left out."""

    patient: str
    what: str
    institution: str
    facts: tuple[tuple[str, str], ...]
    shown: tuple[Shown, ...]
    number: int  # of this page, from 1
    more: bool  # a further page follows


def index(
    rows: Sequence[Row],
    lists: Sequence[tuple[str, str]],
    count: int,
    institution: str,
    contact: str,
    file_set_id: str,
    updated: str,
    base: str,
    readme: str,
) -> str:
    """INDEX.HTM. ``base``: from it to the folder IHE_PDI, "" or "IHE_PDI/". ``lists``: of all, address and words."""
    studies = "1 study" if count == 1 else f"{count} studies"
    newest = f"The newest {len(rows)} of {studies}" if count > len(rows) else studies
    more = "".join(f' <a href="{escape(base + link)}">{escape(words)}</a>' for link, words in lists)
    every = f'<div class="box screen"><h2>All studies</h2><p>{more}</p></div>' if lists else ""
    lines = [institution and f"From: {institution}", file_set_id and f"Medium: {file_set_id}"]
    head = " &#183; ".join(escape(line) for line in lines if line)
    ask = f" Questions: {escape(contact)}." if contact else ""
    body = (
        f'<div class="box"><h2>{escape(newest)}</h2>{_table(rows, base)}</div>{every}'
        '<div class="box warn"><p><strong>Confidential.</strong> This medium holds health data of the persons named '
        f"here. If you have found it, please give it back to the institution that made it.{ask}</p>"
        "<p>The pictures on these pages are for orientation, not for diagnosis. For that, open the medium with a "
        "DICOM viewer: the file <strong>DICOMDIR</strong> in its first folder names all that is on it.</p></div>"
        f'<p class="note screen"><a href="{escape(readme)}">README.TXT</a> tells who made this medium, how, and what '
        "lies where.</p>"
    )
    when = f"Brought up to date on {escape(updated)}. " if updated else ""
    return _page("Contents of this medium", f"<p>{head}</p>" if head else "", body, f"{base}STYLE.CSS", when)


def listing(rows: Sequence[Row], title: str, back: str) -> str:
    """One of the lists of all studies, in the folder IHE_PDI."""
    body = f'<div class="box">{_table(rows, "")}</div>'
    return _page(
        title, f'<p class="screen"><a href="{escape(back)}">Contents of this medium</a></p>', body, "STYLE.CSS"
    )


def study(one: Study, back: str, style: str) -> str:
    """A page of a study, two folders below IHE_PDI."""
    step = [f'<a href="{escape(back)}">Contents of this medium</a>']
    if one.number > 1:
        step.append(f'<a href="{page_name(one.number - 1)}">Back</a>')
    if one.more:
        step.append(f'<a href="{page_name(one.number + 1)}">More of this study</a>')
    facts = "".join(f"<tr><th>{escape(label)}</th><td>{escape(value)}</td></tr>" for label, value in one.facts if value)
    sheets = "".join(_shown(shown) for shown in one.shown)
    more = f'<p class="step screen">{step[-1]}</p>' if one.more else ""
    body = f'<div class="box"><table class="facts"><tbody>{facts}</tbody></table></div>{sheets}{more}'
    links = f'<p class="screen">{" &#183; ".join(step)}</p>'
    part = f", page {one.number}" if one.number > 1 or one.more else ""
    under = f"<p>{escape(one.what)}{part}</p>" if one.what or part else ""
    return _page(one.patient or "(no name)", under + links, body, style, end="Not for diagnosis. ")


def page_name(number: int) -> str:
    """The n-th page of a study."""
    return f"PG{number:06}.HTM"


def _shown(one: Shown) -> str:
    title = f"{escape(one.title)}{' &#183; ' + escape(one.when) if one.when else ''}"
    if one.picture.endswith(".PDF"):
        inside = f'<p><a href="{one.picture}">Open the document (PDF)</a></p>'
    elif one.picture:
        inside = f'<p><a href="{one.picture}"><img src="{one.picture}" alt="{escape(one.title)}" /></a></p>'
    else:
        inside = ""
    note = f'<p class="{"note" if one.picture else "none"}">{escape(one.note)}</p>' if one.note else ""
    form = "sheet" if one.picture.endswith(".SVG") else "still"
    file = f'<p class="file">{escape(one.file_id)}</p>'
    return f'<div class="box {form}"><h2>{title}</h2>{inside}{note}{file}</div>'


def _table(rows: Sequence[Row], base: str) -> str:
    if not rows:
        return "<p>Nothing is on this medium yet.</p>"
    heads = ("Patient", "Patient ID", "Born", "Examined", "What", "On this medium")
    head, last = "".join(f"<th>{words}</th>" for words in heads), '<tr class="last">'
    body = "".join(
        f"{last if row is rows[-1] else '<tr>'}"
        f'<td class="name">{_linked(base, row)}</td><td>{escape(row.patient_id)}</td>'
        f'<td class="day">{escape(row.born)}</td><td class="day">{escape(row.when)}</td>'
        f"<td>{escape(row.what)}</td><td>{escape(row.contents)}</td></tr>"
        for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _linked(base: str, row: Row) -> str:
    words = escape(row.patient or "(no name)")
    return f'<a href="{escape(base + row.link)}">{words}</a>' if row.link else words


def _page(title: str, under: str, body: str, style: str, end: str = "") -> str:
    return (
        f'{_DOCTYPE}\n<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">\n<head>\n'
        f'<meta http-equiv="Content-Type" content="text/html; charset=utf-8" />\n'
        f'<meta name="generator" content="{MARK} {__version__}" />\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}" />\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1" />\n'
        f"<title>{escape(title)}</title>\n"
        f'<link rel="stylesheet" type="text/css" href="{escape(style)}" />\n</head>\n<body>\n'
        f'<div id="top"><div class="wrap"><h1>{escape(title)}</h1>{under}</div></div>\n'
        f'<div class="wrap">{body}<p id="end">{end}Made by the modality gateway, version {__version__}.</p></div>\n'
        "</body>\n</html>\n"
    )
