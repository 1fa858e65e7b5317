"""Routine scalp EEG may not be interrupted: a gap ends an instance, the next one goes on where samples came again."""

from __future__ import annotations

import tracemalloc
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from acquisitions import Recording, an_exam, settings_of
from hypothesis import given
from hypothesis import strategies as st
from waveforms import group, noise

from gateway.dicom import interruptions, samples, waveform
from gateway.dicom.check import check
from gateway.dicom.wrap import wrap
from gateway.errors import Held
from gateway.events import Gap, Marker, Samples
from gateway.model import Kind

RATE = 250.0
EEG = (group(RATE, ("Fp1", "Fp2", "Cz"), "uV", 0.1, reference="A1"),)
COUNTS = noise(2000, 3, 300_000)


def recorded(*events: Samples | Gap | Marker | tuple[int, int], kind: Kind = Kind.EEG) -> Recording:
    """A pair stands for these samples of COUNTS."""
    made = Recording(kind=kind, groups=EEG)
    made.events = [Samples(COUNTS[e[0] : e[1]], 1001.0) if isinstance(e, tuple) else e for e in events]
    return made


def wrapped(recording: Recording, tmp_path: Path, out: Path, **device: Any) -> list[pydicom.Dataset]:
    made = wrap(recording.folder(tmp_path / "acq"), an_exam(), settings_of(tmp_path, **device), out)
    assert [check(Path(one.path)) for one in made] == [[]] * len(made)
    return [pydicom.dcmread(one.path) for one in made]


def counts(head: pydicom.Dataset) -> np.ndarray:
    (found,) = waveform.groups(Path(str(head.filename)))
    return np.array(found.samples)


def when(head: pydicom.Dataset) -> datetime:
    return datetime.strptime(str(head.AcquisitionDateTime), "%Y%m%d%H%M%S.%f%z")


def said(head: pydicom.Dataset) -> list[str]:
    return [note.UnformattedTextValue for note in head.WaveformAnnotationSequence]


def test_a_gap_starts_another_instance_which_says_why_and_begins_when_samples_came_again(
    tmp_path: Path, out: Path
) -> None:
    gap = Gap("cable unplugged", 1003.0, 3001, 12.004)
    first, second = wrapped(recorded((0, 501), gap, (501, 2000)), tmp_path, out)
    assert np.array_equal(counts(first), COUNTS[:501])
    assert np.array_equal(counts(second), COUNTS[501:])
    assert when(second) == when(first) + timedelta(seconds=3502 / RATE)
    assert [int(head.InstanceNumber) for head in (first, second)] == [1001, 1002]
    assert first.SeriesInstanceUID == second.SeriesInstanceUID
    assert said(first) == ["PART 1 OF 2 of one recording"]
    assert said(second) == ["PART 2 OF 2 of one recording", "Gap: cable unplugged, 12.004 s, before this part"]
    assert "WaveformPaddingValue" not in second.WaveformSequence[0]


def test_a_gap_shorter_than_an_interruption_is_padding_in_one_instance(tmp_path: Path, out: Path) -> None:
    recording = recorded((0, 500), Gap("1 packet lost", 1003.0, 25, 0.1), (500, 2000))
    (head,) = wrapped(recording, tmp_path, out)
    assert np.array_equal(np.delete(counts(head), slice(500, 525), 0), COUNTS)
    assert said(head) == ["Gap: 1 packet lost, 0.1 s"]


def test_how_long_an_interruption_is_stands_in_the_configuration(tmp_path: Path, out: Path) -> None:
    recording = recorded((0, 500), Gap("1 packet lost", 1003.0, 1, 0.004), (500, 2000))
    assert len(wrapped(recording, tmp_path, out, interruption=0.0)) == 2


def test_an_interrupted_sleep_eeg_stays_one_instance(tmp_path: Path, out: Path) -> None:
    recording = recorded((0, 500), Gap("cable", 1003.0, 2500, 10.0), (500, 2000), kind=Kind.SLEEP)
    (head,) = wrapped(recording, tmp_path, out)
    assert head.WaveformSequence[0].NumberOfWaveformSamples == 4500


def test_gaps_at_both_ends_are_in_no_instance_but_told(tmp_path: Path, out: Path) -> None:
    events = (Gap("late", 1000.0, 500, 2.0), (0, 2000), Gap("early", 1020.0, 750, 3.0))
    (head,) = wrapped(recorded(*events), tmp_path, out)
    assert np.array_equal(counts(head), COUNTS)
    assert when(head).timestamp() == pytest.approx(1_790_000_002.25)
    assert said(head) == ["Gap: late, 2 s, before this part", "Gap: early, 3 s"]


