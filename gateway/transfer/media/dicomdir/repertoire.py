"""Is it the same Patient ID, when two programs wrote it in two character sets? (PS3.5 section 6.1, PS3.3 C.12.1.1.2)

Only what tells entities apart is ever decoded, and only to compare it: what is written stays as it was encoded.
"""

from __future__ import annotations

import re
import unicodedata

# Defined terms of Specific Character Set (0008,0005) -> Python's codec.
_CODECS = {
    "": "ascii",
    "ISO_IR 6": "ascii",
    "ISO_IR 100": "latin-1",
    "ISO_IR 101": "iso8859-2",
    "ISO_IR 109": "iso8859-3",
    "ISO_IR 110": "iso8859-4",
    "ISO_IR 126": "iso8859-7",
    "ISO_IR 127": "iso8859-6",
    "ISO_IR 138": "iso8859-8",
    "ISO_IR 144": "iso8859-5",
    "ISO_IR 148": "iso8859-9",
    "ISO_IR 203": "iso8859-15",
    "ISO_IR 13": "shift_jis",
    "ISO_IR 166": "tis-620",
    "ISO_IR 192": "utf-8",
    "GB18030": "gb18030",
    "GBK": "gbk",
}
_EXTENSIONS = frozenset(
    f"ISO 2022 IR {n}" for n in (6, 100, 101, 109, 110, 126, 127, 138, 144, 148, 203, 13, 166, 87, 159, 149, 58)
)
# Escape sequences of code extension -> the codec for what follows, and what its bytes are put through first.
_ESCAPES: dict[bytes, tuple[str, bytes]] = {
    b"\x1b(B": ("ascii", b""),
    b"\x1b-A": ("latin-1", b""),
    b"\x1b-B": ("iso8859-2", b""),
    b"\x1b-C": ("iso8859-3", b""),
    b"\x1b-D": ("iso8859-4", b""),
    b"\x1b-F": ("iso8859-7", b""),
    b"\x1b-G": ("iso8859-6", b""),
    b"\x1b-H": ("iso8859-8", b""),
    b"\x1b-L": ("iso8859-5", b""),
    b"\x1b-M": ("iso8859-9", b""),
    b"\x1b-T": ("tis-620", b""),
    b"\x1b(J": ("shift_jis", b""),
    b"\x1b)I": ("shift_jis", b""),
    b"\x1b$B": ("iso2022_jp", b"\x1b$B"),
    b"\x1b$(D": ("iso2022_jp_2", b"\x1b$(D"),
    b"\x1b$)C": ("euc_kr", b""),
    b"\x1b$)A": ("gb2312", b""),
}
_SEQUENCE = re.compile(rb"(\x1b[\x20-\x2f]+[\x30-\x7e])")


def same(value: bytes, repertoire: bytes) -> bytes | None:
    """A form in which equal texts are equal bytes; None if the value cannot be read in its character sets.

    ``repertoire`` is the value of Specific Character Set as encoded. A value in plain ASCII is its own form.
    """
    if value.isascii() and b"\x1b" not in value:
        return value
    first = repertoire.decode("ascii", "replace").split("\\")[0].strip().replace("ISO 2022 IR", "ISO_IR")
    codec = _CODECS.get(first)
    if codec is None:
        return None
    text, prefix = "", b""
    try:
        for part in _SEQUENCE.split(value) if b"\x1b" in value else [value]:
            if part in _ESCAPES:
                codec, prefix = _ESCAPES[part]
            elif part.startswith(b"\x1b"):
                return None
            else:
                text += (prefix + part).decode(codec)
    except UnicodeDecodeError:
        return None
    return unicodedata.normalize("NFC", text).encode()


def known(repertoire: bytes) -> bool:
    """Whether every value of a Specific Character Set is a defined term."""
    terms = [term.strip() for term in repertoire.decode("ascii", "replace").split("\\")]
    return all(term in _CODECS or term in _EXTENSIONS for term in terms)
