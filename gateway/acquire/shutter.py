"""How an image source is triggered: the part of an adapter's options that all image sources share."""

from __future__ import annotations

from dataclasses import dataclass

from gateway import fields
from gateway.fields import setting

STILL, CLIP = "still", "clip"


@dataclass(frozen=True, slots=True)
class Shutter:
    """Options of an image source inherit these."""

    takes: str = setting(STILL, fields.choice(STILL, CLIP), "what a start or the trigger takes, if it does not say so")
    pre_roll: float = setting(
        0.0,
        fields.number(0, 600, "seconds"),
        "a clip begins so long before its trigger, never before its exam was opened; kept in memory, 24 MiB at most",
    )
    clip_key: int = setting(
        0, fields.whole(0, 767), "key code of a second pedal, which starts and stops clips; 0 = none"
    )


def still(shutter: Shutter | None, takes: str | None) -> bool:
    """Whether an order that says ``takes`` is for a still; None: as is set. ``shutter`` None: it is no image source."""
    return shutter is not None and (takes or shutter.takes) == STILL
