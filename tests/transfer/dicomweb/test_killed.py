"""The forward process is killed again and again while it stores by DICOMweb: the archive has everything, and once."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from archive import Archive
from spooling import record, somebodys_exam
from waiting import eventually

from gateway import configuration
from gateway.settings import Settings

DESTINATION = """
[[destination]]
name = "archive"
url = "http://127.0.0.1:{port}/web"
plain_http = true
policy = "{policy}"
retry_first = 0.1
retry_most = 1
"""


@contextlib.contextmanager
def forward(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "gateway", "forward", "--config", str(config)]
    running = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        yield running
    finally:
        running.kill()
        running.wait()


def states(settings: Settings) -> list[str]:
    if not settings.places.ledger.exists():
        return []
    with contextlib.closing(sqlite3.connect(f"file:{settings.places.ledger}?mode=ro", uri=True)) as ledger:
        try:
            return [row[0] for row in ledger.execute("SELECT state FROM deliveries")]
        except sqlite3.OperationalError:  # it is just being made
            return []


@pytest.mark.parametrize(("policy", "last"), [("verified", "VERIFIED"), ("commitment", "COMMITTED")])
def test_whatever_moment_it_is_killed_in(config: Path, there: Archive, policy: str, last: str) -> None:
    config.write_text(config.read_text() + DESTINATION.format(port=there.port, policy=policy))
    settings = configuration.load(config)
    whose = somebodys_exam(settings)
    there.still_working = 2
    for round_ in range(3):
        for _ in range(4):
            record(settings, whose.exam, 50)
        before = len(there.requests)
        all_done = [last] * 4 * (round_ + 1)
        with forward(config):
            eventually(
                lambda before=before, after=round_, done=all_done: (
                    len(there.requests) > before + after or states(settings) == done
                )
            )
    with forward(config):
        eventually(lambda: states(settings) == [last] * 12)
    files = {f.name: f.read_bytes() for f in settings.box.data.rglob("*.dcm")}
    assert sorted(files.values()) == sorted(there.held.values()) and len(there.held) == 12
