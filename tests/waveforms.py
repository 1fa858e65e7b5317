"""A recording of known counts for each waveform class that is no ECG, as devices of its kind would make it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from acquisitions import Recording

from gateway.events import Samples
from gateway.model import Channel, Kind, MultiplexGroup

TEN_TWENTY = tuple("Fp1 Fp2 F7 F3 Fz F4 F8 T3 C3 Cz C4 T4 T5 P3 Pz P4 T6 O1 O2".split())  # noqa: SIM905  read as one
BLOCK = 400  # samples in a record


@dataclass(frozen=True)
class Case:
    """What was measured, and the device's settings. ``counts``: of each group, shape (samples, channels)."""

    kind: Kind
    groups: tuple[MultiplexGroup, ...]
    counts: tuple[np.ndarray, ...]
    device: dict[str, Any] = field(default_factory=dict)

    def recording(self, **given: Any) -> Recording:
        recording = Recording(kind=self.kind, groups=self.groups, **given)
        for number, counts in enumerate(self.counts):
            recording.events += [
                Samples(counts[first : first + BLOCK].astype(np.int32), 1001.0, number)
                for first in range(0, len(counts), BLOCK)
            ]
        return recording


def group(rate: float, labels: Sequence[str], unit: str, sensitivity: float, **of_channel: Any) -> MultiplexGroup:
    channels = tuple(Channel(label, unit, sensitivity, **of_channel) for label in labels)
    return MultiplexGroup(f"{rate:g} HZ", rate, channels)


def noise(samples: int, channels: int, reach: int, seed: int = 7) -> np.ndarray:
    """Counts in -reach..reach, both ends among them."""
    found = np.random.default_rng(seed).integers(-reach, reach, (samples, channels), np.int32, endpoint=True)
    found[0], found[-1] = -reach, reach
    return found


POSITIONS = np.array([[0], [1], [2], [3], [4], [255], [1], [1], [2]], np.int32)
CASES: dict[str, Case] = {
    "hemodynamic": Case(
        Kind.HEMODYNAMIC,
        (
            group(240.0, ("Ao", "LV", "PCW"), "mm[Hg]", 0.1, bits=12, high_cut=20.0, baseline=-5.0),
            group(400.0, ("II",), "uV", 2.5, bits=16, low_cut=0.05, high_cut=100.0, notch=50.0),
        ),
        (noise(1201, 3, 2047), noise(2000, 1, 30_000)),
    ),
    "electrophysiology": Case(
        Kind.ELECTROPHYSIOLOGY,
        (group(2000.0, ("HRA 1-2", "HIS d", "CS 3-4", "RVA"), "mV", 0.0003, bits=16, skew=0.00001, low_cut=30.0),),
        (noise(4000, 4, 32_767),),
    ),
    "voice": Case(Kind.VOICE, (group(8000.0, ("Dictation",), "", 1.0, bits=8),), (noise(8001, 1, 127),)),
    "audio": Case(
        Kind.AUDIO, (group(44_100.0, ("Heart", "Lung sound"), "", 1.0, bits=16),), (noise(10_000, 2, 32_767),)
    ),
    "pulse": Case(Kind.PULSE, (group(125.0, ("Pleth",), "%", 0.01, bits=16),), (noise(1000, 1, 12_000),)),
    "respiratory": Case(Kind.RESPIRATION, (group(25.0, ("Thorax",), "L", 0.001, bits=14),), (noise(500, 1, 8000),)),
    "respiratory-channels": Case(
        Kind.RESPIRATION,
        (group(100.0, ("Flow", "Abdomen"), "L/s", 1e-6), group(10.0, ("EtCO2",), "mm[Hg]", 0.01, bits=16)),
        (noise(1000, 2, 8_000_000), noise(100, 1, 5000)),
    ),
    "eeg": Case(
        Kind.EEG,
        (group(256.0, TEN_TWENTY, "uV", 0.02235174, low_cut=0.1, high_cut=70.0, notch=50.0),),
        (noise(2560, 19, 8_388_607),),
        {"reference": "A1+A2", "ground": "Fpz"},
    ),
    "sleep-eeg": Case(
        Kind.SLEEP,
        (group(256.0, ("C3-A2", "C4-A1", "O1-A2"), "uV", 0.1, bits=16), group(128.0, ("EEG Fz-Cz",), "uV", 0.1)),
        (noise(2560, 3, 32_000), noise(1280, 1, 100_000)),
    ),
    "emg": Case(
        Kind.EMG,
        (group(2000.0, ("tibialis anterior, left", "Soleus, right"), "uV", 0.3, reference="Nervus tibialis"),),
        (noise(4000, 2, 8_000_000),),
    ),
    "eog": Case(
        Kind.EOG, (group(128.0, ("ElL", "ErL"), "uV", 0.1, bits=16, reference="A1"),), (noise(999, 2, 30_000),)
    ),
    "position": Case(
        Kind.POSITION,
        (group(1.0, ("Position",), "", 1.0, bits=8), group(10.0, ("Rotation", "Elevation"), "deg", 0.1, bits=12)),
        (POSITIONS, noise(90, 2, 1800)),
    ),
}
