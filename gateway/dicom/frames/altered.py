"""Crop and mask, to the pixel: what is masked is black, what is cropped off is not there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gateway.dicom.frames.format import area
from gateway.errors import Held
from gateway.profile import Area, Profile


def size(profile: Profile, rows: int, columns: int) -> tuple[int, int]:
    """Rows and columns that are left.

    Raises Held if an area reaches over the picture: it would not be what was meant.
    """
    for one in (profile.crop, *profile.mask):
        if one is not None and (one.top + one.height > rows or one.left + one.width > columns):
            raise Held(
                f"the picture has {columns} x {rows} pixels, and profile {profile.name} names "
                f"{one.left},{one.top},{one.width},{one.height}",
                "correct the profile, or set the device to the size that it is for",
            )
    top, bottom, left, right = area(profile.crop, rows, columns)
    return bottom - top, right - left


def altered(pixels: NDArray[np.uint8], profile: Profile) -> NDArray[np.uint8]:
    """``pixels``: (rows, columns, samples), changed in place where masked; returned is what is left of it."""
    rows, columns = pixels.shape[:2]
    for mask in profile.mask:
        top, bottom, left, right = area(mask, rows, columns)
        pixels[top:bottom, left:right] = 0
    top, bottom, left, right = area(profile.crop, rows, columns)
    return np.ascontiguousarray(pixels[top:bottom, left:right])


def shifted(one: Area, profile: Profile, rows: int, columns: int) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom (all included) of an area as they are in the cropped picture; None if none of it is."""
    top, bottom, left, right = area(profile.crop, rows, columns)
    x0, y0 = max(one.left, left), max(one.top, top)
    x1, y1 = min(one.left + one.width, right) - 1, min(one.top + one.height, bottom) - 1
    return (x0 - left, y0 - top, x1 - left, y1 - top) if x0 <= x1 and y0 <= y1 else None
