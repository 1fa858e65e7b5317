"""What the configuration says of a device's inputs stands in the facts of each recording; nothing is mislabelled."""

from __future__ import annotations

import json

import pytest

from gateway.acquire.adapter import adapter_named
from gateway.acquire.montage import labelled
from gateway.acquire.recorder import Recorder
from gateway.clock import Clock
from gateway.device import Device
from gateway.errors import Held
from gateway.events import Started
from gateway.model import Channel, Code, Equipment, Kind, MultiplexGroup
from gateway.settings import Settings

CODE = Code("7:1016", "MDC", "Cz")
GROUPS = (
    MultiplexGroup("a", 250.0, (Channel("ch1", "uV", 1.0), Channel("ch2", "uV", 1.0, source=CODE))),
    MultiplexGroup("b", 10.0, (Channel("CO2", "mm[Hg]", 0.1),)),
)


def labels(groups: tuple[MultiplexGroup, ...]) -> list[str]:
    return [channel.label for group in groups for channel in group.channels]


def test_inputs_get_the_labels_in_their_order_over_all_groups() -> None:
    made = labelled(GROUPS, ("Fp1-F7", "", "EtCO2"))
    assert labels(made) == ["Fp1-F7", "ch2", "EtCO2"]
    assert [group.rate for group in made] == [250.0, 10.0]


def test_what_the_device_said_of_another_label_does_not_hold_for_the_new_one() -> None:
    made = labelled(GROUPS, ("", "Pz", ""))
    assert made[0].channels[1].source is None
    assert labelled(GROUPS, ("", "ch2", ""))[0].channels[1].source == CODE


def test_without_a_montage_nothing_changes() -> None:
    assert labelled(GROUPS, ()) == GROUPS


def test_a_montage_of_another_size_is_refused_before_anybody_is_mislabelled() -> None:
    with pytest.raises(Held, match="2 labels, but the device has 3 inputs"):
        labelled(GROUPS, ("Fp1", "Fp2"))


@pytest.mark.parametrize(("told", "expected"), [(Kind.EMG, "EMG"), (None, "ECG")])
def test_a_recording_is_of_the_kind_that_its_source_tells_else_of_its_adapters(
    told: Kind | None, expected: str, settings: Settings
) -> None:
    device = Device(name="it", adapter="simulated", montage=("soleus", "", ""))
    recorder = Recorder(settings.places, Clock("always"), device, adapter_named("simulated"))
    recorder.begin(Started(Equipment("A", "B"), GROUPS, kind=told), None)
    (path,) = settings.places.acquisitions.glob("*/facts.json")
    facts = json.loads(path.read_text())
    assert facts["kind"] == expected
    assert facts["groups"][0]["channels"][0]["label"] == "soleus"
