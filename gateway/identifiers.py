"""Names that nobody else has: UIDs, exam and acquisition ids.

UIDs are of the form 2.25.<128-bit number> (PS3.5 B.2). Those of instances are derived, not drawn: wrapping
the same acquisition again after a crash must give the same object.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
import uuid

_UID = re.compile(r"(?=.{1,64}\Z)(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+")


def is_uid(text: str) -> bool:
    """Whether it is what PS3.5 section 9.1 calls a UID."""
    return _UID.fullmatch(text) is not None


def new_uid() -> str:
    """A fresh UUID-derived UID."""
    return f"2.25.{uuid.uuid4().int}"


def derived_uid(root: str, *parts: str | int) -> str:
    """The UID that ``root`` and ``parts`` always give: a version 8 UUID (RFC 9562) from SHA-256."""
    seed = "\x00".join([root, *map(str, parts)]).encode()
    number = int.from_bytes(hashlib.sha256(seed).digest()[:16], "big")
    number = number & ~(0xF << 76) | 0x8 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    return f"2.25.{number}"


def new_exam_id(wall: float) -> str:
    """At most 16 characters (SH), sorts by time: used as Performed Procedure Step ID."""
    return time.strftime("%y%m%d%H%M%S", time.gmtime(wall)) + secrets.token_hex(2).upper()


def new_acquisition_id(device: str, wall: float) -> str:
    """Folder name of an acquisition: time, device, and four random bytes."""
    return f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(wall))}-{device}-{secrets.token_hex(4)}"
