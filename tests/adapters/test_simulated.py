"""The simulated electrocardiograph: plausible, exact where it must be, the same for the same seed."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_adapters.simulated import ADAPTER, LEADS, SENSITIVITY, Decoder, Heart, Options, twelve_leads
from gateway.acquire.contract import AdapterContract
from gateway.events import Samples


class TestContract(AdapterContract):
    adapter = ADAPTER


def recorded(seconds, seed=0, turns=10, **options):
    decoder = Decoder(Options(seed=seed, **options))
    events = list(decoder.start(0.0))
    for turn in range(1, seconds * turns + 1):
        events += decoder.tick(turn / turns)
    return np.concatenate([e.data for e in events if isinstance(e, Samples)])


def test_einthoven_and_goldberger_hold_to_the_count():
    data = dict(zip(LEADS, recorded(5).T, strict=True))
    assert np.array_equal(data["III"], data["II"] - data["I"])
    assert np.array_equal(2 * data["aVR"], -(data["I"] + data["II"]))
    assert np.array_equal(2 * data["aVL"], data["I"] - data["III"])
    assert np.array_equal(2 * data["aVF"], data["II"] + data["III"])


@settings(max_examples=30)
@given(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6))
def test_derived_leads_are_exact_for_any_potentials(one, two):
    i, ii, iii, avr, avl, avf = twelve_leads(np.array([[one, two, 0, 0, 0, 0, 0, 0]]) / 1e5)[0, :6].tolist()
    assert (iii, 2 * avr, 2 * avl, 2 * avf) == (ii - i, -(i + ii), 2 * i - ii, 2 * ii - i)


def test_the_samples_do_not_depend_on_how_often_time_is_looked_at():
    assert np.array_equal(recorded(3, turns=4), recorded(3, turns=50))


def test_the_same_seed_gives_the_same_heart_and_another_gives_another():
    assert np.array_equal(recorded(2, seed=3), recorded(2, seed=3))
    assert not np.array_equal(recorded(2, seed=3), recorded(2, seed=4))


def test_rate_and_heart_rate_are_as_asked():
    heart = Heart(250, 90.0)
    lead = np.concatenate([heart.second() for _ in range(30)])[:, 1]
    peaks = np.flatnonzero((lead[1:-1] > 0.7) & (lead[1:-1] >= lead[:-2]) & (lead[1:-1] > lead[2:]))
    beats = 1 + np.count_nonzero(np.diff(peaks) > 60)
    assert 43 <= beats <= 47


def test_it_looks_like_a_normal_ecg():
    millivolts = recorded(10) * SENSITIVITY / 1000
    low, high = millivolts.min(axis=0), millivolts.max(axis=0)
    lead = {name: i for i, name in enumerate(LEADS)}
    assert 0.8 < high[lead["II"]] < 2.0, "upright R in II"
    assert low[lead["aVR"]] < -0.5, "aVR points down"
    assert high[lead["V1"]] < -low[lead["V1"]], "rS in V1"
    assert high[lead["V5"]] > -low[lead["V5"]], "qR in V5"
    assert np.abs(millivolts).max() < 3.0


def test_more_channels_come_in_groups_that_general_ecg_takes():
    decoder = Decoder(Options(rate=1000, channels=64))
    (started,) = decoder.start(0.0)
    assert [len(group.channels) for group in started.groups] == [24, 24, 16]
    labels = [channel.label for group in started.groups for channel in group.channels]
    assert labels[:13] == [*LEADS, "E13"]
    assert len(set(labels)) == 64
    assert [(event.group, event.data.shape) for event in decoder.tick(0.5)] == [
        (0, (500, 24)),
        (1, (500, 24)),
        (2, (500, 16)),
    ]
