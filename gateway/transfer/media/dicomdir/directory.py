"""A DICOMDIR, open for adding: what is in it, and the three writes of :mod:`layout`.

Ours ends with the reserve of :mod:`layout`. Any other sound one can be *adopted*: its records stay byte for byte at
their offsets, and the first record of ours that is added to it gives it our end.
"""

from __future__ import annotations

import struct
from typing import Protocol

from gateway.errors import Held
from gateway.identifiers import new_uid
from gateway.transfer.media.dicomdir import entities, layout
from gateway.transfer.media.dicomdir.contents import Broken, Contents, NotOurs
from gateway.transfer.media.dicomdir.elements import ITEM_TAIL, UNDEFINED, Window
from gateway.transfer.media.dicomdir.entities import LEVELS, MOST, Entities, file_id_of
from gateway.transfer.media.dicomdir.header import Header
from gateway.transfer.media.dicomdir.layout import Entry
from gateway.transfer.media.dicomdir.structure import Top, read_records, read_top

__all__ = ["Broken", "Directory", "NotOurs", "Store"]


class Store(Protocol):
    """The bytes of a DICOMDIR. Live: each call is synced before it returns. Draft: nothing is."""

    def get(self, at: int, count: int) -> bytes: ...

    def put(self, at: int, data: bytes) -> None: ...

    def rewrite(self, upto: int, changes: dict[int, bytes], data: bytes, reserve: int) -> None:
        """The bytes up to ``upto`` with ``changes`` at their offsets, then ``data``, ``reserve`` zeros, FILE_TAIL.

        At once, as far as the file system can: whoever reads finds the old file or the new one.
        """


