"""A wall clock that jumps by days and years: times stay right, nothing waits for years, nothing goes too early."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from faults.boxes import Box, box
from faults.shim import Shim
from tiers import only_slow
from waiting import eventually

DAY = 86400.0
YEARS = 5 * 365 * DAY
JUMPS = pytest.mark.parametrize(
    "jump",
    [
        pytest.param(DAY, id="a day on", marks=only_slow),
        pytest.param(-DAY, id="a day back", marks=only_slow),
        pytest.param(YEARS, id="years on"),
        pytest.param(-YEARS, id="years back"),
    ],
)


@pytest.fixture
def shim(tmp_path: Path) -> Shim:
    return Shim(tmp_path)


def a_box(tmp_path: Path, shim: Shim, **settings: object) -> contextlib.AbstractContextManager[Box]:
    return box(tmp_path, tmp_path / "data", environment=shim.environment, **settings)


def began(instance: object) -> datetime:
    return datetime.strptime(str(instance.AcquisitionDateTime)[:14], "%Y%m%d%H%M%S")  # type: ignore[attr-defined]


@JUMPS
def test_a_jump_in_a_recording_and_in_deliveries_that_wait_changes_neither_its_time_nor_their_turn(
    tmp_path: Path, shim: Shim, jump: float
) -> None:
    with a_box(tmp_path, shim, retention=7.0) as here:
        here.hospital.stop()  # deliveries wait in back-off
        here.start("forward")
        here.start("capture", "ecg1")
        exam = here.exam()
        before = datetime.now()
        acquisition = here.record(exam, 250)
        shim.clock(jump)
        eventually(lambda: here.say("capture-ecg1", do="status")["samples"] >= 750)
        kept = here.say("capture-ecg1", do="stop")
        eventually(lambda: here.say("forward", do="status")["queue"]["unfinished"] == 1)
        eventually(lambda: "pacs" in here.troubles())
        shim.clock(0.0)  # and back again, with the first attempt noted under the other time
        here.pacs_is_back()
        (instance,) = here.arrived()
        assert instance.WaveformSequence[0].NumberOfWaveformSamples == kept["samples"]
        assert abs(began(instance) - before) < timedelta(minutes=5)
        states = lambda: {d["state"] for d in here.say("forward", do="exam", exam=exam)["deliveries"]}  # noqa: E731
        eventually(lambda: states() == {"COMMITTED"})
        assert (here.data / "instances" / acquisition).exists(), "purged before its retention time was over"


@JUMPS
def test_a_jump_while_a_commitment_is_outstanding_asks_again_and_keeps_what_is_not_committed(
    tmp_path: Path, shim: Shim, jump: float
) -> None:
    with a_box(tmp_path, shim) as here:
        here.hospital.reporter.how = "never"
        here.start("forward")
        here.start("capture", "ecg1")
        exam = here.exam()
        acquisition = here.record(exam, 250)
        here.say("capture-ecg1", do="stop")
        here.arrived()
        states = lambda: {d["state"] for d in here.say("forward", do="exam", exam=exam)["deliveries"]}  # noqa: E731
        eventually(lambda: states() == {"REQUESTED"})
        shim.clock(jump)
        assert (here.data / "instances" / acquisition).exists()
        here.hospital.reporter.how = "new"
        here.shop.processes["forward"].stop()
        here.start("forward")  # a restart asks again at once, whatever the time is
        if jump > -YEARS:
            eventually(lambda: not (here.data / "instances" / acquisition).exists())  # retention 0
        else:
            eventually(lambda: states() == {"COMMITTED"})
            assert (here.data / "instances" / acquisition).exists(), "deleted by a clock that nobody may believe"


def test_a_box_that_wakes_up_in_1970_dates_its_recording_when_trust_comes_and_deletes_nothing_before(
    tmp_path: Path, shim: Shim
) -> None:
    now = datetime.now()
    shim.clock(-now.timestamp() + 3600.0, synchronized=False)
    with a_box(tmp_path, shim, trust="ntp", wait=3600) as here:
        here.start("forward")
        here.start("capture", "ecg1")
        exam = here.exam()
        acquisition = here.record(exam, 250)
        here.say("capture-ecg1", do="stop")
        eventually(lambda: "the clock is not synchronized" in here.troubles())
        assert not here.hospital.files(), "wrapping waits for a better clock"
        shim.clock(0.0, synchronized=True)
        (instance,) = here.arrived()
        assert abs(began(instance) - now) < timedelta(minutes=5)
        here.said("forward", f"recording {acquisition} began")
        eventually(lambda: not (here.data / "instances" / acquisition).exists())


def test_without_trust_nothing_is_purged_however_far_the_clock_runs_ahead(tmp_path: Path, shim: Shim) -> None:
    shim.clock(0.0, synchronized=True)
    with a_box(tmp_path, shim, trust="ntp", retention=7.0) as here:
        here.start("forward")
        here.start("capture", "ecg1")
        exam = here.exam()
        acquisition = here.record(exam, 250)
        here.say("capture-ecg1", do="stop")
        here.arrived()
        states = lambda: {d["state"] for d in here.say("forward", do="exam", exam=exam)["deliveries"]}  # noqa: E731
        eventually(lambda: states() == {"COMMITTED"})
        shim.clock(YEARS, synchronized=False)
        here.shop.processes["forward"].stop()
        here.start("forward")
        here.say("forward", do="retry", instance=here.say("forward", do="exam", exam=exam)["instances"][0]["uid"])
        shown = here.say("forward", do="queue-show", instance=acquisition_uid(here, exam))
        assert shown["words"] == "the clock is not to be trusted"
        assert (here.data / "instances" / acquisition).exists()


def acquisition_uid(here: Box, exam: str) -> str:
    return str(here.say("forward", do="exam", exam=exam)["instances"][0]["uid"])
