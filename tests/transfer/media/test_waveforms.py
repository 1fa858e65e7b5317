"""Every waveform class on a medium: filed as WAVEFORM, listed by others, and shown on the pages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from acquisitions import an_exam, settings_of
from pydicom import dcmread
from transfer.media.pages import reached, study_pages, words
from waveforms import CASES

from gateway import fsops
from gateway.dicom.wrap import wrap
from gateway.transfer import media
from gateway.transfer.media import pdi


@pytest.fixture
def filled(tmp_path: Path, stick: Path) -> Path:
    out = fsops.make_folder(tmp_path / "out")
    for number, (key, case) in enumerate(CASES.items(), 1):
        folder = case.recording(number=number).folder(tmp_path / key)
        (made,) = wrap(folder, an_exam(), settings_of(tmp_path, **case.device), out)
        media.add(stick, made, "WARD_1")
    return stick


def test_others_list_every_class_as_a_waveform_and_the_pages_show_each(filled: Path, judge: Callable[..., str]) -> None:
    kinds = [one.DirectoryRecordType for one in dcmread(filled / "DICOMDIR").DirectoryRecordSequence]
    assert kinds.count("WAVEFORM") == len(CASES)
    assert "IMAGE" not in kinds
    said = judge("dciodvfy", str(filled / "DICOMDIR"))
    assert "BasicDirectory" in said
    assert "Error" not in said
    assert judge("dcdirdmp", str(filled / "DICOMDIR")).count("WAVEFORM") >= len(CASES)
    pdi.refresh(filled, pdi.About("", "", "", "", "STD-GEN-USB-JPEG"), now=1_795_000_000.0)
    (page,) = study_pages(filled)
    for name in ("EEG", "Sleep EEG", "EMG", "EOG", "Haemodynamic recording", "Voice recording", "Body position"):
        assert name in words(page)
    assert "could not be drawn" not in words(page)
    assert sum(address.endswith(".SVG") for address in reached(filled)) == len(CASES)