class Directory:
    """An open DICOMDIR; ``number`` is the next instance's, used in the names of all folders it makes."""

    def __init__(self, store: Store, file_set_id: str, file_set_uid: str = "") -> None:
        self.file_set_id = file_set_id
        self.file_set_uid = file_set_uid or new_uid()
        self.number = 1
        self._store = store
        self._entities = Entities()
        self._top: Top | None = None
        self._theirs = 0  # below this offset the records are another program's, in any form
        self._link_at = 0  # where the root's link lies; 0: there is no file yet
        self._end = 0  # of what is already there without a reserve
        self._length_at = 0  # where the reserve's length lies; 0: there is none
        self._reserve = 0

    @staticmethod
    def load(store: Store, source: Window, theirs: int = 0) -> Directory:
        """Read ours. ``theirs``: where the records end that another program wrote; 0: all are ours.

        Raises NotOurs, Broken or Malformed.
        """
        self, top, contents, padding = _read(store, source)
        self._theirs = theirs
        self._length_at, self._reserve = padding[0] - 4, padding[1]
        if not top.undefined or self._length_at + 4 + self._reserve + len(layout.FILE_TAIL) != source.size:
            raise NotOurs("another program wrote this DICOMDIR")
        self._enter(contents, top.first)
        return self

    @staticmethod
    def adopt(store: Store, source: Window) -> Directory:
        """Read any other sound one, for adding to it. Raises Malformed in words if it is not sound."""
        self, top, contents, _padding = _read(store, source)
        self._theirs = self._end
        self._enter(contents, top.first)
        return self

    @property
    def counts(self) -> dict[str, int]:
        return self._entities.counts

    @property
    def adopted(self) -> bool:
        """Whether nothing of ours is in it yet."""
        return bool(self._link_at and not self._length_at)

    def current(self) -> bool:
        """Whether the file still ends as this directory left it: a cheap sign that nobody else wrote to it."""
        if not self._length_at:
            return True
        head = layout.PADDING_HEAD + struct.pack("<I", self._reserve)
        return self._store.get(self._length_at + 4 - len(head), len(head)) == head

    def find(self, sop_instance_uid: str) -> str | None:
        """The File ID under which an instance is filed."""
        at = self._entities.instance(sop_instance_uid)
        if not at:
            return None
        return file_id_of(layout.within(self._store.get(at, 1024), 0x00041500)[1])

    def file_id(self, header: Header) -> str:
        """The File ID that :meth:`insert` will give it now. Raises Held if it cannot be filed."""
        if self.number > MOST:
            raise Held(f"the file-set has used all {MOST} file names", "go on with another medium")
        chain = _chain(header)
        self._entities.admit(entities.patient_of(header), chain[0], entities.marks_of(header))
        numbers = [self._entities.number(digest) or self.number for digest in chain[:3]]
        return "PA{:06}/ST{:06}/SE{:06}/IN{:06}".format(*numbers, self.number)

    def insert(self, header: Header, file_id: str) -> None:
        """Name the instance whose file lies complete under ``file_id``. Afterwards it is on the medium."""
        chain = _chain(header)
        numbers = [int(part[2:]) for part in file_id.split("/")]
        known = next((i for i in (2, 1, 0) if self._entities.record(chain[i])), -1)
        records = [Entry(kind, header.keys(kind)) for kind in LEVELS[known + 1 :]]
        identity = (header.sop_class_uid, header.sop_instance_uid, header.transfer_syntax_uid)
        records.append(
            Entry(header.record_type, header.keys(header.record_type), layout.referenced(file_id, *identity))
        )
        if not self._link_at:
            offsets = self._create(records)
        else:
            offsets = self._extend(records, self._entities.record(chain[known]) if known >= 0 else 0)
        for level, (digest, number) in enumerate(zip(chain, numbers, strict=True)):
            self._entities.add(level, digest, offsets[level - known - 1] if level > known else 0, number)
        self._entities.person(chain[0], entities.marks_of(header))
        self.number = max(self.number, numbers[-1] + 1)

    def _create(self, records: list[Entry]) -> tuple[int, ...]:
        uid = self.file_set_uid
        for slack in range(0, layout.SECTOR, 2):
            size = len(layout.head(self.file_set_id, uid, 0, slack)[0])
            front, link_at = layout.head(self.file_set_id, uid, size, slack)
            batch = layout.lay_out(size, records, 0)
            if layout.untorn(batch) and layout.whole(link_at):
                break
        self._link_at, self._length_at, self._reserve = link_at, batch.length_at, layout.SMALLEST_RESERVE
        length = struct.pack("<I", self._reserve)
        self._store.rewrite(0, {}, front + batch.data[:-4] + length, self._reserve)
        return batch.offsets

    def _extend(self, records: list[Entry], parent: int) -> tuple[int, ...]:
        """``parent``: offset of the record above, 0 for the root."""
        link_at = self._lower_at(parent) if parent else self._link_at
        (sibling,) = struct.unpack("<I", self._store.get(link_at, 4))
        if not self._length_at:
            return self._convert(records, link_at, sibling)
        start = self._length_at + 4
        for slack in range(0, layout.SECTOR, 2):
            batch = layout.lay_out(start + slack + len(ITEM_TAIL), records, sibling)
            if layout.untorn(batch):
                break
        fill = bytes(slack) + ITEM_TAIL + batch.data[:-4]
        publish, link = struct.pack("<I", slack), struct.pack("<I", batch.offsets[0])
        left = self._reserve - len(fill) - 4
        if left >= 0 and layout.whole(self._length_at) and layout.whole(link_at):
            self._store.put(start, fill + struct.pack("<I", left))  # fill
            self._store.put(self._length_at, publish)  # publish
            self._store.put(link_at, link)  # link
        else:  # all three at once, with a larger reserve
            left = max(layout.SMALLEST_RESERVE, self._length_at // 4)
            data = publish + fill + struct.pack("<I", left)
            self._rewrite(self._length_at, {link_at: link}, data, left)
        self._length_at, self._reserve = batch.length_at, left
        return batch.offsets

    def _convert(self, records: list[Entry], link_at: int, sibling: int) -> tuple[int, ...]:
        """The first of ours behind another program's records: at once, since their end has no reserve."""
        assert self._top is not None
        batch = layout.lay_out(self._end, records, sibling)
        self._length_at, self._reserve = batch.length_at, layout.SMALLEST_RESERVE
        changes = {self._top.length_at: struct.pack("<I", UNDEFINED), link_at: struct.pack("<I", batch.offsets[0])}
        if link_at == self._link_at and not sibling:
            changes[self._top.last_at] = changes[link_at]
        self._rewrite(self._end, changes, batch.data[:-4] + struct.pack("<I", self._reserve), self._reserve)
        return batch.offsets

    def _rewrite(self, upto: int, changes: dict[int, bytes], data: bytes, reserve: int) -> None:
        if self._top is not None and (at := self._top.group_length_at):
            size = upto + len(data) + reserve + len(layout.FILE_TAIL)
            changes[at] = struct.pack("<I", size - at - 4)
        self._store.rewrite(upto, changes, data, reserve)

    def _lower_at(self, at: int) -> int:
        if at >= self._theirs:
            return at + layout.LOWER_AT
        return at + layout.within(self._store.get(at, 64), 0x00041420)[0]

    def _enter(self, contents: Contents, first: int) -> None:
        self.number = max(self.number, contents.enter(self._entities, first, self._theirs) + 1)


def _chain(header: Header) -> entities.Chain:
    study, series = header.values.get(0x0020000D, b""), header.values.get(0x0020000E, b"")
    return entities.digests(header.sop_instance_uid.encode(), entities.patient_of(header), study, series)


def _read(store: Store, source: Window) -> tuple[Directory, Top, Contents, tuple[int, int]]:
    """The directory without its index; its top, records, and the trailing padding of the last one."""
    top = read_top(source)
    directory = Directory(store, top.file_set_id, top.file_set_uid)
    directory._top, directory._link_at, directory._end = top, top.first_at, top.records_at
    contents = Contents()
    padding = (0, 0)
    for record in read_records(source, top):
        contents.add(record)
        padding, directory._end = record.padding, record.end
    return directory, top, contents, padding
