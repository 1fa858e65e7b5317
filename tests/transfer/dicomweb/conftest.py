"""A box whose one destination is a DICOMweb archive, with the real courier, ledger and transport."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from archive import Archive, archive
from spooling import Box, Pacs, record, somebodys_exam

from gateway import configuration
from gateway.destination import Destination
from gateway.transfer.delivering.transports import transport

DESTINATION = """
[[destination]]
name = "pacs"
url = "{url}"
timeout = 1
retry_first = 0.1
retry_most = 1
"""


class Real(Pacs):
    """No stand-in at the courier's seam: the transport that the destination's settings ask for."""

    def __init__(self, to: Destination) -> None:
        by = transport(bool(to.url))
        self.send, self.request, self.look = by.send, by.request, by.look  # type: ignore[method-assign, misc, assignment]


@dataclass
class Site:
    """The box, and the archive it sends to."""

    box: Box
    there: Archive

    def deliver(self, turns: int = 1) -> None:
        """Some turns of the courier; all waiting times are over before each."""
        for _ in range(turns):
            self.box.couriers[0].pause.end()
            with self.box.ledger.change() as c:
                c.execute("UPDATE deliveries SET next_try = 0")
            self.box.deliver()

    @property
    def states(self) -> set[str]:
        return set(self.box.states().values())

    def rows(self) -> list[dict[str, Any]]:
        return [dict(r) for r in self.box.ledger.query("SELECT * FROM deliveries ORDER BY queued_at")]

    def same(self) -> bool:
        """Whether the archive has exactly what the spool has, byte for byte."""
        rows = self.box.ledger.query("SELECT uid, path FROM instances")
        files = {r["uid"]: (self.box.settings.box.data / r["path"]).read_bytes() for r in rows}
        return {u: hashlib.sha256(f).digest() for u, f in files.items()} == {
            u: hashlib.sha256(f).digest() for u, f in self.there.held.items()
        }


@pytest.fixture(autouse=True)
def no_lingering(monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive of the tests has all it will have at once."""
    monkeypatch.setattr("gateway.transfer.delivering.lingering.MOMENT", 0.0)


@pytest.fixture
def there() -> Iterator[Archive]:
    with archive() as running:
        yield running


@pytest.fixture
def site(config: Path, there: Archive) -> Callable[..., Site]:
    """Makes a box with so many recordings for the archive: ``site(3, policy="stored")``."""

    def make(number: int = 3, samples: int = 50, **further: str) -> Site:
        text = DESTINATION.format(url=f"http://127.0.0.1:{there.port}/web") + "plain_http = true\n"
        further = {"policy": "verified"} | further
        text += "".join(f'{key} = "{value}"\n' for key, value in further.items())
        config.write_text(config.read_text() + text)
        settings = configuration.load(config)
        whose = somebodys_exam(settings)
        for _ in range(number):
            record(settings, whose.exam, samples)
        box = Box(settings, Real(settings.destinations[0]), retention=7.0)
        box.take_in()
        return Site(box, there)

    return make
