"""What the device said comes out again: to the bit in 32 bits, within half a step in 16, in little memory."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pydicom
import pytest
from acquisitions import EIGHT, STEP, Recording, an_exam, heartbeat, settings_of
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps
from tiers import examples

from gateway.dicom.leads import Column, columns
from gateway.dicom.scaling import STORAGE, ds, scale, store
from gateway.dicom.waveform import groups
from gateway.dicom.wrap import wrap
from gateway.errors import Held
from gateway.events import Gap
from gateway.model import Channel

COUNTS = st.integers(-(2**23), 2**23 - 1)
BLOCK = nps.arrays(np.int32, st.tuples(st.integers(1, 30), st.just(2)), elements=COUNTS)
QUICK = settings(max_examples=examples(60))


@given(BLOCK, st.floats(1e-4, 50), st.sampled_from([1, -1]), st.sampled_from([0.0, 0.5, 2.5]))
@QUICK
def test_16_bit_samples_are_within_half_a_step_of_what_the_device_said(
    counts: np.ndarray, sensitivity: float, polarity: int, resolution: float
) -> None:
    sensitivity *= polarity
    for i in range(2):
        column = Column(Channel("V1", "uV", sensitivity), ((i, 1),))
        low, high = int(counts[:, i].min()), int(counts[:, i].max())
        try:
            how = scale(column, low, high, STORAGE["SS"], resolution)
        except Held:
            assert max(-low, high) * abs(sensitivity) > 32767 * resolution
            continue
        stored = store(counts, (column,), (how,), STORAGE["SS"])[:, 0].astype(np.float64)
        step = float(how.sensitivity)
        error = np.abs(stored * step - counts[:, i] * sensitivity)
        assert np.abs(stored).max() <= 32767
        assert error.max() <= abs(step) / 2 * (1 + 1e-6)


def test_a_sample_that_lies_half_a_step_beyond_the_range_does_not_become_the_padding_value() -> None:
    column = Column(Channel("V1", "uV", 1.0), ((0, 1),))
    how = scale(column, 0, 65535, STORAGE["SS"], 0.0)
    counts = np.array([[65535], [0]], np.int32)
    stored = store(counts, (column,), (how,), STORAGE["SS"])[:, 0].astype(np.float64)
    assert np.abs(stored * float(how.sensitivity) - counts[:, 0]).max() <= float(how.sensitivity) / 2
    assert stored.min() > STORAGE["SS"].padding


@given(BLOCK)
@QUICK
def test_limb_leads_obey_einthoven_and_goldberger_exactly(counts: np.ndarray) -> None:
    made = columns((Channel("I", "uV", STEP), Channel("II", "uV", STEP)), derive=True)
    scales = tuple(scale(column, -(2**25), 2**25, STORAGE["SL"], 0) for column in made)
    stored = store(counts, made, scales, STORAGE["SL"]).astype(np.int64)
    one, two, three, right, left, foot = stored.T
    assert (three == two - one).all()
    assert (right == -(one + two)).all()
    assert (left == 2 * one - two).all()
    assert (foot == 2 * two - one).all()
    sensitivities = [column.channel.sensitivity for column in made]
    assert sensitivities == [STEP, STEP, STEP, STEP / 2, STEP / 2, STEP / 2]


@pytest.mark.parametrize(
    "second",
    [
        Channel("II", "uV", 2 * STEP),
        Channel("II", "mV", STEP),
        Channel("II", "uV", STEP, 5.0),
        Channel("V2", "uV", STEP),
    ],
    ids=["another sensitivity", "another unit", "a baseline", "no lead II"],
)
def test_limb_leads_are_not_calculated_from_leads_that_do_not_match(second: Channel) -> None:
    channels = (Channel("I", "uV", STEP), second)
    assert [c.channel for c in columns(channels, derive=True)] == list(channels)


def test_a_recorded_lead_is_never_replaced_by_a_calculated_one() -> None:
    channels = tuple(Channel(label, "uV", STEP) for label in ("II", "aVR", "I"))
    made = columns(channels, derive=True)
    assert [c.channel.label for c in made] == ["I", "II", "III", "aVR", "aVL", "aVF"]
    assert made[3].terms == ((1, 1),)
    assert made[3].derivation == ""


@given(st.floats(1e-9, 1e9))
def test_a_stated_sensitivity_fits_its_ds_and_loses_less_than_a_billionth(value: float) -> None:
    assert len(ds(value)) <= 16
    assert abs(float(ds(value)) - value) <= 1e-9 * value


@given(nps.arrays(np.int32, st.tuples(st.integers(1, 40), st.just(8)), elements=COUNTS), st.integers(0, 30))
@settings(max_examples=examples(15))
def test_32_bit_instances_give_back_every_bit(
    tmp_path_factory: pytest.TempPathFactory, counts: np.ndarray, lost: int
) -> None:
    tmp_path = tmp_path_factory.mktemp("lossless")
    recording = Recording().with_samples(counts)
    recording.events.append(Gap("lost", 1002.0, lost))
    folder = recording.with_samples(counts[::-1].copy()).folder(tmp_path / "acq")
    (reference,) = wrap(folder, an_exam(), settings_of(tmp_path, derive_leads=False), tmp_path, "general-32")
    samples = pydicom.dcmread(reference.path).WaveformSequence[0].WaveformData
    expected = np.concatenate((counts, np.full((lost, 8), -(2**31), np.int32), counts[::-1]))
    assert samples == expected.astype("<i4").tobytes()


def test_what_a_configured_resolution_would_clip_is_held_with_lead_value_and_limit(tmp_path: Path, out: Path) -> None:
    counts = heartbeat(500, 8)
    counts[100, 3] = 8_000_000
    folder = Recording().with_samples(counts).folder(tmp_path / "acq")
    with pytest.raises(Held, match=r"lead V2 reaches 178814 uV, but 16-bit samples of 1 uV end at 32767 uV"):
        wrap(folder, an_exam(), settings_of(tmp_path, resolution=1.0), out)


def test_a_configured_resolution_is_the_stated_sensitivity(tmp_path: Path, out: Path) -> None:
    folder = Recording().with_samples(heartbeat(500, 8)).folder(tmp_path / "acq")
    (reference,) = wrap(folder, an_exam(), settings_of(tmp_path, resolution=2.5), out)
    channels = pydicom.dcmread(reference.path).WaveformSequence[0].ChannelDefinitionSequence
    assert {float(c.ChannelSensitivity) for c in channels} == {2.5}


def test_counts_that_fit_are_stored_as_they_are_even_in_16_bits(tmp_path: Path, out: Path) -> None:
    counts = heartbeat(500, 8, counts=9000)
    folder = Recording().with_samples(counts).folder(tmp_path / "acq")
    (reference,) = wrap(folder, an_exam(), settings_of(tmp_path, derive_leads=False), out)
    stored = np.frombuffer(pydicom.dcmread(reference.path).WaveformSequence[0].WaveformData, "<i2")
    assert (stored.reshape(-1, 8) == counts).all()


def test_reading_gives_physical_values_with_baseline_in_the_unit(tmp_path: Path, out: Path) -> None:
    counts = heartbeat(700, 8, counts=9000)
    recording = Recording(baseline=12.5).with_samples(counts)
    recording.events.append(Gap("lost", 1002.0, 3))
    (reference,) = wrap(recording.folder(tmp_path / "acq"), an_exam(), settings_of(tmp_path), out)
    (group,) = groups(Path(reference.path))
    assert (group.rate, [t.label for t in group.traces], group.padding) == (500.0, list(EIGHT), -32768)
    for i in range(8):
        values = group.physical(i)
        assert np.allclose(values[:700], counts[:, i] * STEP + 12.5, rtol=1e-9)
        assert np.isnan(values[700:]).all()


def test_a_long_recording_is_wrapped_and_checked_in_little_memory(tmp_path: Path) -> None:
    """96 MB of samples: the peak may not grow by more than a part of them."""
    script = textwrap.dedent("""
        import resource, sys
        from pathlib import Path
        import numpy as np
        sys.path.insert(0, sys.argv[2])
        from acquisitions import Recording, an_exam, heartbeat, settings_of
        from gateway.dicom.check import check
        from gateway.dicom.wrap import wrap
        from gateway.events import Samples
        class Endless(list):
            def __iter__(self):
                block = heartbeat(1000, 8)
                return (Samples(block, 1001.0) for _ in range(2000))
        here = Path(sys.argv[1])
        def peak():
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        folder = Recording(events=Endless()).folder(here / "acq")
        small = Recording().with_samples(heartbeat(1000, 8)).folder(here / "small")
        wrap(small, an_exam(), settings_of(here), here)
        before = peak()
        (reference,) = wrap(folder, an_exam(), settings_of(here), here, "general-32")
        assert check(Path(reference.path)) == []
        print(reference.size >> 20, peak() - before)
    """)
    tests = Path(__file__).parent.parent
    command = [sys.executable, "-c", script, str(tmp_path), str(tests)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True, cwd=tests.parent)
    size, grown = map(int, ran.stdout.split())
    assert size >= 90
    assert grown < 24
