"""Our DICOMDIR, open for adding: what is in it, found by digest, and the three writes of :mod:`layout`.

The index in memory holds one number per record (some 200 bytes per instance), made by reading the directory once;
after that adding touches nothing but the new records and one link.
"""

from __future__ import annotations

import hashlib
import re
import struct
from typing import NamedTuple, Protocol

from gateway.errors import Held
from gateway.identifiers import new_uid
from gateway.transfer.media.dicomdir import layout
from gateway.transfer.media.dicomdir.elements import ITEM_TAIL, Malformed, Window
from gateway.transfer.media.dicomdir.header import Header
from gateway.transfer.media.dicomdir.layout import Entry
from gateway.transfer.media.dicomdir.records_table import BELOW
from gateway.transfer.media.dicomdir.structure import Record, Top, read_records, read_top

LEVELS = ("PATIENT", "STUDY", "SERIES")
FILE_ID = re.compile(r"PA(\d{6})/ST(\d{6})/SE(\d{6})/IN(\d{6})")
_MOST = 999_999
_NUMBER_BITS = 20  # 999 999 fits; the offset stands above


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


class Broken(Malformed):
    """Ours, but cut between two writes or damaged: it must be rebuilt from the files."""


class Directory:
    """An open DICOMDIR; ``number`` is the next instance's, used in the names of all folders it makes."""

    def __init__(self, store: Store, file_set_id: str, file_set_uid: str = "") -> None:
        self.file_set_id = file_set_id
        self.file_set_uid = file_set_uid or new_uid()
        self.number = 1
        self.counts = dict.fromkeys((*LEVELS, "instance"), 0)
        self._store = store
        self._places: dict[int, int] = {}  # digest of an entity -> offset and number
        self._persons: dict[int, tuple[bytes, ...]] = {}  # of a patient: issuer of the ID, birth date
        self._link_at = 0  # where the root's link lies; 0: there is no file yet
        self._length_at = 0  # where the reserve's length lies
        self._reserve = 0

    @staticmethod
    def load(store: Store, source: Window) -> Directory:
        """Read what is there. Raises NotOurs, Broken or Malformed."""
        top = read_top(source)
        self = Directory(store, top.file_set_id, top.file_set_uid)
        self._link_at = top.first_at
        nodes: dict[int, _Node] = {}
        for record in read_records(source, top):
            nodes[record.at] = _node(record)
            self._length_at, self._reserve = record.padding[0] - 4, record.padding[1]
        if not top.undefined or self._length_at + 4 + self._reserve + len(layout.FILE_TAIL) != source.size:
            raise NotOurs("another program wrote this DICOMDIR")
        self._index(top, nodes)
        return self

    def current(self) -> bool:
        """Whether the file still ends as this directory left it: a cheap sign that nobody else wrote to it."""
        if not self._link_at:
            return True
        head = layout.PADDING_HEAD + struct.pack("<I", self._reserve)
        return self._store.get(self._length_at + 4 - len(head), len(head)) == head

    def find(self, sop_instance_uid: str) -> str | None:
        """The File ID under which an instance is filed."""
        place = self._places.get(_digest(b"", sop_instance_uid.encode()))
        if place is None:
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
        there = self._persons.get(chain[0], ())
        if any(one and other and one != other for one, other in zip(there, _person(header), strict=False)):
            raise Held(
                "the medium has another patient with the same Patient ID (issuer or birth date differ)",
                "one file-set tells patients apart by the ID only: correct the ID, or use another medium",
            )
        numbers = [self._places.get(d, self.number) & ((1 << _NUMBER_BITS) - 1) for d in chain[:3]]
        return "PA{:06}/ST{:06}/SE{:06}/IN{:06}".format(*numbers, self.number)

    def insert(self, header: Header, file_id: str) -> None:
        """Name the instance whose file lies complete under ``file_id``. Afterwards it is on the medium."""
        chain = _chain(header)
        numbers = [int(part[2:]) for part in file_id.split("/")]
        known = next((i for i in (2, 1, 0) if chain[i] in self._places), -1)
        entries = [Entry(kind, header.keys(kind)) for kind in LEVELS[known + 1 :]]
        identity = (header.sop_class_uid, header.sop_instance_uid, header.transfer_syntax_uid)
        entries.append(
            Entry(header.record_type, header.keys(header.record_type), layout.referenced(file_id, *identity))
        )
        if not self._link_at:
            offsets = self._create(entries)
        else:
            parent = (self._places[chain[known]] >> _NUMBER_BITS) + layout.LOWER_AT if known >= 0 else self._link_at
            offsets = self._extend(entries, parent)
        for digest, number, offset in zip(chain[known + 1 :], numbers[known + 1 :], offsets, strict=True):
            self._places[digest] = offset << _NUMBER_BITS | number
        for kind in [*LEVELS[known + 1 :], "instance"]:
            self.counts[kind] += 1
        self._persons.setdefault(chain[0], _person(header))
        self.number = max(self.number, numbers[-1] + 1)

    def _create(self, entries: list[Entry]) -> tuple[int, ...]:
        uid = self.file_set_uid
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

    def _index(self, top: Top, nodes: dict[int, _Node]) -> None:
        """Follow the links; what they do not reach, or reach twice, makes the directory Broken."""
        todo: list[tuple[int, tuple[_Node, ...]]] = [(top.first, ())]
        while todo:
            at, above = todo.pop()
            while at:
                node = nodes.pop(at, None)
                if node is None or node.type not in BELOW[above[-1].type if above else ""]:
                    raise Broken(f"a link to {at} leads to no record, or to one a second time")
                if node.type in LEVELS:
                    todo.append((node.lower, (*above, node)))
                else:
                    self._take((*above, node))
                at = node.next
        if nodes:
            raise Broken(f"nothing refers to the record at {min(nodes)}")

    def _take(self, branch: tuple[_Node, ...]) -> None:
        *_above, leaf = branch
        chain = _digests(*(node.key for node in branch))
        if (match := FILE_ID.fullmatch(leaf.more[0].decode("ascii", "replace").replace("\\", "/"))) is None:
            raise NotOurs(f"the record at {leaf.at} has a File ID that is none of ours")
        for digest, node, part, kind in zip(chain, branch, match.groups(), self.counts, strict=True):
            if digest not in self._places:
                self._places[digest] = node.at << _NUMBER_BITS | int(part)
                self.counts[kind] += 1
        self._persons.setdefault(chain[0], branch[0].more)
        self.number = max(self.number, int(match[4]) + 1)


