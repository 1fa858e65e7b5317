"""What the configuration says of a device's inputs stands in the facts of each recording; nothing is mislabelled."""

from __future__ import annotations

import pytest

from gateway.acquire.montage import labelled
from gateway.errors import Held
from gateway.model import Channel, Code, MultiplexGroup

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
