"""A simulated 12-lead electrocardiograph, in the core's own vocabulary: no line, no bytes, only time.

The heart is an electrical dipole whose three components are sums of Gaussians in time (P, Q, R, S, T), projected on
the leads with Dower's matrix (Dower et al. 1980). III, aVR, aVL and aVF follow from I and II in whole counts, so that
Einthoven's and Goldberger's equations hold exactly. The same seed gives the same recording.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway import __version__, fields
from gateway.acquire.adapter import Adapter, Internal
from gateway.events import Event, Identified, Samples, Started
from gateway.fields import setting
from gateway.model import Channel, Equipment, Kind, MultiplexGroup

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
MEASURED = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
CATCHES_UP = 60  # seconds
WIDEST = 24  # channels in a multiplex group of General ECG
SENSITIVITY = 0.5  # uV per count

# wave: seconds from the R peak (at 60 beats/min), width (s), amplitude (mV) to the left, down and to the back
WAVES = (
    ("P", -0.165, 0.024, (0.14, 0.13, -0.02)),
    ("Q", -0.026, 0.009, (-0.10, -0.08, -0.28)),
    ("R", 0.000, 0.012, (1.25, 0.85, 0.10)),
    ("S", 0.028, 0.012, (-0.08, -0.15, 0.62)),
    ("T", 0.265, 0.048, (0.38, 0.26, -0.15)),
)
# Dower's transform: the dipole's (left, down, back) components to the leads of MEASURED.
DOWER = np.array(
    [
        [0.632, -0.235, 0.059],
        [0.235, 1.066, -0.132],
        [-0.515, 0.157, -0.917],
        [0.044, 0.164, -1.387],
        [0.882, 0.098, -1.277],
        [1.213, 0.127, -0.601],
        [1.125, 0.127, -0.086],
        [0.831, 0.076, 0.230],
    ]
)
_NOISE, _WANDER, _BREATH = 0.004, 0.03, 0.25  # mV, mV, Hz


class Heart:
    """An endless ECG of the leads in MEASURED, made in blocks of one second, in order."""

    def __init__(self, rate: int, heart_rate: float = 72.0, seed: int = 0) -> None:
        self.rate = rate  # Hz
        self._interval = 60.0 / heart_rate
        self._seed = seed
        self._random = np.random.default_rng(seed)
        self._beats = [0.35]  # times of R peaks, seconds
        self._second = 0

    def second(self) -> NDArray[np.float64]:
        """The next second in mV, shape (rate, 8)."""
        start = float(self._second)
        times = start + np.arange(self.rate) / self.rate
        while self._beats[-1] < start + 2.0:
            breath = 0.035 * np.sin(2 * np.pi * _BREATH * self._beats[-1])
            chance = 0.015 * self._random.standard_normal()
            self._beats.append(self._beats[-1] + self._interval * (1.0 + breath + chance))
        self._beats = [b for b in self._beats if b > start - 1.5]
        dipole = np.zeros((self.rate, 3))
        stretch = np.sqrt(self._interval)
        for beat in self._beats:
            for _name, offset, width, amplitude in WAVES:
                distance = (times - beat - offset * (stretch if abs(offset) > 0.1 else 1.0)) / width
                dipole += np.exp(-0.5 * distance**2)[:, np.newaxis] * np.array(amplitude)
        noise = np.random.default_rng([self._seed, self._second]).standard_normal((self.rate, len(MEASURED)))
        wander = _WANDER * np.sin(2 * np.pi * _BREATH * times)[:, np.newaxis] * np.linspace(0.5, 1.0, len(MEASURED))
        self._second += 1
        leads: NDArray[np.float64] = dipole @ DOWER.T + _NOISE * noise + wander
        return leads


def twelve_leads(measured: NDArray[np.float64]) -> NDArray[np.int32]:
    """Counts of SENSITIVITY for LEADS, shape (n, 12), from mV of MEASURED, shape (n, 8).

    I and II are rounded to even counts, so that halves are whole: Einthoven and Goldberger hold exactly.
    """
    counts = np.round(measured * 1000.0 / SENSITIVITY).astype(np.int32)
    limb = np.round(measured[:, :2] * 500.0 / SENSITIVITY).astype(np.int32) * 2
    one, two = limb[:, 0], limb[:, 1]
    derived = (one, two, two - one, -(one + two) // 2, one - two // 2, two - one // 2)
    return np.concatenate([np.stack(derived, axis=1), counts[:, 2:]], axis=1)


@dataclass(frozen=True, slots=True)
class Options:
    """Whose heart it is."""

    rate: int = setting(500, fields.whole(200, 1000, "Hz"), "sampling rate")
    heart_rate: float = setting(72.0, fields.number(30, 200, "beats/min"), "mean heart rate")
    seed: int = setting(0, fields.whole(0, 2**31), "the same seed gives the same recording")
    patient_id: str = setting("", fields.text(64), "what the device says of itself: whom it measures")
    accession_number: str = setting("", fields.text(16), "what the device says of itself: for which order")
    channels: int = setting(
        12, fields.whole(12, 96), "more than 12: further electrodes of a body surface map, which repeat the leads"
    )


class Decoder:
    """Makes as many samples as time has passed."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._heart = Heart(options.rate)
        self._began: float | None = None
        self._made = 0
        self._ready = np.zeros((0, len(LEADS)), np.int32)

    def start(self, now: float) -> Iterator[Event]:
        options = self._options
        self._heart = Heart(options.rate, options.heart_rate, options.seed)
        self._began, self._made = now, 0
        self._ready = self._ready[:0]
        for kind, text in (("patient_id", options.patient_id), ("accession_number", options.accession_number)):
            if text:
                yield Identified(kind, text, now)
        yield Started(
            Equipment("Modality Gateway", "Simulated ECG", f"SIM-{options.seed}", __version__), _groups(options)
        )

    def stop(self, now: float) -> Iterator[Event]:
        yield from self.tick(now)
        self._began = None

    def feed(self, data: bytes, now: float) -> Iterator[Event]:
        return iter(())

    def tick(self, now: float) -> Iterator[Event]:
        if self._began is None:
            return
        due = int((now - self._began) * self._options.rate) - self._made
        if due > CATCHES_UP * self._options.rate:  # the box was asleep: nobody wants hours of that at once
            self._began, due = now - self._made / self._options.rate, 0
        while due > 0:
            if not len(self._ready):
                self._ready = twelve_leads(self._heart.second())
            block, self._ready = self._ready[:due], self._ready[due:]
            self._made += len(block)
            due -= len(block)
            for number, first in enumerate(range(0, self._options.channels, WIDEST)):
                columns = np.arange(first, min(first + WIDEST, self._options.channels)) % len(LEADS)
                yield Samples(block[:, columns], self._began + self._made / self._options.rate, number)


def _groups(options: Options) -> tuple[MultiplexGroup, ...]:
    """The twelve leads, then electrodes E13, E14, ...; at most as many in a group as General ECG takes."""
    names = (*LEADS, *(f"E{n}" for n in range(len(LEADS) + 1, options.channels + 1)))
    channels = tuple(Channel(name, "uV", SENSITIVITY, bits=16) for name in names)
    rows = [channels[first : first + WIDEST] for first in range(0, len(channels), WIDEST)]
    labels = ["ECG"] if len(rows) == 1 else [f"ECG {n}" for n in range(1, len(rows) + 1)]
    return tuple(MultiplexGroup(label, float(options.rate), row) for label, row in zip(labels, rows, strict=True))


ADAPTER = Adapter(name="simulated", kind=Kind.ECG, transport=Internal(), decoder=Decoder, version="1", options=Options)