# Record type -> the attribute that identifies its entity, and what else must be known of it.
_IDENTITY: dict[str, tuple[int, tuple[int, ...]]] = {
    "PATIENT": (0x00100020, (0x00100021, 0x00100030)),
    "STUDY": (0x0020000D, ()),
    "SERIES": (0x0020000E, ()),
}


class _Node(NamedTuple):
    """What following the links needs of a record."""

    at: int
    next: int
    lower: int
    type: str
    key: bytes
    more: tuple[bytes, ...]


def _node(record: Record) -> _Node:
    key, more = _IDENTITY.get(record.type, (0x00041511, (0x00041500,)))
    values = tuple(record.values.get(tag, b"") for tag in more)
    return _Node(record.at, record.next, record.lower, record.type, record.values.get(key, b""), values)


def _person(header: Header) -> tuple[bytes, ...]:
    return tuple(header.values.get(tag, b"") for tag in _IDENTITY["PATIENT"][1])


def _chain(header: Header) -> tuple[int, ...]:
    study, series = header.values.get(0x0020000D, b""), header.values.get(0x0020000E, b"")
    return _digests(header.patient_id, study, series, header.sop_instance_uid.encode())


def _digests(patient: bytes, study: bytes, series: bytes, instance: bytes) -> tuple[int, ...]:
    """Digests of patient, study (of this patient), series (of this study), instance (of the file-set)."""
    return (
        _digest(b"P", patient),
        _digest(b"S", patient, study),
        _digest(b"E", patient, study, series),
        _digest(b"", instance),
    )


def _digest(*parts: bytes) -> int:
    joined = b"".join(len(part).to_bytes(2, "big") + part for part in parts)
    return int.from_bytes(hashlib.sha256(joined).digest()[:16], "big")
