"""The simulated devices of the other kinds: each keeps the contract, and what it records becomes a clean instance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from acquisitions import Recording, an_exam, settings_of

from gateway import fsops
from gateway.acquire.adapter import Adapter, installed
from gateway.acquire.contract import AdapterContract
from gateway.dicom.check import check
from gateway.dicom.wrap import wrap
from gateway.events import Samples, Started
from gateway.model import Kind
from gateway.sop_classes import BY_KIND, WRITTEN

SIMULATED = {
    name: one for name, one in installed().items() if name.startswith("simulated_") and one.kind is not Kind.PICTURES
}
SECONDS = 3


def events(adapter: Adapter, turns: int = 10):
    decoder = adapter.decoder(adapter.options())
    yield from decoder.start(0.0)
    for turn in range(1, SECONDS * turns + 1):
        yield from decoder.tick(turn / turns)


@pytest.fixture(params=SIMULATED)
def adapter(request: pytest.FixtureRequest) -> Adapter:
    return SIMULATED[request.param]


class TestContract(AdapterContract):
    seconds = 0.6

    @pytest.fixture(autouse=True)
    def of_each(self, adapter: Adapter) -> None:
        self.adapter = adapter


def test_there_is_one_of_each_kind_that_is_a_waveform() -> None:
    assert {one.kind for one in SIMULATED.values()} | {Kind.ECG} == {kind for kind in Kind if BY_KIND[kind].auto} - {
        Kind.PICTURES,
        Kind.DOCUMENT,
    }


def test_the_samples_do_not_depend_on_how_often_time_is_looked_at(adapter: Adapter) -> None:
    for number in {e.group for e in events(adapter) if isinstance(e, Samples)}:
        slow, quick = (
            np.concatenate([e.data for e in events(adapter, turns) if isinstance(e, Samples) and e.group == number])
            for turns in (2, 50)
        )
        assert np.array_equal(slow, quick)


def test_what_it_records_becomes_the_class_of_its_kind_and_the_check_finds_nothing(
    adapter: Adapter, tmp_path: Path
) -> None:
    said = list(events(adapter))
    (started,) = (e for e in said if isinstance(e, Started))
    recording = Recording(kind=adapter.kind, groups=started.groups, test=True)
    recording.events = [e for e in said if isinstance(e, Samples)]
    folder, out = recording.folder(tmp_path / "acq"), fsops.make_folder(tmp_path / "out")
    (made,) = wrap(folder, an_exam(), settings_of(tmp_path), out)
    assert made.sop_class_uid == WRITTEN[BY_KIND[adapter.kind].auto[0]]
    assert check(Path(made.path)) == []
