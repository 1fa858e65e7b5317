"""The picture: millimetre paper to scale, twelve leads where they belong, and nobody's name unless asked for."""

from __future__ import annotations

import os
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from acquisitions import EIGHT, Recording, an_exam, heartbeat, named, settings_of
from waveforms import CASES

from gateway.dicom.plot import svg
from gateway.dicom.wrap import wrap
from gateway.errors import Held
from gateway.events import Gap

NAMESPACE = "{http://www.w3.org/2000/svg}"


def picture(recording: Recording, tmp_path: Path, out: Path, identify: bool = False) -> ElementTree.Element:
    folder = recording.folder(tmp_path / "acq")
    (reference,) = wrap(folder, an_exam(item=named({"Alphabetic": "Müller^<Eva>"})), settings_of(tmp_path), out)
    return ElementTree.fromstring(svg(Path(reference.path), identify))


def words(sheet: ElementTree.Element) -> list[str]:
    return [t.text or "" for t in sheet.iter(f"{NAMESPACE}text")]


def lines(sheet: ElementTree.Element) -> list[np.ndarray]:
    return [
        np.array([point.split(",") for point in line.attrib["points"].split()], float)
        for line in sheet.iter(f"{NAMESPACE}polyline")
    ]


def traces(sheet: ElementTree.Element) -> list[np.ndarray]:
    return [line for line in lines(sheet) if len(line) > 20]


def test_twelve_leads_are_three_rows_of_four_and_lead_ii_below(tmp_path: Path, out: Path) -> None:
    sheet = picture(Recording().with_samples(heartbeat(5000, 8)), tmp_path, out)
    labels = [text for text in words(sheet) if re.fullmatch("I|II|III|aV[RLF]|V[1-6]", text)]
    assert labels == ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6", "II"]
    assert len(traces(sheet)) == 13
    widths = [round(float(np.ptp(line[:, 0])), 1) for line in traces(sheet)]
    assert widths[:9] == [62.5] * 9, "2.5 s at 25 mm/s"
    assert abs(widths[-1] - 250) < 0.2, "10 s at 25 mm/s"


def test_one_millivolt_is_ten_millimetres_and_offsets_are_taken_away(tmp_path: Path, out: Path) -> None:
    counts = np.full((5000, 1), 3_000_000, np.int32)
    counts[1000:1100] += round(1000 / 0.02235174445530706)
    sheet = picture(Recording(labels=("V1",)).with_samples(counts), tmp_path, out)
    (trace,) = traces(sheet)
    assert abs(np.ptp(trace[:, 1]) - 10.0) < 0.05
    calibration = next(line for line in lines(sheet) if len(line) == 6)
    assert np.ptp(calibration[:, 1]) == 10.0
    assert abs(float(np.median(trace[:, 1])) - calibration[0, 1]) < 0.02
    assert any("own median" in text for text in words(sheet))


def test_missing_samples_break_the_line(tmp_path: Path, out: Path) -> None:
    signal = heartbeat(5000, 1)
    recording = Recording(labels=("V1",)).with_samples(signal[:2000])
    recording.events.append(Gap("lost", 1002.0, 500))
    before, after = traces(picture(recording.with_samples(signal[2500:]), tmp_path, out))
    assert abs(after[0, 0] - before[-1, 0] - 25.0) < 0.2, "one second of paper stays empty"


def test_nobody_is_named_unless_asked_for(tmp_path: Path, out: Path) -> None:
    recording = Recording().with_samples(heartbeat(5000, 8))
    assert not [t for t in words(picture(recording, tmp_path, out)) if "Eva" in t or "PID-1" in t]


def test_asked_for_the_name_is_there_and_escaped(tmp_path: Path, out: Path) -> None:
    sheet = picture(Recording().with_samples(heartbeat(5000, 8)), tmp_path, out, identify=True)
    assert "Müller <Eva> (PID-1, born 19700102)" in words(sheet)


