"""The samples of a waveform file as physical values: for plots, for tests, for anybody who reads one.

Physical value = sample x Channel Sensitivity x Sensitivity Correction Factor + Channel Baseline, in the
channel's unit: the baseline is in the unit, and the factor is not applied to it (PS3.3 C.10.9.1.4.2). A sample
equal to Waveform Padding Value is missing and becomes NaN before anything is scaled.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from gateway.dicom.reading import Extent, WaveformFile, open_file
from gateway.errors import Held

_MOST_READ = 64 << 20  # bytes
DTYPES = {"SB": "i1", "UB": "u1", "SS": "<i2", "US": "<u2", "SL": "<i4", "UL": "<u4"}


@dataclass(frozen=True, slots=True)
class Trace:
    """One channel: how its samples become values of ``unit``."""

    label: str
    unit: str
    sensitivity: float
    correction: float
    baseline: float
    derivation: str = ""
    low_cut: float | None = None
    high_cut: float | None = None
    notch: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """One multiplex group. ``samples``: stored values, shape (samples, channels), mapped from the file.

    ``count``: samples of each channel in the file; fewer are in ``samples`` if only the first seconds were read.
    """

    label: str
    rate: float  # Hz
    traces: tuple[Trace, ...]
    samples: NDArray[Any]
    padding: int | None
    count: int

    def physical(self, channel: int, first: int = 0, last: int | None = None) -> NDArray[np.float64]:
        """Samples ``first..last`` (0-based, end excluded) of one channel in its unit; missing ones are NaN."""
        trace = self.traces[channel]
        stored = self.samples[first:last, channel]
        values: NDArray[np.float64] = stored.astype(np.float64) * (trace.sensitivity * trace.correction)
        values += trace.baseline
        if self.padding is not None:
            values[stored == self.padding] = np.nan
        return values


def groups(path: Path) -> tuple[Group, ...]:
    """The multiplex groups of a file, samples mapped and not read. Raises Held if it has none that can be read."""
    return groups_of(open_file(path))


def groups_of(file: WaveformFile, seconds: float | None = None) -> tuple[Group, ...]:
    """The same of an open file. With ``seconds`` only that much of each group is read, and nothing mapped: a mapped
    file that goes away, as on a stick that is pulled, would kill the process."""
    items = file.dataset.get("WaveformSequence") or []
    if not items:
        raise Held(f"{file.path} holds no waveform", "only waveform files can be shown")
    return tuple(_group(file, item, extent, seconds) for item, extent in zip(items, file.extents, strict=True))


def _group(file: WaveformFile, item: Dataset, extent: Extent | None, seconds: float | None) -> Group:
    kind = str(item.get("WaveformSampleInterpretation", ""))
    if kind not in DTYPES or extent is None:
        raise Held(f"{file.path}: samples of the kind {kind or 'unknown'!r} cannot be read")
    dtype = np.dtype(DTYPES[kind])
    channels, count = int(item.get("NumberOfWaveformChannels", 0)), int(item.get("NumberOfWaveformSamples", 0))
    needed = channels * count * dtype.itemsize
    if not needed or extent.length < needed or extent.offset + needed > file.size:
        raise Held(f"{file.path}: {channels} x {count} samples do not fit into {extent.length} bytes of data")
    rate = float(item.SamplingFrequency)
    samples: NDArray[Any]
    if seconds is None:
        samples = np.memmap(file.path, dtype, "r", extent.offset, (count, channels))
    else:
        samples = _first(file.path, dtype, extent.offset, min(count, int(rate * seconds) + 1), channels)
    traces = tuple(_traces(item))
    if len(traces) != channels:
        raise Held(f"{file.path}: {channels} channels, but {len(traces)} channel definitions")
    padding = item.get("WaveformPaddingValue")
    number = None if padding is None else int(np.frombuffer(bytes(padding)[: dtype.itemsize], dtype)[0])
    return Group(str(item.get("MultiplexGroupLabel", "") or ""), rate, traces, samples, number, count)


def _first(path: Path, dtype: np.dtype[Any], offset: int, count: int, channels: int) -> NDArray[Any]:
    size = count * channels * dtype.itemsize
    if size > _MOST_READ:
        raise Held(f"{path}: {channels} channels at such a rate are too many to be read at once")
    with path.open("rb") as stream:
        stream.seek(offset)
        data = stream.read(size)
    if len(data) < size:
        raise Held(f"{path} became shorter while it was read")
    return np.frombuffer(data, dtype).reshape(count, channels)


def _traces(item: Dataset) -> Iterator[Trace]:
    for channel in item.get("ChannelDefinitionSequence") or []:
        units = channel.get("ChannelSensitivityUnitsSequence") or [Dataset()]
        yield Trace(
            label=_label(channel),
            unit=str(units[0].get("CodeValue", "")),
            sensitivity=_number(channel, "ChannelSensitivity", 1.0) or 0.0,
            correction=_number(channel, "ChannelSensitivityCorrectionFactor", 1.0) or 0.0,
            baseline=_number(channel, "ChannelBaseline", 0.0) or 0.0,
            derivation=str(channel.get("ChannelDerivationDescription", "") or ""),
            low_cut=_number(channel, "FilterLowFrequency", None),
            high_cut=_number(channel, "FilterHighFrequency", None),
            notch=_number(channel, "NotchFilterFrequency", None),
        )


def _number(channel: Dataset, keyword: str, default: float | None) -> float | None:
    value = channel.get(keyword)
    return default if value is None else float(value)


def _label(channel: Dataset) -> str:
    """Channel Label, else what the source code means ("Lead II" -> "II")."""
    if label := channel.get("ChannelLabel"):
        return str(label)
    sources = channel.get("ChannelSourceSequence") or [Dataset()]
    meaning = str(sources[0].get("CodeMeaning", "") or "")
    return meaning.split(",", maxsplit=1)[0].removeprefix("Lead ").strip()
