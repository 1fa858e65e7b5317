"""The one place that makes peers of what is configured."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gateway.errors import Misuse
from gateway.settings import Box, Destination, Ris

_AE_TITLE = re.compile(r"[ -\[\]-~]{1,16}")


@dataclass(frozen=True, slots=True)
class Peer:
    """Whom to call, as whom, and how many seconds without progress are too many."""

    name: str
    ae_title: str
    host: str
    port: int
    own_ae_title: str
    timeout: float = 30.0

    def __post_init__(self) -> None:
        for title in (self.ae_title, self.own_ae_title):
            if not _AE_TITLE.fullmatch(title):
                raise Misuse(f"{title!r} is no AE title", "use 1 to 16 printable ASCII characters, no backslash")

    def __str__(self) -> str:
        return f"{self.ae_title} at {self.host}:{self.port}"


def ris(box: Box, ris: Ris) -> Peer:
    """The RIS for worklist and performed procedure steps."""
    return Peer(ris.name, ris.ae_title, ris.host, ris.port, box.ae_title, ris.timeout)


def destination(box: Box, to: Destination) -> Peer:
    """The PACS that takes instances."""
    return Peer(to.name, to.ae_title, to.host, to.port, box.ae_title, to.timeout)


def commitment(box: Box, to: Destination) -> Peer:
    """Who is asked for storage commitment of what ``to`` took: the same address, sometimes another AE title."""
    title = to.commitment_ae_title or to.ae_title
    return Peer(to.name, title, to.host, to.port, box.ae_title, to.timeout)
