"""Wrapping takes the same memory however long the recording is, and says every few MiB that it goes on."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from acquisitions import Recording, an_exam, heartbeat, settings_of
from waveforms import TEN_TWENTY, group, noise

from firmware_adapters.simulated import LEADS
from gateway import interrupted, places
from gateway.dicom.plot import svg
from gateway.dicom.wrap import wrap
from gateway.dicom.writing import _File
from gateway.events import Gap, Marker
from gateway.model import Kind
from gateway.service import Service
from gateway.workers import WORKING

ROOT = Path(__file__).resolve().parents[2]
BLOCK = heartbeat(5000, 12, rate=1000.0)  # 240 kB of counts
MIB = 1 << 20


def recording_of(megabytes: int, path: Path) -> Path:
    blocks = megabytes * 1_000_000 // BLOCK.nbytes
    return Recording(labels=LEADS, rate=1000.0).with_samples(*[BLOCK] * blocks).folder(path)


def grown(small: Path, recording: Path) -> float:
    """MiB by which a process that wraps grows beyond what it needed for a small recording."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.one_wrap", "ours", str(small), str(recording)],
        env=dict(os.environ) | {"PYTHONPATH": str(ROOT / "tests")},
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return float(done.stdout.split()[1])


def test_ten_times_the_recording_takes_no_more_memory(tmp_path: Path) -> None:
    small = recording_of(1, tmp_path / "small")
    growths = [grown(small, recording_of(size, tmp_path / f"r{size}")) for size in (20, 200)]
    assert growths[1] < growths[0] + 8
    assert growths[1] < 24


def test_as_many_gaps_and_markers_as_there_may_be_take_no_more_memory_either(tmp_path: Path) -> None:
    small = recording_of(1, tmp_path / "small")
    made = Recording(labels=LEADS, rate=1000.0)
    for _ in range(40_000):
        made.with_samples(BLOCK[:2])
        made.events += [Gap("1 packet lost", 1002.0, 2, 0.002), Marker("event button", 1002.0, 0, None)]
    assert grown(small, made.folder(tmp_path / "full")) < 32


def test_an_eeg_of_half_an_hour_that_was_interrupted_twenty_times_takes_no_more_memory_either(tmp_path: Path) -> None:
    small = recording_of(1, tmp_path / "small")
    made = Recording(kind=Kind.EEG, groups=(group(256.0, TEN_TWENTY, "uV", 0.05, reference="A1"),))
    piece = noise(256 * 92, len(TEN_TWENTY), 8_000_000)
    for _ in range(20):
        made.with_samples(piece)
        made.events.append(Gap("cable unplugged", 1002.0, 256 * 10, 10.0))
    assert grown(small, made.folder(tmp_path / "eeg")) < 12  # of 35 MB


def test_of_many_parts_few_are_in_memory_at_a_time(tmp_path: Path, out: Path) -> None:
    folder = recording_of(20, tmp_path / "acquisition")
    headers: list[int] = []

    def beat() -> None:
        headers.append(sum(type(one) is _File for one in gc.get_objects()))

    assert len(wrap(folder, an_exam(), settings_of(tmp_path, largest=1), out, None, beat)) >= 10
    assert max(headers) == 1


def test_the_beat_comes_at_least_every_few_mebibytes_read_and_written(tmp_path: Path, out: Path) -> None:
    folder = recording_of(40, tmp_path / "acquisition")
    states: list[int] = []

    def beat() -> None:
        part = next(iter(out.glob(".*.part")), None)
        states.append(part.stat().st_size if part else 0)

    (made,) = wrap(folder, an_exam(), settings_of(tmp_path), out, None, beat)
    assert len(states) > 2 * 40_000_000 // (4 * MIB)
    assert made.size > 19_000_000


def test_a_cut_off_recording_is_finished_with_beats(tmp_path: Path) -> None:
    path = recording_of(20, tmp_path / "acquisition") / places.RECORDS
    with path.open("r+b") as stream:
        stream.truncate(path.stat().st_size - 100)
    beats: list[int] = []
    assert interrupted.finish(path, 1, lambda: beats.append(1)).interrupted
    assert len(beats) >= 20_000_000 // (4 * MIB)


def test_a_picture_of_a_long_recording_touches_its_first_seconds_only(tmp_path: Path, out: Path) -> None:
    (made,) = wrap(recording_of(40, tmp_path / "acquisition"), an_exam(), settings_of(tmp_path), out)
    path = Path(made.path)
    before = svg(path)
    with path.open("r+b") as stream:
        stream.seek(path.stat().st_size // 2)
        stream.write(np.full(MIB, -1, np.int8).tobytes())
    assert svg(path) == before


def test_a_wrapping_that_is_slow_is_progress_and_one_that_hangs_is_not(tmp_path: Path, out: Path) -> None:
    """On a board on which every few MiB take nearly as long as the watchdog waits; then nothing comes any more."""
    folder = recording_of(20, tmp_path / "acquisition")
    now = [0.0]
    service = Service("forward", lambda: now[0])
    heart = service.heart("intake", WORKING)
    late: list[float] = []

    def beat() -> None:
        now[0] += 0.9 * WORKING
        late.append(heart.late(now[0]))
        heart.beat()

    assert wrap(folder, an_exam(), settings_of(tmp_path), out, None, beat)
    assert now[0] > 5 * WORKING
    assert not any(late)
    now[0] += 1.1 * WORKING
    assert heart.late(now[0]) > 0
    service.close()
