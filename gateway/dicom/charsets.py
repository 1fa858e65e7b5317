"""Specific Character Set: which terms there are, and whether a text is written in the one that is declared.

PS3.3 C.12.1.1.2 and PS3.5 6.1. Sets with code extensions (ISO 2022) switch within a value and are not decoded here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

# single-byte and multi-byte sets without code extensions, and what Python calls them
PLAIN = {
    "ISO_IR 6": "ascii",
    "ISO_IR 100": "iso8859_1",
    "ISO_IR 101": "iso8859_2",
    "ISO_IR 109": "iso8859_3",
    "ISO_IR 110": "iso8859_4",
    "ISO_IR 126": "iso8859_7",
    "ISO_IR 127": "iso8859_6",
    "ISO_IR 138": "iso8859_8",
    "ISO_IR 144": "iso8859_5",
    "ISO_IR 148": "iso8859_9",
    "ISO_IR 203": "iso8859_15",
    "ISO_IR 13": "shift_jis",
    "ISO_IR 166": "tis_620",
    "ISO_IR 192": "utf_8",
    "GB18030": "gb18030",
    "GBK": "gbk",
}
EXTENDED = frozenset(
    f"ISO 2022 IR {n}" for n in (6, 13, 58, 87, 100, 101, 109, 110, 126, 127, 138, 144, 148, 149, 159, 166, 203)
)
_ALONE = frozenset({"ISO_IR 192", "GB18030", "GBK"})


def faults(terms: Sequence[str]) -> Iterator[str]:
    """In words, what is wrong with the values of Specific Character Set."""
    for number, term in enumerate(terms, 1):
        if term not in PLAIN and term not in EXTENDED and (term or number > 1):
            yield f"{term[:20]!r} is no defined term; the text cannot be read"
        elif len(terms) > 1 and term in _ALONE:
            yield f"{term} must stand alone"
        elif len(terms) > 1 and term in PLAIN:
            yield f"{term} is without code extensions; several sets need those of ISO 2022"


def undecodable(value: bytes, terms: Sequence[str]) -> str:
    """In words, that a value is not written in the declared set; "" if it is, or if nobody can tell."""
    if value.isascii() or len(terms) > 1:
        return ""
    term = terms[0] if terms and terms[0] else "ISO_IR 6"
    codec = PLAIN.get(term)
    if codec is None or (codec == "ascii" and not terms):
        return ""  # without any declaration the SOP Common module speaks
    try:
        value.decode(codec)
    except UnicodeDecodeError:
        return f"holds bytes that are no text in {term}"
    return ""
