"""H.264 as it came, bit for bit: the stream in an MP4 container, named by what its parameter set says."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from gateway.dicom.frames import h264, mp4, pixel_file, syntaxes
from gateway.dicom.frames.bits import Bits
from gateway.dicom.frames.display_order import Orders
from gateway.dicom.frames.format import Format
from gateway.dicom.frames.jpeg import Malformed
from gateway.dicom.frames.pixel_file import LONGEST, Body
from gateway.dicom.frames.survey import Survey
from gateway.dicom.frames.timing import timing
from gateway.errors import Held
from gateway.events import Frame
from gateway.model import Picture
from gateway.profile import Profile

_LEFT_OUT = frozenset({h264.SPS, h264.PPS, h264.DELIMITER, h264.FILLER})  # told once, or nothing, in the container
_FIRST = 0x80  # first_mb_in_slice is 0: a picture begins


class Video:
    """One FRAME record is one access unit: all slices of one picture, with what stands before it."""

    largest = 0
    video = True

    def __init__(self, picture: Picture, profile: Profile) -> None:
        if profile.alters:
            fix = "set the camera to MJPEG or to an uncompressed format"
            raise Held("an H.264 clip cannot be cropped or masked without coding it anew", fix)
        self._picture = picture
        self._sequence = b""
        self._told: h264.Sequence | None = None
        self._pictures: dict[int, bytes] = {}
        self._sync = array("Q")  # which of the used frames decoding may begin with
        self._orders = Orders()
        self._count = 0

    def look(self, frame: Frame) -> int:
        units = list(h264.units(frame.data))
        slices = [unit for unit in units if h264.kind(unit) in (h264.SLICE, h264.IDR)]
        for unit in units:
            self._parameters(unit)
        if not slices:
            if any(h264.kind(unit) in _LEFT_OUT for unit in units):
                return 0
            raise Malformed("holds no picture")
        if self._told is None:
            raise Malformed("comes before the parameters of the stream")
        begins = [len(unit) > 1 and bool(unit[1] & _FIRST) for unit in slices]
        if not begins[0] or sum(begins) != 1:
            raise Malformed("is not exactly one picture")
        enters = h264.random_access(units)
        if not enters and not self._sync:
            raise Malformed("comes before the first picture with which decoding can begin")
        head = h264.slice_header(slices[0], self._told)
        if head.fields:
            raise Held("the clip is coded in fields, not in frames", "set the camera to a progressive format")
        if enters:
            self._sync.append(self._count)
        self._orders.take(slices[0], head, self._told)
        self._count += 1
        return sum(4 + len(unit) for unit in _kept(units))

    def _parameters(self, unit: bytes) -> None:
        """Parameters are told once, in front of the stream: they may come again, but not be others."""
        kind = h264.kind(unit)
        if kind == h264.SPS and unit != self._sequence:
            told = h264.sequence(unit)
            if self._sequence:
                raise Held("the stream changes in the middle of the clip", "begin a new clip when the format changes")
            self._sequence, self._told = unit, told
        elif kind == h264.PPS:
            number = Bits(unit[1:]).ue()
            if self._pictures.setdefault(number, unit) != unit:
                raise Held("the stream changes its picture parameters in the middle of the clip")

    def format(self, size: int) -> Format:
        told = self._told
        if told is None or not self._pictures:
            raise Held("the clip has no parameter sets: nobody could decode it")
        row = syntaxes.row(told)
        aspect = told.aspect if told.aspect != (1, 1) else self._picture.aspect
        syntax = row.whole if size + mp4.AROUND + self._count * mp4.AROUND_EACH <= LONGEST else row.fragmentable
        return Format(syntax, told.rows, told.columns, "YBR_PARTIAL_420", "ISO_14496_10", aspect, standard_colour=False)

    def starts(self, number: int) -> bool:
        at = int(np.searchsorted(np.frombuffer(self._sync, np.uint64), number))
        return at < len(self._sync) and self._sync[at] == number

    def body(self, found: Survey, first: int, last: int, frames: Iterable[Frame], beat: Callable[[], None]) -> Body:
        track = self._track(found, first, last)
        return pixel_file.streamed(mp4.length(track), chain([mp4.head(track)], _samples(frames, beat)))

    def _track(self, found: Survey, first: int, last: int) -> mp4.Track:
        assert self._told is not None
        seconds = timing(found.times[first:last], self._picture.rate).durations
        durations = np.maximum(1, np.rint(seconds * mp4.SCALE)).astype(np.int64)
        sync: NDArray[np.uint64] = np.frombuffer(self._sync, np.uint64)
        within = sync[(sync >= first) & (sync < last)] - first + 1
        return mp4.Track(
            self._sequence,
            tuple(self._pictures.values()),
            self._told.rows,
            self._told.columns,
            self._told.aspect,
            np.array(found.sizes[first:last], np.uint32),
            durations,
            self._orders.delays(first, last, durations),
            within.astype(np.uint32),
        )


def _kept(units: list[bytes]) -> list[bytes]:
    return [unit for unit in units if h264.kind(unit) not in _LEFT_OUT]


def _samples(frames: Iterable[Frame], beat: Callable[[], None]) -> Iterator[bytes]:
    for frame in frames:
        yield mp4.sample(_kept(list(h264.units(frame.data))))
        beat()
