"""The bearer token (RFC 6750) from its file: read for each request, so that it may be renewed, and never shown."""

from __future__ import annotations

import re
from pathlib import Path

from gateway.transfer.calling.outcomes import Failed, Outcome
from gateway.transfer.calling.peers import Peer

_TOKEN = re.compile(rb"[A-Za-z0-9._~+/-]+=*")
_LONGEST = 1 << 14  # bytes


def token(peer: Peer, path: str) -> str:
    """The token now; "" if none is wanted. Raises Failed if the file has none."""
    if not path:
        return ""
    try:
        with Path(path).open("rb") as stream:
            raw = stream.read(_LONGEST + 1).strip()
    except OSError as error:
        raise _unusable(peer, f"its token {path} cannot be read ({error.strerror})") from error
    if len(raw) > _LONGEST or not _TOKEN.fullmatch(raw):
        raise _unusable(peer, f"{path} holds no token; it must be one line of the characters of RFC 6750")
    return raw.decode("ascii")


def _unusable(peer: Peer, words: str) -> Failed:
    return Failed(Outcome("retry", "no-token", f"{peer} is not called: {words}"))
