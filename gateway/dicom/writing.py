"""The files of one recording: headers first, then one pass over the records, each block into the part it belongs to.

Groups may pass from one part to the next at different moments, so a part stays open until the last of its groups has
left it: never many at a time. What was written is synced every so often: no single fsync then takes minutes on
a slow card, and whoever watches sees progress.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from pydicom.uid import ExplicitVRLittleEndian

from gateway import fsops
from gateway.dicom import encode, samples, scaling
from gateway.dicom.header import Subject, group_item, header
from gateway.errors import Held
from gateway.model import InstanceRef
from gateway.settings import Box

SYNC_EVERY = 32 << 20  # bytes


class _File:
    """One instance while it is written. ``left``: bytes of each multiplex group (of the recording) still to come."""

    def __init__(self, subject: Subject, groups: int, box: Box, out: Path) -> None:
        self.subject = subject
        self.storage = scaling.STORAGE[subject.iod.interpretation]
        head = header(subject, box)
        self.uid = str(head.SOPInstanceUID)
        self.path = out / f"{self.uid}.dcm"
        ranges = subject.part.ranges
        self.index = {group: n for n, group in enumerate(g for g in range(groups) if ranges[g][0] < ranges[g][1])}
        widths = [len(columns) * self.storage.bits // 8 for columns in subject.columns]
        lengths = [s.samples * width for s, width in zip(subject.scan.groups, widths, strict=True)]
        self._items = [encode.Group(group_item(subject, n), length) for n, length in enumerate(lengths)]
        self._head = head
        self._left = lengths
        self._at: list[int] = []
        self._unsynced = 0
        self._stack = contextlib.ExitStack()
        self._stream: BinaryIO | None = None

    def put(self, group: int, data: bytes) -> None:
        """The next samples of a group."""
        if self._stream is None:
            self._stream = self._stack.enter_context(fsops.new_file(self.path))
            self._at = encode.write_header(self._stream, self._head, self._items)
        n = self.index[group]
        self._stream.seek(self._at[n])
        self._stream.write(data)
        self._at[n] += len(data)
        self._left[n] -= len(data)
        self._unsynced += len(data)
        if self._unsynced >= SYNC_EVERY:
            self._stream.flush()
            fsops.sync(self._stream.fileno(), self.path)
            self._unsynced = 0
        if not any(self._left):
            self._stack.close()

    @property
    def done(self) -> bool:
        return not any(self._left)

    def give_up(self, error: Exception) -> None:
        """Leave nothing behind of a file that did not become whole."""
        with contextlib.suppress(type(error)):
            self._stack.__exit__(type(error), error, error.__traceback__)


def write(
    path: Path, subjects: Sequence[Subject], groups: int, box: Box, out: Path, beat: Callable[[], None]
) -> tuple[InstanceRef, ...]:
    """Write the instances of ``subjects``, the parts of the records at ``path``, into ``out``; each durable and whole.

    Raises Held, leaving nothing of a file that is not whole, if the records do not give what was scanned.
    """
    files = [_File(subject, groups, box, out) for subject in subjects]
    try:
        for file, group, data in _pieces(path, files, groups):
            file.put(group, data)
            beat()
        if not all(file.done for file in files):
            raise Held(f"{path} changed while it was wrapped", "is a second gateway running on this data?")
    except Exception as error:
        for file in files:
            file.give_up(error)
        raise
    return tuple(
        InstanceRef(f.subject.iod.sop_class_uid, f.uid, str(ExplicitVRLittleEndian), str(f.path), f.path.stat().st_size)
        for f in files
    )


def _pieces(path: Path, files: Sequence[_File], groups: int) -> Iterator[tuple[_File, int, bytes]]:
    """The samples as bytes of Waveform Data, block by block, with the file and the group they belong to."""
    parts = [file.subject.part for file in files]
    position = [0] * groups
    for block in samples.blocks(path, groups):
        for part, at, count in samples.pieces(parts, block.group, position[block.group], block.samples):
            file = files[part.number - 1]
            n = file.index[block.group]
            columns = file.subject.columns[n]
            if block.counts is not None:
                some = block.counts[at : at + count]
                yield file, block.group, scaling.store(some, columns, file.subject.scales[n], file.storage).tobytes()
                continue
            row = np.full(len(columns), file.storage.padding, file.storage.dtype).tobytes()
            for first in range(0, count, samples.BLOCK):
                yield file, block.group, row * min(count - first, samples.BLOCK)
        position[block.group] += block.samples
