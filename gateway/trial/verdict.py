"""What the demo says of its own result: is the file what the device sent? And the picture of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware_adapters.openbci_cyton import microvolts_per_count
from gateway.dicom import iods, plot, waveform

RECORDED = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")


@dataclass(frozen=True, slots=True)
class Compared:
    """``worst``: largest difference in steps of the stored channel; half a step is what 16 bits promise."""

    equal: bool
    worst: float
    words: str


def compare(file: Path, counts: NDArray[np.int32]) -> Compared:
    """The stored leads against the counts the device sent from its first sample on, shape (samples, 8)."""
    group = waveform.groups(file)[0]
    names = [trace.label for trace in group.traces]
    worst = 0.0
    for column, name in enumerate(RECORDED):
        at = names.index(name)
        stored = group.physical(at)
        sent = counts[: len(stored), column] * microvolts_per_count(24)
        step = group.traces[at].sensitivity * group.traces[at].correction
        worst = max(worst, float(np.max(np.abs(stored - sent))) / step)
    equal = worst <= 0.5 + 1e-6
    words = f"{len(group.samples)} samples x {len(RECORDED)} leads equal what the device sent, within {worst:.2f} steps"
    return Compared(equal, worst, words if equal else f"DIFFERS from what the device sent by {worst:g} steps")


def draw(file: Path, picture: Path) -> None:
    """The ECG of ``file`` on millimetre paper; no name on it."""
    picture.write_text(plot.svg(file), encoding="utf-8")


def label(sop_class_uid: str) -> str:
    """What people call the class."""
    known = iods.BY_CLASS.get(sop_class_uid)
    return known.label if known else sop_class_uid
