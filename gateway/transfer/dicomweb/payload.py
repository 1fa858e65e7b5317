"""What a server says of instances, one by one: the answer to a store (PS3.18 I.2) and to a commitment request (J.2).

In the DICOM JSON model (PS3.18 F) or the Native DICOM Model (PS3.19 A.1, XML). Nothing is believed: what is of the
wrong type is no answer at all, and an instance that is named twice, well and badly, has failed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

SOP_CLASS_UID, SOP_INSTANCE_UID = "00081150", "00081155"
WARNING_REASON, FAILURE_REASON = "00081196", "00081197"
FAILED_SOP_SEQUENCE, REFERENCED_SOP_SEQUENCE, OTHER_FAILURES_SEQUENCE = "00081198", "00081199", "0008119A"
PROCESSING_FAILURE = 0x0110
_DEEPEST = 32  # elements within each other
_MOST = 100_000  # elements in one answer
_UID = frozenset("0123456789.")


class Unintelligible(ValueError):
    """No answer that PS3.18 knows; the words say what it is instead."""


@dataclass(frozen=True, slots=True)
class Told:
    """SOP Instance UIDs taken, each with its Warning Reason or None; those refused, each with its Failure Reason.

    ``others`` are Failure Reasons of something that the server could not even name.
    """

    taken: dict[str, int | None] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    others: tuple[int, ...] = ()


def read(media_type: str, body: bytes) -> Told:
    """What ``body`` says. Raises Unintelligible."""
    return told(dataset(media_type, body))


def dataset(media_type: str, body: bytes) -> dict[str, Any]:
    """The one data set in ``body``, in the DICOM JSON model. Raises Unintelligible."""
    found = datasets(media_type, body)
    if len(found) != 1:
        raise Unintelligible(f"{len(found)} data sets instead of one")
    return found[0]


def datasets(media_type: str, body: bytes) -> list[dict[str, Any]]:
    """The data sets in ``body``. Raises Unintelligible."""
    start = body.lstrip(b" \t\r\n\xef\xbb\xbf")[:1]
    if "html" in media_type:
        raise Unintelligible(f"a page for people ({media_type})")
    if "json" in media_type or start in (b"{", b"["):
        return _json(body)
    if "xml" in media_type and start == b"<":
        return [_xml(body)]
    raise Unintelligible(media_type or "an answer without a media type")


def told(found: dict[str, Any]) -> Told:
    """Raises Unintelligible where a sequence is not one of instances."""
    failed: dict[str, int] = {}
    for item in items(found, FAILED_SOP_SEQUENCE):
        failed[uid(item, SOP_INSTANCE_UID)] = number(item, FAILURE_REASON, PROCESSING_FAILURE)
    others = tuple(number(i, FAILURE_REASON, PROCESSING_FAILURE) for i in items(found, OTHER_FAILURES_SEQUENCE))
    taken: dict[str, int | None] = {}
    for item in items(found, REFERENCED_SOP_SEQUENCE):
        taken[uid(item, SOP_INSTANCE_UID)] = number(item, WARNING_REASON, 0) or None
    return Told({u: w for u, w in taken.items() if u not in failed}, failed, others)


def items(found: dict[str, Any], tag: str) -> Iterator[dict[str, Any]]:
    for item in values(found, tag):
        if not isinstance(item, dict):
            raise Unintelligible(f"a sequence ({tag[:4]},{tag[4:]}) of something else than items")
        yield item


def values(found: dict[str, Any], tag: str) -> list[Any]:
    element = found.get(tag) or {}
    given = element.get("Value") or [] if isinstance(element, dict) else None
    if not isinstance(given, list):
        raise Unintelligible(f"({tag[:4]},{tag[4:]}) without a list of values")
    return given


def uid(found: dict[str, Any], tag: str) -> str:
    given = next(iter(values(found, tag)), None)
    text = given.strip(" \0") if isinstance(given, str) else ""
    if not 1 <= len(text) <= 64 or not _UID.issuperset(text):
        raise Unintelligible(f"({tag[:4]},{tag[4:]}) is no UID")
    return text


def number(found: dict[str, Any], tag: str, default: int) -> int:
    """An unsigned short; some servers write numbers as text."""
    given = next(iter(values(found, tag)), default)
    if isinstance(given, str) and given.strip().isascii() and given.strip().isdigit() and len(given) < 12:
        given = int(given)
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= 0xFFFF:
        raise Unintelligible(f"({tag[:4]},{tag[4:]}) is no status")
    return given


def _json(body: bytes) -> list[dict[str, Any]]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unintelligible("JSON that cannot be read") from error
    found = found if isinstance(found, list) else [found]
    if not all(isinstance(one, dict) for one in found):
        raise Unintelligible("JSON that is no data set")
    return found


class _Native:
    """The Native DICOM Model, as it is parsed, to the JSON model. Only values and items, of any element."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}
        self._open: list[tuple[str, Any]] = [("", None)]
        self._text: list[str] | None = None
        self._count = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        name, above = name.rpartition(":")[2], self._open[-1][1]
        self._count += 1
        if len(self._open) > _DEEPEST or self._count > _MOST:
            raise Unintelligible("XML that goes too deep, or on and on")
        made: Any = None
        if name == "NativeDicomModel" and len(self._open) == 1:
            made = self.found
        elif name == "DicomAttribute" and isinstance(above, dict):
            made = above.setdefault(attributes.get("tag", "").upper(), {"Value": []})["Value"]
        elif name == "Item" and isinstance(above, list):
            made = {}
            above.append(made)
        elif name == "Value" and isinstance(above, list):
            self._text = []
        self._open.append((name, made))

    def text(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def end(self, _name: str) -> None:
        self._open.pop()
        above = self._open[-1][1]
        if self._text is not None and isinstance(above, list):
            above.append("".join(self._text))
            self._text = None


def _xml(body: bytes) -> dict[str, Any]:
    """A document type may make much of little: none is taken."""
    native, parser = _Native(), expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = native.start, native.end
    parser.CharacterDataHandler = native.text
    parser.StartDoctypeDeclHandler = _no_document_type
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise error if isinstance(error, Unintelligible) else Unintelligible("XML that cannot be read") from error
    if not native.found:
        raise Unintelligible("XML that is no data set")
    return native.found


def _no_document_type(*_: object) -> None:
    raise Unintelligible("XML with a document type")
