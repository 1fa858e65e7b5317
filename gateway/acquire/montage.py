"""What a device's inputs are connected to, where the configuration says it and not the device."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from gateway.errors import Held
from gateway.model import Channel, MultiplexGroup


def labelled(
    groups: Sequence[MultiplexGroup],
    montage: Sequence[str],
    which: Callable[[Channel], bool] = lambda channel: True,  # noqa: ARG005  every channel
) -> tuple[MultiplexGroup, ...]:
    """The groups with these labels, input by input, for the channels of ``which``; "" leaves a channel as it is.

    Raises Held if there are not as many labels as inputs: nobody could say which is which.
    """
    inputs = sum(len(group.channels) for group in groups)
    if not montage or not inputs:
        return tuple(groups)
    if len(montage) != inputs:
        raise Held(
            f"the montage has {len(montage)} labels, but the device has {inputs} inputs",
            "correct 'montage' of the device; \"\" stands for an input that keeps its own label",
        )
    labels = iter(montage)
    return tuple(
        dataclasses.replace(
            group, channels=tuple(_labelled(channel, next(labels), which) for channel in group.channels)
        )
        for group in groups
    )


def _labelled(channel: Channel, label: str, which: Callable[[Channel], bool]) -> Channel:
    """What the device said of another label does not hold for this one."""
    if not label or label == channel.label or not which(channel):
        return channel
    return dataclasses.replace(channel, label=label, source=None)
