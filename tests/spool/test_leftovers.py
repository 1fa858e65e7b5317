"""What a power cut leaves of work nobody was told of is swept at the start; what a capture may be making is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from cutting import Cut, after
from spooling import CLOCK, Box, Pacs, record, somebodys_exam

from gateway import fsops
from gateway.clock import Clock
from gateway.settings import Settings
from gateway.spool import leftovers


def test_temporary_files_and_empty_exams_are_swept_at_the_start(settings: Settings, pacs: Pacs) -> None:
    here, exam = settings.places, somebodys_exam(settings)
    waiting = record(settings, None)
    fsops.make_folder(here.worklist)
    (here.exams / "empty").mkdir()
    parts = [
        here.exam(exam.exam).parent / ".exam.json.00000000.part",
        here.worklist / ".ris.json.00000000.part",
        here.acquisition(waiting) / ".held.json.00000000.part",
    ]
    for part in parts:
        part.write_bytes(b"half")
    Box(settings, pacs).run()
    assert not any(part.exists() for part in parts)
    assert sorted(p.name for p in here.exams.iterdir()) == [".lock", exam.exam]


def test_a_recording_that_never_began_is_forgotten_but_not_while_its_capture_may_be_at_it(
    settings: Settings, pacs: Pacs
) -> None:
    folder = fsops.make_folder(settings.places.acquisition("20260101T000000-ecg1-00000000"))
    (folder / ".facts.json.00000000.part").write_bytes(b"{")
    Box(settings, pacs).run()
    assert folder.exists()
    Box(settings, pacs, clock=Clock("always", lambda: CLOCK.wall() + 61)).run()
    assert not folder.exists()


def test_a_discard_that_a_power_cut_interrupts_is_finished_at_the_next_start(settings: Settings, pacs: Pacs) -> None:
    name = record(settings, None, test=True)
    box = Box(settings, pacs)
    box.take_in()
    folder = settings.places.acquisition(name)

    def cut(what: str, where: str) -> None:
        if what == "unlink" and Path(where).name == "facts.json":
            raise Cut

    fsops.watch = after(cut)
    with pytest.raises(Cut):
        leftovers.discard(box.ledger, folder)
    fsops.watch = None
    assert list(settings.places.acquisitions.iterdir())
    Box(settings, pacs).run()
    assert not list(settings.places.acquisitions.iterdir())
    assert not box.ledger.query("SELECT * FROM acquisitions")
