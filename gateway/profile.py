"""Input profiles: what a person knows of a picture source and no cable tells, one section ``[[profile]]`` for each.

Where the patient's name stands in the picture, what the picture shows, how long a pixel is. A device names its profile;
several may share one. Pixels are counted from 0 at the upper left, as they come from the device, before any crop.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from gateway import fields
from gateway.fields import Check, setting
from gateway.model import Code

FORMATS = {"2D": 1, "M-mode": 2, "spectral": 3, "waveform": 4, "graphics": 5}  # PS3.3 C.8.5.5.1.6
DATA = {  # PS3.3 C.8.5.5.1.7
    "none": 0,
    "tissue": 1,
    "color-flow": 2,
    "pw-doppler": 3,
    "cw-doppler": 4,
    "ecg": 0x0A,
    "respiration": 0x12,  # other physiological (amplitude vs. time) input
}
UNITS = {"none": 0, "percent": 1, "dB": 2, "cm": 3, "s": 4, "Hz": 5, "cm/s": 7}  # PS3.3 C.8.5.5.1.15


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle of pixels."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Region:
    """A calibrated region of an ultrasound picture (PS3.3 C.8.5.5): a pixel to the right is ``step_x`` ``unit_x``."""

    format: str
    data: str
    area: Area
    step_x: float
    unit_x: str
    step_y: float
    unit_y: str


_AREA = r"(\d{1,5}),(\d{1,5}),([1-9]\d{0,4}),([1-9]\d{0,4})"
_STEP = r"(-?\d+(?:\.\d+)?)"


def area() -> Check:
    def read(value: Any) -> Area | None:
        if value == "":
            return None
        found = re.fullmatch(_AREA, str(value))
        if found is None:
            raise ValueError
        return Area(*(int(n) for n in found.groups()))

    return Check('"LEFT,TOP,WIDTH,HEIGHT" in pixels', read)


def region() -> Check:
    units, kinds = "|".join(UNITS), "|".join(DATA)
    pattern = re.compile(rf"({'|'.join(FORMATS)}) ({kinds}) {_AREA} {_STEP} ({units}) {_STEP} ({units})")

    def read(value: Any) -> Region:
        found = pattern.fullmatch(str(value))
        if found is None:
            raise ValueError
        kind, data, *numbers = found.groups()
        place = Area(*(int(n) for n in numbers[:4]))
        return Region(kind, data, place, float(numbers[4]), numbers[5], float(numbers[6]), numbers[7])

    allowed = f'"FORMAT DATA LEFT,TOP,WIDTH,HEIGHT STEP UNIT STEP UNIT": {", ".join(FORMATS)}; {", ".join(DATA)}; '
    return Check(f"{allowed}{', '.join(UNITS)}", read)


def code() -> Check:
    def read(value: Any) -> Code | None:
        if value == "":
            return None
        found = re.fullmatch(r"([^,\\]{1,16}),([A-Z0-9_.-]{1,16}),([^\\]{1,64})", str(value))
        if found is None:
            raise ValueError
        return Code(*found.groups())

    return Check('"VALUE,SCHEME,MEANING", as "71854001,SCT,Colon"', read)


@dataclass(frozen=True, slots=True)
class Profile:
    """An input profile, which devices name by ``profile``: what of its pictures is sent, and what they show."""

    name: str = setting(..., fields.name(), "what devices call it by")
    crop: Area | None = setting(None, area(), "only this area of each picture is sent; empty: all of it")
    mask: tuple[Area, ...] = setting((), fields.many(area()), "areas that are sent black, such as the patient's name")
    burned_in: str = setting(
        "unknown",
        fields.choice("unknown", "yes", "no", "masked"),
        'whether text in the picture tells who the patient is; "masked": crop and mask cover all of it',
    )
    coding: str = setting(
        "uncompressed",
        fields.choice("uncompressed", "jpeg-ls"),
        "of pictures that come uncompressed; jpeg-ls is lossless and needs the extra [jpegls]",
    )
    anatomic_region: Code | None = setting(None, code(), "what is in the picture, a code of CID 4 or of your own")
    laterality: str = setting("", fields.choice("", "R", "L", "U", "B"), "Image Laterality (0020,0062)")
    calibration: tuple[Region, ...] = setting((), fields.many(region()), "calibrated regions of an ultrasound picture")

    @property
    def alters(self) -> bool:
        """Whether pixels are changed or left out."""
        return self.crop is not None or bool(self.mask)


UNKNOWN = Profile(name="unknown")
