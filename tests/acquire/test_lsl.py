"""LSL streams: what they say of themselves, their samples to the count, what is missing, and who they are.

The outlets are real ones in processes of their own. They and the gateway speak over the loopback address only: the
configuration of liblsl that these tests write says so, and a session of their own keeps them from other tests' streams.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import lsl_outlet
import numpy as np
import pydicom
import pytest
from acquisitions import an_exam
from pydicom.waveforms import multiplex_array
from tiers import only_slow

from gateway import records
from gateway.acquire.adapter import Undecoded
from gateway.acquire.lsl.description import described
from gateway.acquire.lsl.finding import library
from gateway.acquire.lsl.line import StreamLine
from gateway.acquire.lsl.options import Options
from gateway.acquire.lsl.samples import Counting
from gateway.acquire.session import Begin, Record, Session
from gateway.dicom.check import check
from gateway.dicom.wrap import wrap
from gateway.errors import Retry
from gateway.events import Gap, Samples
from gateway.model import Kind
from gateway.sop_classes import WRITTEN

LOOPBACK = """
[ports]
IPv6 = disable
[multicast]
ResolveScope = machine
MachineAddresses = {{127.0.0.1}}
ListenAddress = 127.0.0.1
[lab]
KnownPeers = {{127.0.0.1}}
SessionID = {session}
[log]
level = -3
"""
DEVICE = """
[[device]]
name = "eeg"
adapter = "lsl"
stream = "{name}"
source_id = "{name}"
markers = "{name}-marks"
look = 10.0
silence = 60.0
sync_interval = 0.1
"""
RATE = 256.0
LABELS = ["Fp1", "Fp2", "C3", "C4"]
XML = """<?xml version="1.0"?><info><name>amp</name><type>{kind}</type><channel_count>2</channel_count>
<channel_format>{form}</channel_format><source_id>S-1</source_id><nominal_srate>{rate}</nominal_srate><desc>
<acquisition><manufacturer>Acme</manufacturer><model>Cap 4</model><serial_number>17</serial_number></acquisition>
<channels><channel><label>Fp1</label><unit>{unit}</unit>
<filtering><highpass><upper>0.5</upper></highpass><lowpass><lower>70</lower></lowpass></filtering></channel>
<channel><label>TRG</label><unit>none</unit></channel></channels>
<reference><label>A1</label><label>A2</label></reference></desc></info>"""


def xml(kind="EEG", form="float32", rate=256.0, unit="microvolts"):
    return XML.format(kind=kind, form=form, rate=rate, unit=unit)


def test_the_description_becomes_equipment_channels_and_reference():
    found = described(xml(), Options(leave_out=("TRG",)))
    (group,) = found.started.groups
    (channel,) = group.channels
    assert found.started.equipment.manufacturer == "Acme"
    assert (found.started.equipment.model, found.started.equipment.serial) == ("Cap 4", "17")
    assert (found.started.kind, group.rate, found.columns) == (Kind.EEG, 256.0, (0,))
    assert (channel.label, channel.unit, channel.sensitivity) == ("Fp1", "uV", 0.01)
    assert (channel.reference, channel.low_cut, channel.high_cut, channel.notch) == ("A1+A2", 0.5, 70.0, None)


@pytest.mark.parametrize(
    "word, unit, step",
    [("microvolts", "uV", 0.01), ("µV", "uV", 0.01), ("μV", "uV", 0.01), ("millivolt", "mV", 1e-5), ("%", "%", 1e-4)],
)
def test_units_are_read_as_people_write_them_and_each_has_its_step(word, unit, step):
    first = described(xml(unit=word), Options()).group.channels[0]
    assert (first.unit, first.sensitivity) == (unit, pytest.approx(step))


@pytest.mark.parametrize(
    "said, kind", [("ecg", Kind.ECG), ("EMG", Kind.EMG), ("Audio", Kind.AUDIO), ("Gaze", Kind.OTHER)]
)
def test_the_type_says_what_is_measured(said, kind):
    assert described(xml(said), Options()).started.kind is kind


@pytest.mark.parametrize("other", [("S-1<", "S-2<"), (">Fp1<", ">Fp2<"), ("256.0", "512.0")])
def test_another_source_other_channels_or_another_rate_are_another_start(other):
    assert described(xml().replace(*other), Options()).started != described(xml(), Options()).started


def test_whole_numbers_stay_the_counts_they_are():
    first = described(xml(form="int16"), Options()).group.channels[0]
    assert (first.sensitivity, first.bits) == (1.0, 16)


@pytest.mark.parametrize(
    "text, words",
    [
        (xml(rate=0.0), "no regular sampling rate"),
        (xml(form="string"), "text, not of samples"),
        (xml(unit=""), "does not tell the unit of its channel 'Fp1'"),
        (xml().replace("<channel_count>2", "<channel_count>3"), "3 channels and describes 2"),
        ('<!DOCTYPE a [<!ENTITY b "c">]>' + xml(), "no plain XML"),
        (xml()[:-20], "is no XML"),
    ],
)
def test_what_cannot_be_recorded_is_refused_in_words(text, words):
    with pytest.raises(Retry, match=words):
        described(text, Options())


def _events(values, stamps, jitter=0.1, step=0.01):
    counting = Counting(100.0, np.full(values.shape[1], step), jitter)
    found = []
    for begin in range(0, len(stamps), 37):
        piece = slice(begin, begin + 37)
        found += counting.events(values[piece].astype(np.float32), stamps[piece], 1000.0)
    return found


def test_a_jump_of_the_time_stamps_is_a_gap_with_its_number():
    stamps = np.arange(300) / 100.0
    stamps[120:] += 0.5
    events = _events(np.zeros((300, 2)), stamps)
    assert [(e.samples, e.time) for e in events if isinstance(e, Gap)] == [(50, pytest.approx(1001.7))]
    before = sum(len(e.data) for e in events[: next(i for i, e in enumerate(events) if isinstance(e, Gap))])
    assert before == 120


def test_stamps_that_shake_or_run_a_little_slow_are_no_gap():
    stamps = np.arange(60_000) / 100.0 * 1.0003 + np.random.default_rng(5).uniform(0, 0.05, 60_000)
    assert not [e for e in _events(np.zeros((60_000, 1)), stamps) if isinstance(e, Gap)]


def test_what_is_no_number_or_too_large_for_a_count_is_missing_and_not_invented():
    values = np.arange(200.0).reshape(100, 2)
    values[10, 1], values[11, 0], values[50, 0] = np.nan, np.inf, 3e7
    events = _events(values, np.arange(100) / 100.0)
    assert [e.samples for e in events if isinstance(e, Gap)] == [2, 1]
    kept = np.concatenate([e.data for e in events if isinstance(e, Samples)])
    assert np.array_equal(kept, np.delete(np.rint(values * 100), [10, 11, 50], axis=0))


def test_without_pylsl_the_device_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pylsl", None)
    with pytest.raises(Retry, match=r"pylsl is not installed.*\[lsl\]"):
        library()


def test_without_liblsl_the_device_says_so(monkeypatch, tmp_path):
    monkeypatch.delitem(sys.modules, "pylsl", raising=False)
    (tmp_path / "pylsl.py").write_text("raise RuntimeError('LSL binary library file was not found.\\n more')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(Retry, match=r"liblsl.*\(LSL binary library file was not found\.\).*PYLSL_LIB"):
        library()


@pytest.fixture(scope="module")
def loopback(tmp_path_factory) -> Iterator[None]:
    """liblsl reads it when it is loaded, in this process and in those that it starts."""
    path = tmp_path_factory.mktemp("lsl") / "lsl_api.cfg"
    path.write_text(LOOPBACK.format(session=uuid.uuid4()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LSLAPICFG", str(path))
        try:
            library()
        except Retry as error:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))
        yield


class Outlet:
    """A program that sends."""

    def __init__(self, name: str, **said) -> None:
        self.said = {"name": name, "type": "EEG", "labels": LABELS, "rate": RATE, "source_id": name} | said
        command = [sys.executable, lsl_outlet.__file__, json.dumps(self.said)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def do(self, **order):
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def end(self):
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def outlet(loopback):
    with contextlib.ExitStack() as running:

        def made(name, **said):
            one = Outlet(name, **said)
            running.callback(one.end)
            return one

        yield made


@pytest.fixture
def name():
    return f"eeg-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def line():
    lines = []

    def made(options):
        lines.append(StreamLine(options, time.monotonic))
        return lines[-1]

    yield made
    for each in lines:
        each.close()


def counts(first, number, channels=4):
    """As they are kept at 0.01 uV."""
    return np.rint(lsl_outlet.value(range(first, first + number), channels).astype(np.float64) / 0.01).astype(np.int32)


@pytest.fixture
def refused(line, until):
    """How a stream is refused, once it is in words that hold ``what``: on a busy machine an outlet may answer late."""

    def message(options, what):
        def opened():
            try:
                line(options).open()
            except Retry as error:
                return what in str(error) and str(error)

        return until(opened)

    return message


def test_a_stream_that_is_not_there_is_said_with_those_that_are(outlet, refused, name):
    outlet(name, type="Other")
    words = refused(Options(stream="nobody", look=0.6), f"{name!r} (Other, {name})")
    assert words.startswith("no LSL stream with name 'nobody', type 'EEG' is there; seen: ")
    assert words.endswith("; correct the device's settings")


def test_of_several_that_fit_none_is_taken_until_a_person_says_which(outlet, refused, line, name):
    for source in ("a", "b"):
        outlet(name, source_id=source)
    words = refused(Options(stream=name, look=10.0), "several LSL streams fit")
    assert f": {name!r} (EEG, a), {name!r} (EEG, b); say which one" in words


@pytest.fixture
def config(config, name):
    config.write_text(config.read_text() + DEVICE.format(name=name))
    return config


@pytest.fixture
def recording(process, ask, open_exam, until):
    """Begin to record of the stream that is there."""

    def begin(sender):
        process("eeg")
        until(lambda: all(sender.do().values()))
        return ask("eeg", do="start", exam=open_exam("eeg").exam, seconds=None)["acquisition"]

    return begin


def has(ask, samples):
    return lambda: (ask("eeg", do="status").get("samples") or 0) >= samples


def test_an_eeg_goes_from_the_stream_to_a_clean_routine_scalp_eeg_to_the_bit(
    outlet, recording, ask, until, acquisition, settings, name, tmp_path
):
    sender = outlet(name)
    named = recording(sender)
    sender.do(push=500)
    sender.do(push=300, skip=64)
    sender.do(push=1, value="nan")
    sender.do(push=200)
    sender.do(mark="eyes closed", at=700)
    until(has(ask, 1065))
    path = settings.places.acquisition(named) / "records"
    until(lambda: any(getattr(event, "text", "") == "eyes closed" for event in records.events(path)))
    ask("eeg", do="stop")
    kept = acquisition(named)
    assert [(gap.samples, gap.group) for gap in kept.gaps] == [(64, 0), (1, 0)]
    assert np.array_equal(kept.samples, np.concatenate([counts(0, 500), counts(564, 300), counts(865, 200)]))
    assert [m.sample for m in kept.markers if m.text == "eyes closed"] == [700]
    exam = an_exam(exam=kept.facts.exam, devices=("eeg",))
    (made,) = wrap(kept.folder, exam, settings, tmp_path)
    head = pydicom.dcmread(made.path)
    assert head.SOPClassUID == WRITTEN["eeg"]
    assert check(Path(made.path)) == []
    assert (head.Manufacturer, head.ManufacturerModelName, head.DeviceSerialNumber) == ("Acme", "Cap 4", name)
    values = multiplex_array(head, 0, as_raw=False)
    assert np.allclose(values[:500], lsl_outlet.value(range(500), 4), atol=0.0051)


@pytest.fixture
def recorded_through(outlet, line, name, until):
    """What is decided of a stream whose program ends and is started again, as these sources one after the other."""

    def through(*sources):
        here, session, acts = line(Options(stream=name, look=10.0)), Session(Undecoded(Options()), wanted=True), []

        def opened():
            with contextlib.suppress(Retry):  # what was killed is still seen, and does not answer
                here.open()
                acts.extend(session.connect(time.monotonic()))
                return True

        def received(number):
            for event, at in here.take(0.02)[0]:
                acts.extend(session.feed(event, at))
            return sum(map(len, samples(acts))) == number

        for turn, source in enumerate(sources):
            sender = outlet(name, source_id=source, before=0.0)
            until(opened)
            until(lambda so_far=200 * turn, sender=sender: received(so_far) and sender.do()["heard"])
            sender.do(push=200)
            until(lambda now=200 * turn + 200: received(now))
            sender.end()
            with pytest.raises(Retry, match=f"the LSL stream '{name}' was lost"):
                until(lambda: here.take(0.02) and None)
            acts.extend(session.disconnect("lost", time.monotonic()))
        return acts

    return through


def samples(acts):
    return [act.event.data for act in acts if isinstance(act, Record) and isinstance(act.event, Samples)]


def test_a_stream_that_vanishes_and_returns_goes_on_after_a_gap(recorded_through, name):
    acts = recorded_through(name, name)
    assert [act.started.source for act in acts if isinstance(act, Begin)] == [name]
    assert np.array_equal(np.concatenate(samples(acts)), np.concatenate([counts(0, 200), counts(0, 200)]))
    (gap,) = [act.event for act in acts if isinstance(act, Record) and isinstance(act.event, Gap)]
    assert gap.reason == "the connection was lost"
    assert gap.samples > 0


@only_slow
def test_another_stream_of_the_same_name_is_another_recording(recorded_through):
    acts = recorded_through("one", "another")
    begun = [n for n, act in enumerate(acts) if isinstance(act, Begin)]
    assert [acts[n].started.source for n in begun] == ["one", "another"]
    assert np.array_equal(np.concatenate(samples(acts[: begun[1]])), counts(0, 200))
    assert np.array_equal(np.concatenate(samples(acts[begun[1] :])), counts(0, 200))
