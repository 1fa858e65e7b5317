"""Each waveform class that is no ECG: the right class, every sample as it came, nothing for the checkers to find."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from acquisitions import Recording, an_exam, settings_of
from pydicom.waveforms import multiplex_array
from waveforms import CASES, Case

from gateway.dicom import waveform
from gateway.dicom.check import check
from gateway.dicom.iods import TABLE
from gateway.dicom.wrap import wrap

# C.7.3.1: only of a paired structure, and none is named; dciodvfy asks for it of the hemodynamic class as such
BLAMELESS = r"Missing attribute Type 2C Conditional Element=<Laterality>"


def wrapped(case: Case, tmp_path: Path, out: Path, recording: Recording | None = None, **device: Any) -> list[Path]:
    folder = (recording or case.recording()).folder(tmp_path / "acq")
    settings = settings_of(tmp_path, **case.device | device)
    return [Path(one.path) for one in wrap(folder, an_exam(), settings, out)]


@pytest.mark.parametrize("key", CASES)
def test_every_sample_comes_back_as_the_device_counted_it(key: str, tmp_path: Path, out: Path) -> None:
    case = CASES[key]
    (path,) = wrapped(case, tmp_path, out)
    head = pydicom.dcmread(path)
    assert head.SOPClassUID == TABLE[key].sop_class_uid
    assert head.Modality == TABLE[key].modality
    for number, (counts, ours) in enumerate(zip(case.counts, waveform.groups(path), strict=True)):
        offset = 128 if key == "voice" else 0
        assert np.array_equal(multiplex_array(head, number, as_raw=True), counts + offset)
        assert np.array_equal(ours.samples, counts + offset)
        for n, channel in enumerate(case.groups[number].channels):
            if channel.unit:
                truth = counts[:, n] * channel.sensitivity + channel.baseline
                assert np.allclose(multiplex_array(head, number, as_raw=False)[:, n], truth, rtol=1e-12)
                assert np.allclose(ours.physical(n), truth, rtol=1e-12, equal_nan=False)


@pytest.mark.parametrize("key", CASES)
@pytest.mark.parametrize("trusted", [True, False], ids=["clock trusted", "clock not trusted"])
def test_our_own_check_finds_nothing(key: str, trusted: bool, tmp_path: Path, out: Path) -> None:
    (path,) = wrapped(CASES[key], tmp_path, out, CASES[key].recording(trusted=trusted, test=True, interrupted=True))
    assert check(path) == []


@pytest.mark.parametrize("key", ["hemodynamic", "electrophysiology", "voice"])
@pytest.mark.parametrize("trusted", [True, False], ids=["clock trusted", "clock not trusted"])
def test_dciodvfy_finds_no_error_in_the_classes_that_it_knows(
    key: str, trusted: bool, tmp_path: Path, out: Path, dciodvfy: Callable[[Path], list[str]]
) -> None:
    (path,) = wrapped(CASES[key], tmp_path, out, CASES[key].recording(trusted=trusted))
    assert [line for line in dciodvfy(path) if not re.search(BLAMELESS, line)] == []
