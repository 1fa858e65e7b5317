"""How one setting is declared, and how a table of them is read from TOML with errors a person can use.

A section is a frozen dataclass whose fields are made with :func:`setting`: default, check and words stand
together, so the same declaration parses, refuses, and documents itself. Adapters declare their own options
the same way.
"""

from __future__ import annotations

import dataclasses
import difflib
import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from gateway.errors import Misuse
from gateway.sop_classes import WRITTEN

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Check:
    """``read`` turns the TOML value into the setting's or raises ValueError; ``allowed`` says what it takes."""

    allowed: str
    read: Callable[[Any], Any]


def setting(default: Any, check: Check, doc: str) -> Any:
    """Declare one setting of a section. ``default`` may be ``...``: the setting is required."""
    metadata = {"check": check, "doc": doc}
    if default is ...:
        return dataclasses.field(kw_only=True, metadata=metadata)
    return dataclasses.field(default=default, kw_only=True, metadata=metadata)


def _typed(kind: type, value: Any) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ValueError
    return value


def text(longest: int = 64, pattern: str = r"[^\x00-\x1f]*", allowed: str = "") -> Check:
    def read(value: Any) -> str:
        found: str = _typed(str, value)
        if len(found) > longest or not re.fullmatch(pattern, found):
            raise ValueError
        return found

    return Check(allowed or f"text of at most {longest} characters", read)


def whole(low: int, high: int, unit: str = "") -> Check:
    def read(value: Any) -> int:
        if not low <= _typed(int, value) <= high:
            raise ValueError
        return int(value)

    return Check(f"a whole number from {low} to {high}{' ' + unit if unit else ''}", read)


def number(low: float, high: float, unit: str = "") -> Check:
    def read(value: Any) -> float:
        if not low <= float(_typed(int, value) if isinstance(value, int) else _typed(float, value)) <= high:
            raise ValueError
        return float(value)

    return Check(f"a number from {low:g} to {high:g}{' ' + unit if unit else ''}", read)


def none_or_whole(low: int, high: int, unit: str) -> Check:
    """0, which says none, or a number within the bounds."""
    inner = whole(low, high, unit)
    return Check(f"0, or {inner.allowed}", lambda value: 0 if value == 0 and value is not False else inner.read(value))


def choice(*words: str) -> Check:
    def read(value: Any) -> str:
        if value not in words:
            raise ValueError
        return str(value)

    return Check("one of " + ", ".join(f'"{w}"' for w in words), read)


def yes_no() -> Check:
    return Check("true or false", lambda value: bool(_typed(bool, value)))


def many(each: Check, most: int = 64) -> Check:
    def read(value: Any) -> tuple[Any, ...]:
        if len(_typed(list, value)) > most:
            raise ValueError
        return tuple(each.read(v) for v in value)

    return Check(f"a list of at most {most}: each {each.allowed}", read)


def folder(optional: bool = False) -> Check:
    """An absolute path; if it is ``optional``, "" is read as None."""

    def read(value: Any) -> Path | None:
        if optional and value == "":
            return None
        if not Path(_typed(str, value)).is_absolute():
            raise ValueError
        return Path(value)

    return Check("an absolute path" + (', or ""' if optional else ""), read)


def stick() -> Check:
    """Which stick: "label:NAME", "serial:NUMBER" or "ask"; read as it stands."""
    allowed = '"label:NAME" (at most 11 characters), "serial:NUMBER", or "ask"'
    return text(135, r"ask|label:[^\x00-\x1f\x7f]{1,11}|serial:[!-~]{1,128}", allowed)


def file() -> Check:
    """A file that may hold a secret: it stands elsewhere, never in the configuration."""
    return text(255, r"(/[^\x00-\x1f]*|[A-Za-z0-9_.-]*)", "an absolute path, or the name of a systemd credential")


def ae_title() -> Check:
    """PS3.5 table 6.2-1, VR AE: 1 to 16 characters, no backslash or control, not only spaces."""

    def read(value: Any) -> str:
        title = str(_typed(str, value)).strip(" ")
        if not 1 <= len(title) <= 16 or not re.fullmatch(r"[ -\[\]-~]+", title):
            raise ValueError
        return title

    return Check("an AE title: 1 to 16 printable ASCII characters, no backslash", read)


def sop_class() -> Check:
    """A SOP class by its word, or by its UID (PS3.5 9.1); read as the UID."""
    uid = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+")

    def read(value: Any) -> str:
        found = WRITTEN.get(_typed(str, value), value)
        if len(found) > 64 or not uid.fullmatch(found):
            raise ValueError
        return str(found)

    return Check("one of " + ", ".join(f'"{w}"' for w in WRITTEN) + ", or a SOP Class UID", read)


