"""Two processes that would contradict each other: the second one says why it does not start, and ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from faults.boxes import Box, box

from gateway.trial.ports import free_port


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Box]:
    with box(tmp_path, tmp_path / "data", console=free_port()) as made:
        yield made


def test_two_forwards_on_one_spool(here: Box) -> None:
    here.start("forward")
    code, said = here.command("forward")
    assert code == 1
    assert f"another forward process works on {here.data}; stop it first (systemctl stop forward)" in said


def test_two_captures_of_one_device(here: Box) -> None:
    here.start("capture", "ecg1")
    code, said = here.command("capture", "ecg1")
    assert code == 1
    assert "another process captures from device 'ecg1' already; stop it first" in said


def test_two_consoles_on_one_port(here: Box) -> None:
    here.start("console")
    here.said("console", "the page is at")
    code, said = here.command("console")
    assert code == 1
    assert f"another process listens on 127.0.0.1:{here.settings.console.port} already" in said
    assert "does another console run?" in said
