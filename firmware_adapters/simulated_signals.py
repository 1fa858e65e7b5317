"""Simulated devices of every kind but ECG, one adapter each: plausible signals of known shape, no line, only time.

Each sample follows from its number alone, so a recording does not depend on how often time is looked at, and is the
same each time. None of it is of a patient: set ``test = true`` for such a device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway import __version__
from gateway.acquire.adapter import Adapter, Internal, NoOptions
from gateway.events import Event, Samples, Started
from gateway.model import Channel, Equipment, Kind, MultiplexGroup

CATCHES_UP = 60  # seconds
TEN_TWENTY = tuple("Fp1 Fp2 F7 F3 Fz F4 F8 T3 C3 Cz C4 T4 T5 P3 Pz P4 T6 O1 O2".split())  # noqa: SIM905  read as one
_BEAT, _BREATH = 60 / 72, 4.0  # seconds
Shape = Callable[[NDArray[np.float64], int], NDArray[np.float64]]  # seconds and number of the channel -> its unit


def _noise(times: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """-1 to 1, the same at the same time."""
    value = np.sin(times * 7919.0 + seed * 78.233) * 43758.5453
    spread: NDArray[np.float64] = 2 * (value - np.floor(value)) - 1
    return spread


def _wave(amplitude: float, seconds: float, noise: float = 0.02, level: float = 0.0) -> Shape:
    """A sine of one period in ``seconds``, each channel a little later than the one before."""

    def shape(times: NDArray[np.float64], n: int) -> NDArray[np.float64]:
        found: NDArray[np.float64] = np.sin(2 * np.pi * (times / seconds - n / 16)) + noise * _noise(times, n)
        return level + amplitude * found

    return shape


def _beats(low: float, high: float, width: float) -> Shape:
    """A pulse with each beat of the heart, ``width`` seconds wide, higher in one channel than in the next."""

    def shape(times: NDArray[np.float64], n: int) -> NDArray[np.float64]:
        pulse = np.exp(-((((times + n * 0.03) % _BEAT) - 0.3) ** 2) / width**2)
        found: NDArray[np.float64] = low + (high - low) * (pulse / (1 + n / 4) + 0.01 * _noise(times, n))
        return found

    return shape


def _bursts(amplitude: float, every: float, hertz: float) -> Shape:
    """Sound or muscle: a tone with noise, that swells and fades."""

    def shape(times: NDArray[np.float64], n: int) -> NDArray[np.float64]:
        swell = np.maximum(0.05, np.sin(2 * np.pi * times / every)) / 2
        found: NDArray[np.float64] = amplitude * swell * (np.sin(2 * np.pi * hertz * times) + _noise(times, n))
        return found

    return shape


def _turns(times: NDArray[np.float64], n: int) -> NDArray[np.float64]:  # noqa: ARG001  one channel
    """Supine, left, prone, right, upright, each for ten seconds."""
    found: NDArray[np.float64] = np.floor(times / 10) % 5
    return found


@dataclass(frozen=True, slots=True)
class Signals:
    """One multiplex group of a simulated device, and how its samples come about."""

    group: MultiplexGroup
    shape: Shape

    def counts(self, first: int, count: int) -> NDArray[np.int32]:
        """Samples ``first`` and following, shape (count, channels)."""
        times = (first + np.arange(count)) / self.group.rate
        columns = [self.shape(times, n) / channel.sensitivity for n, channel in enumerate(self.group.channels)]
        return np.round(np.stack(columns, axis=1)).astype(np.int32)


def _signals(rate: float, labels: tuple[str, ...], unit: str, sensitivity: float, shape: Shape, **more: Any) -> Signals:
    channels = tuple(Channel(label, unit, sensitivity, **{"bits": 16} | more) for label in labels)
    return Signals(MultiplexGroup(f"{rate:g} HZ", rate, channels), shape)


class Decoder:
    """Makes as many samples as time has passed."""

    def __init__(self, name: str, signals: tuple[Signals, ...]) -> None:
        self._name = name
        self._signals = signals
        self._began: float | None = None
        self._made = [0] * len(signals)

    def start(self, now: float) -> Iterator[Event]:
        self._began, self._made = now, [0] * len(self._signals)
        equipment = Equipment("Modality Gateway", f"Simulated {self._name}", "SIM-0", __version__)
        yield Started(equipment, tuple(one.group for one in self._signals))

    def stop(self, now: float) -> Iterator[Event]:
        yield from self.tick(now)
        self._began = None

    def feed(self, data: bytes, now: float) -> Iterator[Event]:
        return iter(())

    def tick(self, now: float) -> Iterator[Event]:
        if self._began is None:
            return
        behind = now - self._began - max(m / s.group.rate for m, s in zip(self._made, self._signals, strict=True))
        if behind > CATCHES_UP:  # the box was asleep: nobody wants hours of that at once
            self._began += behind
        for number, one in enumerate(self._signals):
            due = int((now - self._began) * one.group.rate) - self._made[number]
            if due > 0:
                block = one.counts(self._made[number], due)
                self._made[number] += due
                yield Samples(block, self._began + self._made[number] / one.group.rate, number)


def _adapter(name: str, kind: Kind, *signals: Signals) -> Adapter:
    def decoder(_: NoOptions) -> Decoder:
        return Decoder(kind, signals)

    return Adapter(name=f"simulated_{name}", kind=kind, transport=Internal(), decoder=decoder, version="1")


_ALPHA = _wave(30.0, 0.1, noise=0.3)  # uV
HEMODYNAMIC = _adapter(
    "hemodynamic",
    Kind.HEMODYNAMIC,
    _signals(240.0, ("Ao", "LV"), "mm[Hg]", 0.1, _beats(70.0, 125.0, 0.12)),
    _signals(240.0, ("II",), "uV", 1.0, _beats(0.0, 1200.0, 0.012)),
)
ELECTROPHYSIOLOGY = _adapter(
    "electrophysiology",
    Kind.ELECTROPHYSIOLOGY,
    _signals(1000.0, ("HRA 1-2", "HIS d", "CS 1-2", "RVA"), "mV", 0.001, _beats(0.0, 5.0, 0.004)),
)
PULSE = _adapter("pulse", Kind.PULSE, _signals(125.0, ("Pleth",), "%", 0.01, _beats(10.0, 80.0, 0.15)))
RESPIRATION = _adapter(
    "respiration", Kind.RESPIRATION, _signals(25.0, ("Thorax",), "L", 0.001, _wave(0.5, _BREATH, level=2.5))
)
EEG = _adapter("eeg", Kind.EEG, _signals(256.0, TEN_TWENTY, "uV", 0.05, _ALPHA, bits=24, reference="A1", high_cut=70.0))
SLEEP = _adapter(
    "sleep", Kind.SLEEP, _signals(256.0, ("F3-A2", "C3-A2", "O1-A2"), "uV", 0.05, _wave(60.0, 1.0, noise=0.2), bits=24)
)
EMG = _adapter(
    "emg",
    Kind.EMG,
    _signals(2000.0, ("tibialis anterior, left",), "uV", 0.5, _bursts(800.0, 6.0, 90.0), reference="soleus, left"),
)
EOG = _adapter("eog", Kind.EOG, _signals(128.0, ("ElL", "ErL"), "uV", 0.1, _wave(150.0, 3.0), reference="A1"))
POSITION = _adapter(
    "position",
    Kind.POSITION,
    _signals(1.0, ("Position",), "", 1.0, _turns, bits=8),
    _signals(10.0, ("Rotation", "Elevation"), "deg", 0.1, _wave(80.0, 50.0)),
)
VOICE = _adapter("voice", Kind.VOICE, _signals(8000.0, ("Voice",), "", 1.0, _bursts(110.0, 2.0, 180.0), bits=8))
AUDIO = _adapter("audio", Kind.AUDIO, _signals(4000.0, ("Heart",), "", 1.0, _bursts(20_000.0, 2 * _BEAT, 60.0)))