def hours() -> Check:
    """A span of the day, local time; one that ends before it begins goes over midnight."""
    clock = r"([01][0-9]|2[0-3]):[0-5][0-9]"
    span = re.compile(rf"({clock})-({clock}|24:00)")

    def read(value: Any) -> str:
        match = span.fullmatch(_typed(str, value))
        if match is None or match[1] == match[3]:
            raise ValueError
        return str(value)

    return Check('hours of the day as "HH:MM-HH:MM"', read)


def network() -> Check:
    """An IP address, or a network in CIDR notation."""

    def read(value: Any) -> str:
        return str(ipaddress.ip_network(_typed(str, value), strict=False))

    return Check('an IP address, or a network as "192.0.2.0/24"', read)


def name() -> Check:
    allowed = "a name: letters, digits, '-' and '_', at most 32"
    return text(32, r"[A-Za-z0-9][A-Za-z0-9_-]*", allowed)


def read_section(
    kind: type[T], data: Any, where: Source, path: tuple[str | int, ...], elsewhere: Iterable[str] = ()
) -> T:
    """Make ``kind`` of one TOML table, or raise Misuse that names file, line, key and what is allowed.

    ``elsewhere`` are keys of the same table that are read by somebody else: a slip may have meant one of them.
    """
    if not isinstance(data, dict):
        raise where.wrong(path, "is not a table", "write it as [section] with keys below")
    known = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    values = {}
    for key, value in data.items():
        if key not in known:
            names = [*known, *elsewhere]
            close = difflib.get_close_matches(key, names, 1)
            hint = f"did you mean {close[0]!r}?" if close else "known keys: " + ", ".join(names)
            raise where.wrong((*path, key), "is unknown", hint)
        check: Check = known[key].metadata["check"]
        try:
            values[key] = check.read(value)
        except ValueError:
            raise where.wrong((*path, key), f"may not be {value!r}", f"allowed: {check.allowed}") from None
    for key, field in known.items():
        if key not in values and field.default is dataclasses.MISSING:
            check = field.metadata["check"]
            raise where.wrong(path, f"lacks the key {key!r}", f"it takes {check.allowed}")
    return kind(**values)


@dataclass(frozen=True, slots=True)
class Source:
    """The text a configuration came from, to say in which line something stands."""

    file: str
    lines: tuple[str, ...]

    def wrong(self, path: tuple[str | int, ...], what: str, fix: str) -> Misuse:
        """``path`` is section, optional 0-based index, optional key."""
        words = [str(p) for p in path if isinstance(p, str)]
        number = next((p + 1 for p in path if isinstance(p, int)), None)
        place = f"[{words[0]}]" if number is None else f"[[{words[0]}]] no. {number}"
        subject = f"{place} key {words[-1]!r}" if len(words) > 1 else place
        return Misuse(f"{self.file}, line {self.line(path)}: {subject} {what}", fix)

    def line(self, path: tuple[str | int, ...]) -> int:
        """The 1-based line of the key (else of its section, else 1)."""
        words = [str(p) for p in path if isinstance(p, str)]
        skip = next((p for p in path if isinstance(p, int)), 0)
        header = re.compile(rf"\s*\[\[?\s*{re.escape(words[0])}\s*\]")
        found = 0
        for number, line in enumerate(self.lines, 1):
            if re.match(r"\s*\[", line) and found and not line.lstrip().startswith(f"[{words[0]}."):
                break
            if not found and header.match(line):
                if skip:
                    skip -= 1
                else:
                    found = number
                continue
            if found and len(words) > 1 and re.match(rf"\s*[\"']?{re.escape(words[-1])}[\"']?\s*=", line):
                return number
        return found or 1


def documentation(kind: type) -> Iterator[tuple[str, str, str, str]]:
    """(key, allowed, default, words) of each setting of a section, for the reference."""
    for field in dataclasses.fields(kind):
        check: Check = field.metadata["check"]
        required = field.default is dataclasses.MISSING
        yield field.name, check.allowed, "required" if required else _shown(field.default), field.metadata["doc"]


def _shown(value: Any) -> str:
    if value is None:
        return '""'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (str, Path)):
        return f'"{value}"'
    return "[" + ", ".join(map(_shown, value)) + "]" if isinstance(value, tuple) else f"{value:g}"
