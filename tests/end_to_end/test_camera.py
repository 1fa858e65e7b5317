"""From a camera to its instance, by the real capture, recorder and wrapping: nothing is changed on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from firmware_adapters.simulated_video import Options, number_in, rgb
from gateway import capture, configuration, exam, records
from gateway.acquire.recorder import read_facts
from gateway.clock import Clock
from gateway.dicom.wrap import wrap
from gateway.events import Frame
from gateway.model import Attributed
from gateway.places import RECORDS

CONFIGURATION = """
[gateway]
data = "{folder}/data"
runtime = "{folder}/run"
[clock]
trust = "always"
[spool]
reserve = 0
[[device]]
name = "cam"
adapter = "simulated_video"
iod = "endoscopic"
columns = 320
rows = 240
rate = 20.0
{more}
"""
PATIENT: dict[str, Any] = {
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Test^Anna"}]},
    "00100020": {"vr": "LO", "Value": ["P-1"]},
}


def recorded(folder: Path, takes: str, more: str) -> tuple[pydicom.Dataset, list[Frame]]:
    """The instance of what a camera took, and the frames that were kept."""
    settings = configuration.parse(CONFIGURATION.format(folder=folder, more=more))
    opened = exam.open_exam(settings.places, Clock("always"), ("cam",), Attributed.MANUAL, PATIENT)
    name = capture.record(settings, "cam", opened.exam, 1.0, lambda seconds: None, takes=takes)
    kept = settings.places.acquisition(name)
    assert read_facts(kept).exam == opened.exam
    out = folder / "out"
    out.mkdir()
    (made,) = wrap(kept, opened, settings, out)
    frames = [event for event in records.events(kept / RECORDS) if isinstance(event, Frame)]
    return pydicom.dcmread(made.path), frames


def pictures(instance: pydicom.Dataset) -> np.ndarray:
    found = instance.pixel_array
    return found if found.ndim == 4 else found[np.newaxis]


@pytest.mark.parametrize("takes", ["still", "clip"])
def test_rgb_arrives_to_the_bit_and_in_order(tmp_path: Path, takes: str) -> None:
    instance, frames = recorded(tmp_path, takes, 'encoding = "RGB24"')
    assert instance.PatientID == "P-1"
    assert instance.PhotometricInterpretation == "RGB"
    seen = pictures(instance)
    assert len(seen) == len(frames) == int(instance.get("NumberOfFrames", 1))
    assert (len(frames) == 1) is (takes == "still")
    for picture, frame in zip(seen, frames, strict=True):
        assert picture.tobytes() == frame.data
    options = Options(encoding="RGB24", columns=320, rows=240, rate=20.0)
    assert np.array_equal(seen[0], rgb(options, number_in(seen[0])))


@pytest.mark.parametrize("encoding", ["YUYV", "NV12"])
@pytest.mark.parametrize("matrix", ["BT.601", "BT.709"])
def test_the_colours_of_a_camera_are_those_it_showed(tmp_path: Path, encoding: str, matrix: str) -> None:
    instance, _frames = recorded(tmp_path, "still", f'encoding = "{encoding}"\nmatrix = "{matrix}"')
    assert instance.PhotometricInterpretation == "RGB"
    (seen,) = pictures(instance)
    wanted = rgb(Options(columns=320, rows=240, rate=20.0), number_in(seen))
    bars = np.arange(20, 320, 40)  # in the middle of each, where no neighbour's chrominance is
    assert np.abs(seen[120, bars].astype(int) - wanted[120, bars].astype(int)).max() <= 2