def test_speed_gain_filter_and_what_was_calculated_are_stated(tmp_path: Path, out: Path) -> None:
    text = " ".join(words(picture(Recording().with_samples(heartbeat(5000, 8)), tmp_path, out)))
    assert "25 mm/s · 10 mm/mV · 0.05 - 150 Hz, notch 50 Hz" in text
    assert "Calculated, not recorded: III, aVR, aVL, aVF." in text


def test_what_is_no_voltage_is_drawn_with_its_own_scale(tmp_path: Path, out: Path) -> None:
    recording = Recording(labels=("Respiration",), unit="Ohm").with_samples(heartbeat(5000, 1))
    assert any(re.match(r"15 mm = .* Ohm", text) for text in words(picture(recording, tmp_path, out)))


def test_a_very_fast_recording_is_thinned_and_keeps_its_extremes(tmp_path: Path, out: Path) -> None:
    counts = np.zeros((10_000, 8), np.int32)
    counts[5000, 2] = 40_000
    sheet = picture(Recording(labels=("X1", *EIGHT[1:]), rate=1000.0).with_samples(counts), tmp_path, out)
    assert max(len(line) for line in traces(sheet)) <= 6000
    assert max(float(np.ptp(line[:, 1])) for line in traces(sheet)) > 8.9


def test_what_is_no_waveform_is_refused_with_words(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear Sir")
    with pytest.raises(Held, match="no readable DICOM file"):
        svg(path)


def test_a_broken_header_is_refused_with_words(tmp_path: Path, out: Path) -> None:
    folder = Recording().with_samples(heartbeat(500, 8)).folder(tmp_path / "acq")
    path = Path(wrap(folder, an_exam(), settings_of(tmp_path), out)[0].path)
    path.write_bytes(path.read_bytes().replace(b"500.0 ", b"5oo.0 "))
    with pytest.raises(Held, match="gateway check"):
        svg(path)


@pytest.mark.parametrize("name", ["pydicom_waveform_ecg.dcm", "ECGToolkit_Example.dcm"])
def test_real_ecgs_of_other_makers_can_be_drawn(name: str) -> None:
    path = Path(os.environ.get("GATEWAY_CASES", "../shared/cases")) / "dicom" / name
    if not path.exists():
        pytest.skip(f"{path} is not there")
    sheet = ElementTree.fromstring(svg(path))
    assert len(traces(sheet)) >= 13  # ECGToolkit declares 0 as padding, so its lines have breaks
    assert words(sheet).count("II") == 2


@pytest.mark.parametrize("key", CASES)
def test_every_waveform_class_is_drawn_and_only_the_heart_in_millimetres_per_millivolt(
    key: str, tmp_path: Path, out: Path
) -> None:
    case = CASES[key]
    (made,) = wrap(case.recording().folder(tmp_path / "acq"), an_exam(), settings_of(tmp_path, **case.device), out)
    sheet = ElementTree.fromstring(svg(Path(made.path)))
    shown = case.groups[0].channels
    heart = key == "electrophysiology"
    assert any("10 mm/mV" in text for text in words(sheet)) == heart
    assert sum(text.startswith("15 mm = ") for text in words(sheet)) == (0 if heart else len(shown))
    pulses = [
        line for line in lines(sheet) if len(line) == 6 and np.ptp(line[:, 1]) == 10.0 and np.ptp(line[:, 0]) == 11
    ]
    assert len(pulses) == (len(shown) if heart else 0)


def test_an_eeg_fills_its_strips_and_the_sheet_says_by_how_much(tmp_path: Path, out: Path) -> None:
    case = CASES["eeg"]
    (made,) = wrap(case.recording().folder(tmp_path / "acq"), an_exam(), settings_of(tmp_path, **case.device), out)
    sheet = ElementTree.fromstring(svg(Path(made.path)))
    first = max(traces(sheet), key=len)
    assert abs(np.ptp(first[:, 1]) - 15.0) < 0.1
    assert "15 mm = 3.75e+05 uV" in words(sheet)
