"""Reading our pages back as anybody could: well-formed XHTML, its links, its words."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

X = "{http://www.w3.org/1999/xhtml}"


def parsed(page: Path) -> ElementTree.Element:
    return ElementTree.fromstring(page.read_text(encoding="utf-8"))


def words(page: Path) -> str:
    """Everything that is written on a page."""
    return " ".join(" ".join(parsed(page).itertext()).split())


def addresses(page: Path) -> list[str]:
    """Every address on a page, of links, pictures and style sheets."""
    found = [e.attrib[name] for e in parsed(page).iter() for name in ("href", "src") if name in e.attrib]
    assert not [e for e in parsed(page).iter() if e.tag.removeprefix(X) in ("script", "object", "iframe", "form")]
    assert not [name for e in parsed(page).iter() for name in e.attrib if name.startswith("on")]
    return found


def study_pages(root: Path) -> list[Path]:
    return sorted(root.glob("IHE_PDI/??/????????/PG*.HTM"))


def page_of(root: Path, text: str) -> Path:
    """The one study page that says ``text``."""
    (found,) = [page for page in study_pages(root) if text in words(page)]
    return found


def reached(root: Path) -> set[str]:
    """Every file that INDEX.HTM leads to, relative to ``root``; a dead link, or one that leads out, fails."""
    todo, found = [root / "INDEX.HTM"], set()
    while todo:
        page = todo.pop()
        name = page.relative_to(root).as_posix()
        if name in found:
            continue
        found.add(name)
        for address in addresses(page) if name.endswith(".HTM") else []:
            assert ":" not in address and not address.startswith("/"), f"{name} has the address {address}"
            target = (page.parent / address).resolve()
            assert target.is_file() and target.is_relative_to(root.resolve()), f"{name}: {address} leads nowhere"
            todo.append(root / target.relative_to(root.resolve()))
    return found
