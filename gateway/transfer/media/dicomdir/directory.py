"""Our DICOMDIR, open for adding: what is in it, found by digest, and the three writes of :mod:`layout`.

The index in memory (:mod:`index`) is made by reading the directory once; after that adding touches nothing but the new
records and one link.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Protocol

from gateway.errors import Held
from gateway.identifiers import new_uid
from gateway.transfer.media.dicomdir import index, layout
from gateway.transfer.media.dicomdir.elements import ITEM_TAIL, Malformed, Window
from gateway.transfer.media.dicomdir.header import Header
from gateway.transfer.media.dicomdir.layout import Entry
from gateway.transfer.media.dicomdir.links import LEVELS, Broken, Links
from gateway.transfer.media.dicomdir.structure import Record, read_records, read_top

__all__ = ["FILE_ID", "LEVELS", "Broken", "Directory", "NotOurs", "Store"]

FILE_ID = re.compile(r"PA(\d{6})/ST(\d{6})/SE(\d{6})/IN(\d{6})")
_MOST = 999_999
_NUMBER_BITS = 20  # 999 999 fits; the offset stands above
_MOST_NUMBER = (1 << _NUMBER_BITS) - 1


class Store(Protocol):
    """The bytes of a DICOMDIR. Live: each call is synced before it returns. Draft: nothing is."""

    def get(self, at: int, count: int) -> bytes: ...

    def put(self, at: int, data: bytes) -> None: ...

    def create(self, data: bytes, reserve: int) -> None:
        """A new file: ``data``, ``reserve`` zeros, FILE_TAIL."""

    def enlarge(self, length_at: int, reserve: int) -> None:
        """The same bytes up to ``length_at``, then ``reserve`` as the length, so many zeros, FILE_TAIL."""


class NotOurs(Malformed):
    """A sound DICOMDIR that another program wrote."""


class Directory:
    """An open DICOMDIR; ``number`` is the next instance's, used in the names of all folders it makes."""

    def __init__(self, store: Store, file_set_id: str) -> None:
        self.file_set_id = file_set_id
        self.number = 1
        self.counts = dict.fromkeys((*LEVELS, "instance"), 0)
        self._store = store
        self._index = index.Index()  # digest of an entity -> its record's offset and its number, see _place
        self._link_at = 0  # where the root's link lies; 0: there is no file yet
        self._length_at = 0  # where the reserve's length lies
        self._reserve = 0

    @staticmethod
    def load(store: Store, source: Window) -> Directory:
        """Read what is there. Raises NotOurs, Broken or Malformed."""
        top = read_top(source)
        self = Directory(store, top.file_set_id)
        self._link_at = top.first_at
        links = Links()
        for record in read_records(source, top):
            links.take(record.at, record.next, record.lower, record.type, self._what(record))
            self._length_at, self._reserve = record.padding[0] - 4, record.padding[1]
        if not top.undefined or self._length_at + 4 + self._reserve + len(layout.FILE_TAIL) != source.size:
            raise NotOurs("another program wrote this DICOMDIR")
        for above, _at, numbers in links.follow(top.first):
            for level, place in enumerate(above):
                if place.digest not in self._index:
                    number = numbers >> _NUMBER_BITS * (2 - level) & _MOST_NUMBER
                    self._index.put(place.digest, _place(place.at, number))
                    self.counts[LEVELS[level]] += 1
        return self

    def current(self) -> bool:
        """Whether the file still ends as this directory left it: a cheap sign that nobody else wrote to it."""
        if not self._link_at:
            return True
        head = layout.PADDING_HEAD + struct.pack("<I", self._reserve)
        return self._store.get(self._length_at + 4 - len(head), len(head)) == head

    def find(self, sop_instance_uid: str) -> str | None:
        """The File ID under which an instance is filed."""
        place = self._index.get(index.own("", sop_instance_uid.encode()))
        if not place:
            return None
        raw = self._store.get((place >> _NUMBER_BITS) + layout.REFERENCED_AT, 128)
        at = 8 + struct.unpack_from("<H", raw, 6)[0]
        length = struct.unpack_from("<H", raw, at + 6)[0]
        return raw[at + 8 : at + 8 + length].decode("ascii", "replace").strip().replace("\\", "/")

    def file_id(self, header: Header) -> str:
        """The File ID that :meth:`insert` will give it now. Raises Held if it cannot be filed."""
        if self.number > _MOST:
            raise Held(f"the file-set has used all {_MOST} file names", "go on with another medium")
        chain = _chain(header)
        for key, mark in _marks(header.patient_id, header.values):
            if self._index.get(key) not in (0, mark):
                raise Held(
                    "the medium has another patient with the same Patient ID (issuer or birth date differ)",
                    "one file-set tells patients apart by the ID only: correct the ID, or use another medium",
                )
        numbers = [(self._index.get(d) or self.number) & _MOST_NUMBER for d in chain[:3]]
        return "PA{:06}/ST{:06}/SE{:06}/IN{:06}".format(*numbers, self.number)

    def insert(self, header: Header, file_id: str) -> None:
        """Name the instance whose file lies complete under ``file_id``. Afterwards it is on the medium."""
        chain = _chain(header)
        numbers = [int(part[2:]) for part in file_id.split("/")]
        known = next((i for i in (2, 1, 0) if chain[i] in self._index), -1)
        entries = [Entry(kind, header.keys(kind)) for kind in LEVELS[known + 1 :]]
        identity = (header.sop_class_uid, header.sop_instance_uid, header.transfer_syntax_uid)
        entries.append(
            Entry(header.record_type, header.keys(header.record_type), layout.referenced(file_id, *identity))
        )
        if not self._link_at:
            offsets = self._create(entries)
        else:
            parent = (self._index.get(chain[known]) >> _NUMBER_BITS) + layout.LOWER_AT if known >= 0 else self._link_at
            offsets = self._extend(entries, parent)
        for digest, number, offset in zip(chain[known + 1 :], numbers[known + 1 :], offsets, strict=True):
            self._index.put(digest, _place(offset, number))
        for kind in [*LEVELS[known + 1 :], "instance"]:
            self.counts[kind] += 1
        if known < 0:
            for key, mark in _marks(header.patient_id, header.values):
                self._index.put(key, mark)
        self.number = max(self.number, numbers[-1] + 1)

    def _create(self, entries: list[Entry]) -> tuple[int, ...]:
        uid = new_uid()
        for slack in range(0, layout.SECTOR, 2):
            size = len(layout.head(self.file_set_id, uid, 0, slack)[0])
            front, link_at = layout.head(self.file_set_id, uid, size, slack)
            batch = layout.lay_out(size, entries, 0)
            if layout.untorn(batch) and link_at % layout.SECTOR <= layout.SECTOR - 4:
                break
        self._link_at, self._length_at, self._reserve = link_at, batch.length_at, layout.SMALLEST_RESERVE
        length = struct.pack("<I", self._reserve)
        self._store.create(front + batch.data[:-4] + length, self._reserve)
        return batch.offsets

    def _extend(self, entries: list[Entry], parent_at: int) -> tuple[int, ...]:
        (sibling,) = struct.unpack("<I", self._store.get(parent_at, 4))
        start = self._length_at + 4
        for slack in range(0, layout.SECTOR, 2):
            batch = layout.lay_out(start + slack + len(ITEM_TAIL), entries, sibling)
            if layout.untorn(batch):
                break
        fill = bytes(slack) + ITEM_TAIL + batch.data[:-4]
        if len(fill) + 4 > self._reserve:
            self._reserve = max(layout.SMALLEST_RESERVE, self._length_at // 4) + len(fill) + 4
            self._store.enlarge(self._length_at, self._reserve)
        left = self._reserve - len(fill) - 4
        self._store.put(start, fill + struct.pack("<I", left))  # fill
        self._store.put(self._length_at, struct.pack("<I", slack))  # publish
        self._store.put(parent_at, struct.pack("<I", batch.offsets[0]))  # link
        self._length_at, self._reserve = batch.length_at, left
        return batch.offsets

    def _what(self, record: Record) -> int | bytes:
        """What :class:`Links` shall remember of a record; the rest of it goes into the index."""
        if record.type in LEVELS:
            identity = record.values.get(_IDENTITY[record.type], b"")
            if record.type == "PATIENT":
                for key, mark in _marks(identity, record.values):
                    self._index.put(key, mark)
            return index.own(record.type, identity)
        if (match := FILE_ID.fullmatch(record.text(0x00041500).replace("\\", "/"))) is None:
            raise NotOurs(f"the record at {record.at} has a File ID that is none of ours")
        patient, study, series, number = map(int, match.groups())
        digest = index.own("", record.values.get(0x00041511, b""))
        if digest not in self._index:
            self._index.put(digest, _place(record.at, number))
            self.counts["instance"] += 1
        self.number = max(self.number, number + 1)
        return (patient << _NUMBER_BITS | study) << _NUMBER_BITS | series


# Record type -> the attribute that identifies its entity among its siblings.
_IDENTITY = {"PATIENT": 0x00100020, "STUDY": 0x0020000D, "SERIES": 0x0020000E}
_PERSON = (0x00100021, 0x00100030)  # issuer of the ID, birth date: two patients may have the same ID


def _place(offset: int, number: int) -> int:
    return offset << _NUMBER_BITS | number


def _marks(patient_id: bytes, values: dict[int, bytes]) -> Iterator[tuple[bytes, int]]:
    """Under which key the index has which value if a patient has an issuer of the ID, and a birth date."""
    for tag in _PERSON:
        if value := values.get(tag):
            mark = int.from_bytes(index.digest(value), "little") & index.LARGEST
            yield index.digest(tag.to_bytes(4, "little"), patient_id), mark or 1


def _chain(header: Header) -> tuple[bytes, ...]:
    study, series = header.values.get(0x0020000D, b""), header.values.get(0x0020000E, b"")
    return index.chain(header.patient_id, study, series, header.sop_instance_uid.encode())
