"""A waveform file as a picture: SVG on millimetre paper, 25 mm/s and 10 mm/mV, as a cardiologist reads it.

Twelve leads: three rows of four columns of 2.5 s, and lead II below as rhythm strip. Anything else: one strip of
10 s for each channel. What is no voltage of the heart (a pressure, the microvolts of an EEG) fills its strip, and its
label says by how much. From each lead its median is subtracted, so that the offset of an electrode cannot push
the trace off the paper, and the legend says so. Missing samples break the line. No identity unless asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from gateway.dicom.leads import ORDER, lead
from gateway.dicom.paper import GAIN, PULSE, SPEED, Paper
from gateway.dicom.reading import open_file
from gateway.dicom.waveform import Group, groups_of
from gateway.errors import Held

COLUMNS = (("I", "II", "III"), ("aVR", "aVL", "aVF"), ("V1", "V2", "V3"), ("V4", "V5", "V6"))
RHYTHM = "II"
COLUMN_SECONDS = 2.5
STRIP_SECONDS = 10.0
MARGIN, HEADER, ROW, STRIP_ROW = 10.0, 22.0, 30.0, 25.0  # mm
_INDENT = 2 * PULSE[0] + PULSE[1] + 4.0  # mm: room for the calibration pulse
_PER_MILLIVOLT = {"uV": 1e-3, "mV": 1.0, "V": 1e3}
_OWN_HEIGHT = frozenset({"EEG", "EMG", "EOG"})  # modalities whose voltages have another size than those of the heart
_OTHER_HEIGHT = 15.0  # mm: what is no voltage of the heart is scaled to this height


def svg(path: Path, identify: bool = False) -> str:
    """The picture of the first multiplex group; ``identify`` prints patient name and ID.

    Raises Held if the file holds no waveform that can be read.
    """
    try:
        return _sheet(path, identify)
    except Held:
        raise
    except Exception as error:  # a header so broken that its numbers cannot be read
        raise Held(f"{path} cannot be drawn ({type(error).__name__})", "gateway check says what is wrong") from error


def _sheet(path: Path, identify: bool) -> str:
    file = open_file(path)
    group = groups_of(file, STRIP_SECONDS)[0]
    names = [_name(trace.label) for trace in group.traces]
    if len(group.samples) < 2 or group.rate <= 0:
        raise Held(f"{path} is too short to be drawn")
    twelve = set(ORDER) <= set(names)
    rows = len(COLUMNS[0]) + 1 if twelve else len(names)
    pitch = ROW if twelve else STRIP_ROW
    grid = _INDENT + STRIP_SECONDS * SPEED
    grid += -grid % 5
    paper = Paper(2 * MARGIN + grid, HEADER + rows * pitch + MARGIN + 6)
    top, bottom = HEADER, HEADER + rows * pitch
    _words(paper, file.dataset, group, identify, bottom)
    baselines = [top + pitch * (row + 0.55) for row in range(rows)]
    gains = [_gain(file.dataset, trace.unit) for trace in group.traces]
    for row, baseline in enumerate(baselines):
        if twelve or gains[row]:
            paper.calibration(MARGIN + 1, baseline)
    if twelve:
        _three_by_four(paper, group, names, baselines, gains)
    else:
        for channel, baseline in enumerate(baselines):
            _strip(paper, group, channel, gains[channel], (0.0, STRIP_SECONDS), MARGIN + _INDENT, baseline)
    return paper.svg(MARGIN, top, MARGIN + grid, bottom, f"{_title(file.dataset)}, {len(names)} channels")


def _gain(head: Dataset, unit: str) -> float:
    """Millimetres per unit; 0 for what has no gain of its own, and fills its strip."""
    return 0.0 if str(head.get("Modality") or "") in _OWN_HEIGHT else GAIN * _PER_MILLIVOLT.get(unit, 0.0)


def _three_by_four(
    paper: Paper, group: Group, names: Sequence[str], baselines: Sequence[float], gains: Sequence[float]
) -> None:
    for number, column in enumerate(COLUMNS):
        begin = number * COLUMN_SECONDS
        x = MARGIN + _INDENT + begin * SPEED
        for label, baseline in zip(column, baselines, strict=False):
            channel = names.index(label)
            _strip(paper, group, channel, gains[channel], (begin, begin + COLUMN_SECONDS), x, baseline)
            if number:
                paper.tick(x, baseline)
    channel = names.index(RHYTHM)
    _strip(paper, group, channel, gains[channel], (0.0, STRIP_SECONDS), MARGIN + _INDENT, baselines[-1])


def _strip(
    paper: Paper, group: Group, channel: int, gain: float, seconds: tuple[float, float], x: float, baseline: float
) -> None:
    """One lead from ``seconds[0]`` to ``seconds[1]`` of the recording, its label above the start."""
    first, last = (round(s * group.rate) for s in seconds)
    trace = group.traces[channel]
    paper.text(x + 1, baseline - 9, _name(trace.label) or trace.label, 3.6, bold=True)
    shown = group.physical(channel, 0, round(STRIP_SECONDS * group.rate))  # one median for all parts of a lead
    if np.isnan(shown).all():
        return
    values = (shown - np.nanmedian(shown)) * (gain or _filling(paper, trace.unit, shown, x, baseline))
    part = values[first : last + 1]
    across = x + np.arange(len(part)) / group.rate * SPEED
    paper.line(_thinned(np.column_stack((across, baseline - part))))


def _filling(paper: Paper, unit: str, shown: NDArray[np.float64], x: float, baseline: float) -> float:
    """Millimetres per unit of what fills its strip; the label says by how much."""
    reach = float(np.nanmax(shown) - np.nanmin(shown)) or 1.0
    paper.text(x + 24, baseline - 9, f"{_OTHER_HEIGHT:g} mm = {reach:.3g} {unit or 'counts'}", 2.6)
    return _OTHER_HEIGHT / reach


def _thinned(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """At most some ten points a millimetre: more cannot be seen. Extremes stay, and both ends."""
    step = int(len(points) / (5 * max(float(np.ptp(points[:, 0])), 1.0))) if len(points) else 0
    if step < 2:
        return points
    whole = len(points) // step * step
    blocks = points[:whole].reshape(-1, step, 2)
    ends = np.sort(np.column_stack((blocks[:, :, 1].argmin(axis=1), blocks[:, :, 1].argmax(axis=1))), axis=1)
    kept = np.take_along_axis(blocks, ends[:, :, None], axis=1).reshape(-1, 2)
    return np.concatenate((points[:1], kept, points[whole:], points[-1:]))


def _name(label: str) -> str:
    found = lead(label)
    return found.label if found else label


def _title(head: Dataset) -> str:
    """What class of object it is, without whose."""
    return str(head.get("ProtocolName") or head.get("Modality") or "Waveform")


def _words(paper: Paper, head: Dataset, group: Group, identify: bool, bottom: float) -> None:
    paper.text(MARGIN, 8, _title(head), 4.6, bold=True)
    if identify:
        name = str(head.get("PatientName") or "").split("=")[0].replace("^", " ")
        born = f", born {head.PatientBirthDate}" if head.get("PatientBirthDate") else ""
        paper.text(MARGIN + 110, 8, f"{name} ({head.get('PatientID') or 'no ID'}{born})", 4.2, bold=True)
    facts = [
        _when(head),
        f"{group.count / group.rate:.1f} s at {group.rate:g} Hz",
        " ".join(str(head.get(k) or "") for k in ("Manufacturer", "ManufacturerModelName")).strip(),
        str(head.get("SeriesDescription") or ""),
    ]
    paper.text(MARGIN, 13.5, " · ".join(f for f in facts if f))
    gain = f"{GAIN:g} mm/mV · " if any(_gain(head, trace.unit) for trace in group.traces) else ""
    paper.text(MARGIN, 18.5, f"{SPEED:g} mm/s · {gain}{_filters(group)}", bold=True)
    derived = [trace.label for trace in group.traces if trace.derivation]
    legend = "Each lead is drawn about its own median. Where the line is broken, samples are missing."
    if derived:
        legend += f" Calculated, not recorded: {', '.join(derived)}."
    if group.count > (STRIP_SECONDS + 0.05) * group.rate:
        legend += f" Drawn are the first {STRIP_SECONDS:g} s."
    paper.text(MARGIN, bottom + 5, legend + " Not for diagnosis.", 2.8)


def _when(head: Dataset) -> str:
    text = str(head.get("AcquisitionDateTime") or "")
    if len(text) < 14:
        return text
    zone = text[-5:] if text[-5] in "+-" else ""
    return f"{text[:4]}-{text[4:6]}-{text[6:8]} {text[8:10]}:{text[10:12]}:{text[12:14]} {zone}".strip()


def _filters(group: Group) -> str:
    """The filters of the first channel, as the device stated them."""
    trace = group.traces[0]
    match trace.low_cut, trace.high_cut:
        case None, None:
            told = "filters not stated"
        case None, high:
            told = f"up to {high:g} Hz"
        case low, None:
            told = f"from {low:g} Hz"
        case low, high:
            told = f"{low:g} - {high:g} Hz"
    return told + (f", notch {trace.notch:g} Hz" if trace.notch else "")
