"""Uncompressed frames as R, G, B: colour matrix of ITU-R BT.601 or BT.709, narrow or full range, exact to one step.

The sums are made of tables of 1/32 steps in 16-bit numbers, some rows at a time, so that they stay in the cache: a
tenth of the time of floating point. Chroma is not filtered: each of two (or four) pixels gets the sample
that they share.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from gateway.model import Picture

KR_KB = {"BT.601": (0.299, 0.114), "BT.709": (0.2126, 0.0722)}  # weights of red and blue in luma
_FINE = 32
_ROWS = 16  # at a time
Bytes = NDArray[np.uint8]
Table = NDArray[np.int16]


@cache
def _tables(matrix: str, full_range: bool) -> tuple[Table, Table, Table, Table, Table]:
    """What Y, and Cr for red, Cb and Cr for green, Cb for blue, contribute; each for the 256 values of a byte."""
    kr, kb = KR_KB[matrix]
    kg, byte = 1 - kr - kb, np.arange(256, dtype=np.float64)
    luma = byte if full_range else (byte - 16) * 255 / 219
    chroma = byte - 128 if full_range else (byte - 128) * 255 / 224
    parts = (
        luma,
        2 * (1 - kr) * chroma,
        -2 * kb * (1 - kb) / kg * chroma,
        -2 * kr * (1 - kr) / kg * chroma,
        2 * (1 - kb) * chroma,
    )
    y, *others = (np.rint(part * _FINE).astype(np.int16) for part in parts)
    return y + np.int16(_FINE // 2), others[0], others[1], others[2], others[3]


def _mix(y: Bytes, cb: Bytes, cr: Bytes, picture: Picture, out: Bytes) -> None:
    """``y``: (rows, pairs, 2); ``cb``, ``cr``: (rows, pairs); ``out``: (rows, pairs, 2, 3)."""
    luma, red, green_b, green_r, blue = _tables(picture.matrix, picture.full_range)
    light = luma[y]
    for place, shade in enumerate((red[cr], green_b[cb] + green_r[cr], blue[cb])):
        mixed = light + shade[..., None]
        mixed >>= 5
        np.clip(mixed, 0, 255, out=mixed)
        out[..., place] = mixed


def _packed(y: int, cb: int, cr: int) -> Callable[[bytes, Picture, Bytes], None]:
    """Two pixels in four bytes, the first Y at ``y``."""

    def convert(data: bytes, picture: Picture, out: Bytes) -> None:
        quads = np.frombuffer(data, np.uint8).reshape(picture.rows, picture.columns // 2, 4)
        for row in range(0, picture.rows, _ROWS):
            some = quads[row : row + _ROWS]
            _mix(some[..., y::2], some[..., cb], some[..., cr], picture, _pairs(out[row : row + _ROWS]))

    return convert


def _planar(cb: int) -> Callable[[bytes, Picture, Bytes], None]:
    """A plane of Y, then one of Cb and Cr for four pixels each (NV12, NV21)."""

    def convert(data: bytes, picture: Picture, out: Bytes) -> None:
        rows, columns = picture.rows, picture.columns
        plane = np.frombuffer(data, np.uint8, rows * columns).reshape(rows, columns // 2, 2)
        chroma = np.frombuffer(data, np.uint8, offset=rows * columns).reshape(rows // 2, columns // 2, 2)
        for row in range(0, rows, _ROWS):
            some = np.repeat(chroma[row // 2 : (row + _ROWS) // 2], 2, axis=0)
            _mix(plane[row : row + _ROWS], some[..., cb], some[..., 1 - cb], picture, _pairs(out[row : row + _ROWS]))

    return convert


def _pairs(out: Bytes) -> Bytes:
    return out.reshape(out.shape[0], out.shape[1] // 2, 2, 3)


def _as_it_is(data: bytes, _picture: Picture, out: Bytes) -> None:
    out[...] = np.frombuffer(data, np.uint8).reshape(out.shape)


def _turned(data: bytes, _picture: Picture, out: Bytes) -> None:
    out[...] = np.frombuffer(data, np.uint8).reshape(out.shape)[..., ::-1]


# encoding -> bytes for two pixels in each of two rows, samples of a pixel in the image, how it becomes that
RAW: dict[str, tuple[int, int, Callable[[bytes, Picture, Bytes], None]]] = {
    "YUYV": (8, 3, _packed(0, 1, 3)),
    "UYVY": (8, 3, _packed(1, 0, 2)),
    "NV12": (6, 3, _planar(0)),
    "NV21": (6, 3, _planar(1)),
    "RGB24": (12, 3, _as_it_is),
    "BGR24": (12, 3, _turned),
    "GREY": (4, 1, _as_it_is),
}


def size(picture: Picture) -> int:
    """Bytes of one frame."""
    return RAW[picture.encoding][0] * picture.rows * picture.columns // 4


def pixels(data: bytes, picture: Picture) -> Bytes:
    """One frame, shape (rows, columns, 3) as R, G, B, or (rows, columns, 1); ``data`` has :func:`size` bytes."""
    _, samples, convert = RAW[picture.encoding]
    out = np.empty((picture.rows, picture.columns, samples), np.uint8)
    convert(data, picture, out)
    return out
