"""The files of one recording: headers first, then one pass over the records, each block into the part it belongs to.

Groups may pass from one part to the next at different moments, so a part stays open until the last of its groups has
left it: never many at a time. What was written is synced every so often: no single fsync then takes minutes on
a slow card, and whoever watches sees progress.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from pydicom.uid import ExplicitVRLittleEndian

from gateway import fsops
from gateway.dicom import encode, samples, scaling
from gateway.dicom.header import Subject, header
from gateway.dicom.multiplex import group_item
from gateway.dicom.parts import Part
from gateway.errors import Held
from gateway.model import InstanceRef
from gateway.settings import Box

SYNC_EVERY = 32 << 20  # bytes


class _File:
    """One instance while it is written: made when its first sample comes, so that few headers are in memory at a time.

    ``left``: bytes of each multiplex group still to come.
    """

    def __init__(self, subject: Subject, box: Box, out: Path) -> None:
        self.subject = subject
        head = header(subject, box)
        self.uid = str(head.SOPInstanceUID)
        self.path = out / f"{self.uid}.dcm"
        kept = [group for group, (first, last) in enumerate(subject.part.ranges) if first < last]
        self.index = {group: n for n, group in enumerate(kept)}
        pairs = zip(subject.columns, subject.storages, strict=True)
        widths = [len(columns) * storage.bits // 8 for columns, storage in pairs]
        lengths = [s.samples * width for s, width in zip(subject.scan.groups, widths, strict=True)]
        items = [encode.Group(group_item(subject, n), length) for n, length in enumerate(lengths)]
        self._left = lengths
        self._unsynced = 0
        self._stack = contextlib.ExitStack()
        self._stream = self._stack.enter_context(fsops.new_file(self.path))
        try:
            self._at = encode.write_header(self._stream, head, items)
        except Exception as error:
            self.give_up(error)
            raise

    def put(self, group: int, data: bytes) -> None:
        """The next samples of a group."""
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

    @property
    def done(self) -> bool:
        return not any(self._left)

    def close(self) -> InstanceRef:
        """Durable from here on."""
        self._stack.close()
        uids = (self.subject.iod.sop_class_uid, self.uid, str(ExplicitVRLittleEndian))
        return InstanceRef(*uids, str(self.path), self.path.stat().st_size)

    def give_up(self, error: Exception) -> None:
        """Leave nothing behind of a file that did not become whole."""
        with contextlib.suppress(type(error)):
            self._stack.__exit__(type(error), error, error.__traceback__)


def write(
    path: Path, whole: Subject, parts: Sequence[Part], box: Box, out: Path, beat: Callable[[], None]
) -> tuple[InstanceRef, ...]:
    """Write the instances of ``whole``, one for each part of the records at ``path``, into ``out``; each durable.

    Raises Held, leaving nothing behind, if the records do not give what was scanned.
    """
    files: dict[int, _File] = {}
    made: dict[int, InstanceRef] = {}
    try:
        for part, block in _pieces(path, parts, beat):
            number = part.number
            if number not in files:
                files[number] = _File(whole.only(part), box, out)
            for data in _stored(block, files[number]):
                files[number].put(block.group, data)
                beat()
            if files[number].done:
                made[number] = files.pop(number).close()
        if len(made) < len(parts):
            raise Held(f"{path} changed while it was wrapped", "is a second gateway running on this data?")
    except Exception as error:
        for file in files.values():
            file.give_up(error)
        for one in made.values():
            fsops.unlink(Path(one.path))
        raise
    return tuple(made[part.number] for part in parts)


def _pieces(path: Path, parts: Sequence[Part], beat: Callable[[], None]) -> Iterator[tuple[Part, samples.Block]]:
    """The blocks of the recording, cut where a part ends."""
    position = [0] * len(parts[0].ranges)
    for block in samples.blocks(path, len(position), beat):
        for part, at, count in samples.pieces(parts, block.group, position[block.group], block.samples):
            counts = None if block.counts is None else block.counts[at : at + count]
            yield part, samples.Block(block.group, count, counts)
        position[block.group] += block.samples


def _stored(block: samples.Block, file: _File) -> Iterator[bytes]:
    """A block as bytes of Waveform Data; missing samples are Waveform Padding Value."""
    n = file.index[block.group]
    columns, storage = file.subject.columns[n], file.subject.storages[n]
    if block.counts is not None:
        yield scaling.store(block.counts, columns, file.subject.scales[n], storage).tobytes()
        return
    row = np.full(len(columns), storage.padding, storage.dtype).tobytes()
    most = max(1, samples.BLOCK // len(columns))
    for first in range(0, block.samples, most):
        yield row * min(block.samples - first, most)
