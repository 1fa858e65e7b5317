"""EDF and BDF files made by programs that know nothing of ours: edfio, and pyedflib where edfio cannot."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

import edfio
import numpy as np

CASES = Path(os.environ.get("GATEWAY_CASES", Path(__file__).parents[1] / ".." / "shared" / "cases")) / "edf"


def edf_signal(label: str, rate: float, count: int, seed: int = 0, *, bdf: bool = False, **more) -> edfio.EdfSignal:
    """Noise of +-200 in the unit."""
    kind = edfio.BdfSignal if bdf else edfio.EdfSignal
    data = np.random.default_rng([seed, len(label)]).uniform(-200, 200, count)
    keywords = {"physical_dimension": "uV", "physical_range": (-200.0, 200.0)} | more
    return kind(data, rate, label=label, **keywords)


def polysomnogram(path: Path, seconds: int = 10, code: str = "P-1", start: datetime.time | None = None) -> Path:
    """EEG, EOG, EMG, breathing, ECG at several rates, with sleep stages and an apnea."""
    rates = {
        "EEG C3-A2": 200, "EEG C4-A1": 200, "EOG E1-A2": 200, "EOG E2-A2": 200, "EMG chin": 200,
        "ECG II": 200, "Resp nasal": 25, "Resp thorax": 25, "SaO2": 1,
    }  # fmt: skip
    signals = [
        edf_signal(label, rate, rate * seconds, prefiltering="HP:0.3Hz LP:35Hz N:50Hz", transducer_type="cup electrode")
        for label, rate in rates.items()
    ]
    edfio.Edf(
        signals,
        patient=edfio.Patient(code=code, sex="F", birthdate=datetime.date(1970, 1, 2), name="Doe_Jane"),
        recording=edfio.Recording(
            startdate=datetime.date(2026, 3, 4), hospital_administration_code="ACC1", equipment_code="Head_Box_7"
        ),
        starttime=start or datetime.time(22, 30, 15, 250000),
        annotations=[
            edfio.EdfAnnotation(0, 5, "Sleep stage W"),
            edfio.EdfAnnotation(2.5, 3, "Apnea@@Resp nasal"),
            edfio.EdfAnnotation(4, None, "Lights off"),
        ],
    ).write(path)
    return path
