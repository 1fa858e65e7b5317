"""The hash of each instance lies beside it, so that neither a lost ledger nor a bad block goes unnoticed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from spooling import Box, Pacs, record, somebodys_exam

from gateway.settings import Settings
from gateway.spool import layout


def spooled(settings: Settings, pacs: Pacs) -> Path:
    """One instance on the disk, and a ledger that is lost."""
    record(settings, somebodys_exam(settings).exam, 50)
    box = Box(settings, pacs)
    box.take_in()
    box.ledger.close()
    for path in settings.box.data.glob("ledger.sqlite*"):
        path.unlink()
    (path,) = settings.places.instances.glob("*/*.dcm")
    return path


def test_a_person_can_check_them_with_sha256sum(settings: Settings, pacs: Pacs) -> None:
    folder = spooled(settings, pacs).parent
    assert subprocess.run(["sha256sum", "--check", "--strict", layout.SUMS], cwd=folder, check=False).returncode == 0


def test_damage_is_noticed_even_when_the_ledger_was_lost(
    settings: Settings, pacs: Pacs, caplog: pytest.LogCaptureFixture
) -> None:
    path = spooled(settings, pacs)
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    Box(settings, pacs).run()
    assert not pacs.stores
    assert path.exists()
    assert "its file is not what was written" in caplog.text


@pytest.mark.parametrize("sums", [None, b"", b"\xff garbage\n"], ids=["none", "empty", "damaged"])
def test_without_readable_sums_the_instance_is_sent_all_the_same(
    settings: Settings, pacs: Pacs, sums: bytes | None
) -> None:
    path = spooled(settings, pacs)
    kept = path.with_name(layout.SUMS)
    kept.unlink()
    if sums is not None:
        kept.write_bytes(sums)
    Box(settings, pacs).run()
    assert len(pacs.committed) == 1