def test_what_happened_meanwhile_is_told_in_the_part_that_follows_and_nothing_is_told_twice(
    tmp_path: Path, out: Path
) -> None:
    events = (
        (0, 500),
        Marker("connection lost", 1002.0, 0, 500),
        Gap("the connection was lost", 1003.0, 500, 2.0),
        (500, 2000),
        Marker("eyes closed", 1006.0, 0, 1100),
    )
    first, second = wrapped(recorded(*events), tmp_path, out)
    assert said(first)[1:] == []
    told = {note.UnformattedTextValue: note.ReferencedSamplePositions for note in second.WaveformAnnotationSequence[1:]}
    assert told == {
        "connection lost, before this part": 1,
        "Gap: the connection was lost, 2 s, before this part": 1,
        "eyes closed": 101,
    }


def test_a_piece_that_is_too_large_is_cut_further(tmp_path: Path, out: Path) -> None:
    many = noise(200_000, 3, 300_000)
    recording = Recording(kind=Kind.EEG, groups=EEG)
    gap = Gap("cable", 1003.0, 2500, 10.0)
    recording.events = [Samples(many[:500], 1001.0), gap, Samples(many[500:], 1002.0)]
    made = wrapped(recording, tmp_path, out, largest=1)
    assert [int(head.InstanceNumber) for head in made] == [1001, 1002, 1003, 1004]
    assert np.array_equal(np.concatenate([counts(head) for head in made]), many)


def test_wrapping_again_gives_the_same_bytes(tmp_path: Path, out: Path) -> None:
    folder = recorded((0, 500), Gap("cable", 1003.0, 2500, 10.0), (500, 2000)).folder(tmp_path / "acq")
    again = [
        {one.sop_instance_uid: Path(one.path).read_bytes() for one in made}
        for made in (wrap(folder, an_exam(), settings_of(tmp_path), out) for _ in range(2))
    ]
    assert again[0] == again[1]
    assert len(again[0]) == 2


def test_more_interruptions_than_instances_can_be_told_apart_are_held(tmp_path: Path, out: Path) -> None:
    events = [e for _ in range(1001) for e in ((0, 1), Gap("flicker", 1001.0, 250, 1.0))]
    with pytest.raises(Held, match="longer 'interruption'"):
        wrapped(recorded(*events), tmp_path, out)
    assert list(out.iterdir()) == []


def test_finding_the_interruptions_takes_no_memory_for_the_samples(tmp_path: Path) -> None:
    recording = Recording(kind=Kind.EEG, groups=EEG)
    recording.events = [Samples(COUNTS, 1001.0)] * 400 + [Gap("cable", 1003.0, 2500, 10.0), Samples(COUNTS, 1002.0)]
    path = recording.folder(tmp_path / "acq") / "records"
    tracemalloc.start()
    found = interruptions.stretches(path, 0, RATE, 1.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == [(0, 800_000), (802_500, 804_500)]
    assert peak < 2 << 20 < path.stat().st_size


@given(
    st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 3000)), min_size=1, max_size=20),
    st.sampled_from([1.0, 62.5, 256.0, 333.3]),
    st.integers(1, 8),
)
def test_each_sample_goes_to_one_part_and_what_was_lost_to_none(
    steps: list[tuple[int, int]], rate: float, width: int
) -> None:
    pieces, at = [], 0
    for lost, kept in steps:
        pieces.append((at + lost, at + lost + kept))
        at += lost + kept
    largest = max(4096, int(rate + 1) * width)
    made = interruptions.cut(pieces, 0, [rate], width, largest)
    assert [part.number for part in made] == list(range(1, len(made) + 1))
    assert all((last - first) * width <= largest for part in made for first, last in part.ranges)
    kept = [n for first, last in pieces for n in range(first, last)]
    assert [n for part in made for n in range(*part.ranges[0])] == kept
    went = [
        (part.number, at + n) for part, at, count in samples.pieces(made, 0, 0, pieces[-1][1] + 7) for n in range(count)
    ]
    assert [n for _, n in went] == kept
    assert all(made[number - 1].ranges[0][0] <= n < made[number - 1].ranges[0][1] for number, n in went)
    assert all(abs(part.seconds - part.ranges[0][0] / rate) <= 1 / rate for part in made)
