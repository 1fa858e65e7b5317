"""A recording larger than one instance may be comes in parts that follow each other without a gap."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from acquisitions import Recording, an_exam, heartbeat, settings_of
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset, dcmread

from gateway import fsops
from gateway.acquire.recorder import read_facts
from gateway.dicom import parts, waveform
from gateway.dicom.check import check
from gateway.dicom.iods import TABLE
from gateway.dicom.samples import pieces
from gateway.dicom.wrap import wrap
from gateway.errors import Held
from gateway.events import Gap, Marker, Samples
from gateway.model import to_json
from gateway.records import Writer

MIB = 1 << 20
COUNTS = heartbeat(500 * 300, 8)  # five minutes, 3.4 MiB as twelve leads of 16 bit
PER_PART = MIB // (500 * 12 * 2)  # whole seconds that fit into one MiB


def wrapped(recording: Recording, tmp_path: Path, out: Path, **device: Any) -> list[Dataset]:
    """The parts, in the order given."""
    folder = tmp_path / "acq"
    if not folder.exists():
        recording.folder(folder)
    made = wrap(folder, an_exam(), settings_of(tmp_path, **device), out)
    assert all(not check(Path(one.path)) for one in made)
    return [dcmread(one.path) for one in made]


def samples(head: Dataset) -> np.ndarray[Any, Any]:
    return np.concatenate([group.samples for group in waveform.groups(Path(str(head.filename)))])


def when(head: Dataset) -> datetime:
    return datetime.strptime(str(head.AcquisitionDateTime), "%Y%m%d%H%M%S.%f%z")


def test_parts_put_together_are_the_whole_sample_by_sample(tmp_path: Path, out: Path) -> None:
    (whole,) = wrapped(Recording().with_samples(COUNTS), tmp_path, out)
    made = wrapped(Recording(), tmp_path, out, largest=1)
    assert len(made) == 4
    assert np.array_equal(np.concatenate([samples(part) for part in made]), samples(whole))
    assert all(len(part.WaveformSequence[0].WaveformData) <= MIB for part in made)


def test_parts_are_one_series_in_ascending_order_and_begin_where_the_one_before_ends(tmp_path: Path, out: Path) -> None:
    recording = Recording(number=3).with_samples(COUNTS)
    (whole,) = wrapped(recording, tmp_path, out)
    made = wrapped(recording, tmp_path, out, largest=1)
    assert whole.InstanceNumber == 3
    assert [int(part.InstanceNumber) for part in made] == [3001, 3002, 3003, 3004]
    assert len({str(part.SeriesInstanceUID) for part in (*made, whole)}) == 1
    assert len({str(part.SOPInstanceUID) for part in made}) == 4
    for before, after in pairwise(made):
        seconds = before.WaveformSequence[0].NumberOfWaveformSamples / 500
        assert when(after) == when(before) + timedelta(seconds=seconds)
        assert str(after.ContentTime) in str(after.AcquisitionDateTime)
    notes = [part.WaveformAnnotationSequence[0].UnformattedTextValue for part in made]
    assert notes == [f"PART {n} OF 4 of one recording" for n in (1, 2, 3, 4)]


def test_one_scale_holds_for_all_parts(tmp_path: Path, out: Path) -> None:
    loud = COUNTS.copy()
    loud[-1000:] *= 3  # only the last part would need the coarser steps
    made = wrapped(Recording().with_samples(loud), tmp_path, out, largest=1)
    scales = [[c.ChannelSensitivity for c in part.WaveformSequence[0].ChannelDefinitionSequence] for part in made]
    assert all(each == scales[0] for each in scales)


def test_a_gap_over_a_border_is_padding_and_an_annotation_in_both_parts(tmp_path: Path, out: Path) -> None:
    border = PER_PART * 500
    recording = Recording().with_samples(COUNTS[: border - 100])
    recording.events += [Gap("cable", 1001.0, 300, 0.6), Marker("event button", 1001.0, 0, border + 250)]
    first, second, third, _ = wrapped(recording.with_samples(COUNTS[border + 200 :]), tmp_path, out, largest=1)
    assert "WaveformPaddingValue" in first.WaveformSequence[0]
    assert "WaveformPaddingValue" in second.WaveformSequence[0]
    assert "WaveformPaddingValue" not in third.WaveformSequence[0]
    assert (samples(first)[-100:] == -32768).all()
    assert (samples(second)[:200] == -32768).all()
    told = [
        [(str(a.UnformattedTextValue), a.get("ReferencedSamplePositions")) for a in part.WaveformAnnotationSequence][1:]
        for part in (first, second, third)
    ]
    assert told == [
        [("Gap: cable, 0.6 s", [border - 99, border])],
        [("Gap: cable, 0.6 s", [1, 200]), ("event button", 251)],
        [],
    ]


def test_wrapped_again_the_parts_are_the_same_bytes(tmp_path: Path, out: Path) -> None:
    wrapped(Recording().with_samples(COUNTS), tmp_path, out, largest=1)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    wrapped(Recording(), tmp_path, out, largest=1)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_groups_of_different_rates_are_cut_at_the_same_instants(tmp_path: Path, out: Path) -> None:
    """The slower group delivers in large blocks: it reaches each border long after the faster one has passed it."""
    recording = Recording().with_samples(COUNTS)
    folder = recording.folder(tmp_path / "acq")
    fast = recording.group()
    slow = dataclasses.replace(fast, rate=250.0)
    _two_groups(folder, fast, slow, COUNTS)
    made = wrapped(recording, tmp_path, out, largest=1)
    lengths = [[int(g.NumberOfWaveformSamples) for g in part.WaveformSequence] for part in made]
    assert all(a == 2 * b for a, b in lengths)
    assert np.sum(lengths, axis=0).tolist() == [len(COUNTS), len(COUNTS) // 2]


def _two_groups(folder: Path, fast: Any, slow: Any, counts: np.ndarray[Any, Any]) -> None:
    fsops.write_json(folder / "facts.json", to_json(dataclasses.replace(read_facts(folder), groups=(fast, slow))))
    (folder / "records").unlink()
    writer = Writer(folder / "records", 2)
    for at in range(0, len(counts), 50_000):
        writer.append(Samples(counts[at : at + 50_000], 1001.0, 0))
        writer.append(Samples(counts[at : at + 50_000 : 2], 1001.0, 1))
    writer.close("stopped")


def test_at_half_a_hertz_the_parts_still_begin_with_a_sample() -> None:
    made = parts.cut([62.5], [62_500], [24], MIB // 10)
    assert len(made) > 10
    assert all(part.seconds * 62.5 == part.ranges[0][0] for part in made)


def test_where_not_a_second_fits_a_person_is_told() -> None:
    with pytest.raises(Held, match="countless parts; set a larger 'largest'"):
        parts.cut([1e6], [10_000_000], [24], MIB)


def test_a_day_of_twelve_channels_is_one_instance_and_three_days_are_two() -> None:
    assert len(parts.cut([1000.0], [86_400_000], [24])) == 1
    made = parts.cut([1000.0], [3 * 86_400_000], [24])
    assert [part.number for part in made] == [1, 2]
    assert all((last - first) * 24 < 2**32 - 2 for part in made for first, last in part.ranges)


groups = st.lists(
    st.tuples(st.sampled_from([50.0, 125.0, 333.3, 500.0, 1000.0]), st.integers(0, 200_000), st.integers(1, 40)),
    min_size=1,
    max_size=4,
)


@given(groups, st.integers(100_000, 2_000_000))
def test_every_sample_is_in_exactly_one_part_and_no_part_is_too_large(
    given_groups: list[tuple[float, int, int]], largest: int
) -> None:
    rates, counts, widths = (list(column) for column in zip(*given_groups, strict=True))
    try:
        made = parts.cut(rates, counts, widths, largest)
    except Held:
        assert max(n / rate for n, rate in zip(counts, rates, strict=True)) > 900 or largest < 200_000
        return
    for group, count in enumerate(counts):
        ranges = [part.ranges[group] for part in made]
        assert ranges[0][0] == 0
        assert ranges[-1][1] == count
        assert all(a[1] == b[0] for a, b in pairwise(ranges))
        taken = [n for _, _, n in pieces(made, group, 0, count)]
        assert sum(taken) == count
    for part in made:
        size = sum((last - first) * width for (first, last), width in zip(part.ranges, widths, strict=True))
        assert size <= largest + sum(widths)  # a rate that is no whole number may round one sample up in each group
        for (first, last), rate in zip(part.ranges, rates, strict=True):
            assert first == last or 0 <= first / rate - part.seconds < 1 / rate  # the first one not before its instant


@pytest.mark.parametrize(
    ("minutes", "after", "expected"),
    [(61, 60.0, "ambulatory"), (59, 60.0, "general"), (61, 0.0, "general"), (3, 1.0, "ambulatory")],
)
def test_a_long_recording_is_an_ambulatory_ecg(
    minutes: int, after: float, expected: str, tmp_path: Path, out: Path, dciodvfy: Any
) -> None:
    recording = Recording(labels=("MLII", "V5"), rate=200.0).with_samples(heartbeat(200 * 60 * minutes, 2))
    (made,) = wrapped(recording, tmp_path, out, ambulatory_after=after)
    assert made.SOPClassUID == TABLE[expected].sop_class_uid
    assert dciodvfy(Path(str(made.filename))) == []


@pytest.mark.parametrize(("rate", "labels", "expected"), [(125.0, ("II", "Respiration"), "ambulatory")])
def test_a_rate_that_general_ecg_does_not_take_is_ambulatory_however_short(
    rate: float, labels: tuple[str, ...], expected: str, tmp_path: Path, out: Path
) -> None:
    folder = Recording(labels=labels, rate=rate).with_samples(heartbeat(900, 2)).folder(tmp_path / "acq")
    (made,) = wrap(folder, an_exam(), settings_of(tmp_path), out)
    assert made.sop_class_uid == TABLE[expected].sop_class_uid
    assert [f for f in check(Path(made.path)) if f.severity == "error"] == []


def test_a_long_recording_that_ambulatory_ecg_does_not_take_stays_a_general_ecg(tmp_path: Path, out: Path) -> None:
    recording = Recording(labels=tuple(f"c{n}" for n in range(13)), rate=200.0)
    folder = recording.with_samples(heartbeat(200 * 60 * 2, 13)).folder(tmp_path / "acq")
    (made,) = wrap(folder, an_exam(), settings_of(tmp_path, ambulatory_after=1.0), out)
    assert made.sop_class_uid == TABLE["general"].sop_class_uid
