"""Synthetic acquisitions: written through the product's own Writer, as capture writes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gateway import fsops, places
from gateway.device import Device
from gateway.events import Gap, Marker, Samples
from gateway.model import (
    Attributed,
    Attribution,
    Channel,
    Equipment,
    Exam,
    Facts,
    Instant,
    Kind,
    MultiplexGroup,
    to_json,
)
from gateway.records import Writer
from gateway.settings import Box, ClockSettings, Console, Listener, Settings, Spool

EIGHT = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
STEP = 0.02235174445530706  # uV per count of a Cyton at gain 24
ITEM: dict[str, Any] = {
    "00080050": {"vr": "SH", "Value": ["ACC1"]},
    "00080090": {"vr": "PN", "Value": [{"Alphabetic": "House^Gregory"}]},
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane"}]},
    "00100020": {"vr": "LO", "Value": ["PID-1"]},
    "00100030": {"vr": "DA", "Value": ["19700102"]},
    "00100040": {"vr": "CS", "Value": ["F"]},
    "0020000D": {"vr": "UI", "Value": ["1.2.3.4.5"]},
    "00401001": {"vr": "SH", "Value": ["RP1"]},
    "00321060": {"vr": "LO", "Value": ["Resting ECG"]},
    "00321064": {
        "vr": "SQ",
        "Value": [
            {
                "00080100": {"vr": "SH", "Value": ["ECG12"]},
                "00080102": {"vr": "SH", "Value": ["99HOSP"]},
                "00080104": {"vr": "LO", "Value": ["ECG, 12 leads"]},
            }
        ],
    },
    "00400100": {
        "vr": "SQ",
        "Value": [
            {
                "00400007": {"vr": "LO", "Value": ["ECG at rest"]},
                "00400009": {"vr": "SH", "Value": ["SPS1"]},
                "00400008": {
                    "vr": "SQ",
                    "Value": [
                        {
                            "00080100": {"vr": "SH", "Value": ["P1"]},
                            "00080102": {"vr": "SH", "Value": ["99HOSP"]},
                            "00080104": {"vr": "LO", "Value": ["Resting 12-lead"]},
                        }
                    ],
                },
            }
        ],
    },
}


def instant(trusted: bool = True, wall: float = 1_790_000_000.25) -> Instant:
    return Instant(wall, 1000.0, "boot", trusted)


def an_exam(how: Attributed = Attributed.SCHEDULED, item: dict[str, Any] | None = None, **changes: Any) -> Exam:
    given = ITEM if item is None else item
    opened = instant(wall=1_789_999_900.0)
    values: dict[str, Any] = {
        "exam": "260922000000AB12",
        "step_uid": "2.25.1001",
        "study_uid": "1.2.3.4.5",
        "devices": ("ecg",),
        "opened": opened,
        "attribution": Attribution(how, given, opened),
    }
    return Exam(**values | changes)


def named(name: dict[str, str]) -> dict[str, Any]:
    """The worklist item of a patient with this name."""
    return ITEM | {"00100010": {"vr": "PN", "Value": [name]}}


def settings_of(tmp_path: Path, clock: ClockSettings | None = None, **device: Any) -> Settings:
    box = Box(station_name="BOX1", institution_name="General", data=tmp_path / "data", runtime=tmp_path / "run")
    ecg = Device(name="ecg", adapter="simulated", **device)
    return Settings(box, clock or ClockSettings(), Listener(), None, Spool(), Console(), (ecg,), (), (), {})


@dataclass
class Recording:
    """What to record; ``folder`` writes it as capture does."""

    labels: tuple[str, ...] = EIGHT
    rate: float = 500.0
    unit: str = "uV"
    sensitivity: float = STEP
    baseline: float = 0.0
    trusted: bool = True
    test: bool = False
    number: int = 1
    serial: str = "SN1"
    interrupted: bool = False
    kind: Kind = Kind.ECG
    groups: tuple[MultiplexGroup, ...] = ()  # instead of one of ``labels``
    events: list[Samples | Gap | Marker] = field(default_factory=list)

    def group(self) -> MultiplexGroup:
        filters = {"low_cut": 0.05, "high_cut": 150.0, "notch": 50.0}
        return MultiplexGroup(
            "RHYTHM",
            self.rate,
            tuple(Channel(name, self.unit, self.sensitivity, self.baseline, **filters) for name in self.labels),
        )

    def with_samples(self, *blocks: np.ndarray) -> Recording:
        self.events += [Samples(np.asarray(block, np.int32), 1001.0) for block in blocks]
        return self

    def folder(self, path: Path) -> Path:
        fsops.make_folder(path)
        facts = Facts(
            acquisition=path.name,
            root_uid=f"2.25.4711{self.number}",
            device="ecg",
            adapter="simulated",
            adapter_version="1",
            kind=self.kind,
            equipment=Equipment("ACME", "ECG-8", self.serial, "fw 2.0"),
            groups=self.groups or (self.group(),),
            exam="260922000000AB12",
            number=self.number,
            started=instant(self.trusted),
            test=self.test,
        )
        fsops.write_json(path / places.FACTS, to_json(facts))
        writer = Writer(path / places.RECORDS, len(self.groups) or 1)
        for event in self.events:
            writer.append(event)
        writer.end.interrupted = self.interrupted
        writer.close("stopped")
        return path


def heartbeat(samples: int, channels: int, counts: int = 40_000, rate: float = 500.0, seed: int = 1) -> np.ndarray:
    """A signal with P, QRS and T at 70 beats a minute, another size in each channel; int32 counts."""
    phase = (np.arange(samples) / rate * 70 / 60) % 1
    waves = ((0.12, 0.25, 0.02), (-0.1, 0.36, 0.008), (1.0, 0.38, 0.01), (-0.25, 0.40, 0.01), (0.3, 0.65, 0.045))
    beat = sum(size * np.exp(-(((phase - at) / width) ** 2)) for size, at, width in waves)
    sizes = np.linspace(0.4, 1.2, channels)
    noise = np.random.default_rng(seed).normal(0, 0.004, (samples, channels))
    return ((beat[:, None] * sizes + noise) * counts).astype(np.int32)
