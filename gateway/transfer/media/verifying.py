"""Read a medium back and say what is wrong: structure, offsets, links, keys, files, hashes.

Own, because dciodvfy passes broken offsets and missing files. Nothing on the medium is believed: links are
followed only to places where a record really starts, each record at most once; File IDs are opened only if they
are well-formed and stay below the root, links in the file system are not followed. Patients are not named.
"""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import Held
from gateway.transfer.media import hashes
from gateway.transfer.media.dicomdir.directory import FILE_ID, LEVELS
from gateway.transfer.media.dicomdir.elements import Malformed, Window
from gateway.transfer.media.dicomdir.header import read_header
from gateway.transfer.media.dicomdir.records_table import BELOW, KEYS, RECORD_TYPE
from gateway.transfer.media.dicomdir.stores import open_directory
from gateway.transfer.media.dicomdir.structure import Record, Top, read_records, read_top
from gateway.transfer.media.medium import DICOMDIR, in_words, refuse_missing

_COMPONENT = re.compile(r"[A-Z0-9_]{1,8}")
_KEPT = (0x00100020, 0x00041500, 0x00041510, 0x00041511, 0x00041512)  # what is compared across records
Kept = Callable[[str], Mapping[str, str]]  # UID of a file-set -> its File IDs and their SHA-256
_MOST_SAID = 100  # problems; a hostile directory could name millions


@dataclass(frozen=True, slots=True)
class Report:
    """What :func:`verify` found. ``counts``: records by type."""

    root: Path
    file_set_id: str
    counts: dict[str, int]
    problems: tuple[str, ...]

    @property
    def sound(self) -> bool:
        return not self.problems

    def __str__(self) -> str:
        records = ", ".join(f"{count} {kind}" for kind, count in self.counts.items()) or "no records"
        first = f"{self.root}: file-set {self.file_set_id or '(no ID)'}: {records}"
        if self.sound:
            return f"{first}: sound"
        return "\n".join([f"{first}: {len(self.problems)} problems", *self.problems[:_MOST_SAID]])


@dataclass(frozen=True, slots=True)
class Status:
    """What is on a medium, by its directory alone. ``free``: bytes."""

    root: Path
    file_set_id: str
    counts: dict[str, int]
    free: int

    def __str__(self) -> str:
        leaves = sum(count for kind, count in self.counts.items() if kind not in LEVELS)
        patients = self.counts.get("PATIENT", 0)
        name = f"file-set {self.file_set_id}" if self.counts else "no DICOMDIR yet"
        return f"{self.root}: {name}: {leaves} instances of {patients} patients, {self.free >> 20} MiB free"


def status(root: Path) -> Status:
    """Raises Retry if the medium is not there or cannot be read, Held if its DICOMDIR is damaged."""
    refuse_missing(root)
    problems: list[str] = []
    try:
        top, records = _read(root, problems)
        free = shutil.disk_usage(root).free
    except OSError as error:
        raise in_words(root, error) from error
    if problems:
        raise Held(f"the DICOMDIR at {root} is not sound: {problems[0]}", "run 'gateway media verify', then repair")
    return Status(root, top.file_set_id if top else "", _counts(records.values()), free)


def verify(root: Path, kept: Kept = lambda _uid: {}) -> Report:
    """Check everything, read every file. Raises Retry if the medium is not there or fails while it is read.

    ``kept``: what the box itself remembers of a file-set, by its UID; it is believed before the medium's own list.
    """
    refuse_missing(root)
    problems: list[str] = []
    try:
        top, records = _read(root, problems)
        if top is not None:
            problems += _links(top, records)
            problems += _uniqueness(records)
        problems += _files(root, records, kept(top.file_set_uid) if top is not None else {})
    except OSError as error:
        raise in_words(root, error) from error
    return Report(root, top.file_set_id if top else "", _counts(records.values()), tuple(problems))


def _read(root: Path, problems: list[str]) -> tuple[Top | None, dict[int, Record]]:
    top, records = None, {}
    try:
        descriptor = open_directory(root / DICOMDIR)
    except Malformed as error:
        problems.append(str(error))
        return None, {}
    if descriptor is None:
        if hashes.remembered(root):
            problems.append("there are files of a gateway, but no DICOMDIR")
        return None, {}
    try:
        source = Window(descriptor)
        top = read_top(source)
        for record in read_records(source, top):
            problems += [f"{_where(record)} lacks {words}" for words in _missing_keys(record)]
            kept = {tag: record.values[tag] for tag in _KEPT if tag in record.values}
            records[record.at] = dataclasses.replace(record, values=kept)
    except Malformed as error:
        problems.append(f"DICOMDIR: {error}")
        top = None  # its links and counts would only repeat it
    finally:
        os.close(descriptor)
    return top, records


def _links(top: Top, records: dict[int, Record]) -> Iterator[str]:
    reached: set[int] = set()
    todo = [("the root", top.first, "")]
    last_of_root = 0
    while todo:
        where, at, above = todo.pop()
        while at:
            if at not in records:
                yield f"{where} points to {at}, where no directory record starts"
                break
            if at in reached:
                yield f"{where} points to the record at {at}, which is reached a second time"
                break
            reached.add(at)
            record = records[at]
            if above == "":
                last_of_root = at
            if record.type not in BELOW.get(above, frozenset()):
                yield f"{_where(record)} may not stand below {above or 'the root'}"
            if record.type in LEVELS and not record.lower:
                yield f"{_where(record)} has nothing below it"
            todo.append((_where(record), record.lower, record.type))
            where, at = _where(record), record.next
    if top.last != last_of_root:
        yield f"the last record of the root is at {last_of_root}, not at {top.last} as (0004,1202) says"
    for at in sorted(records.keys() - reached):
        if records[at].in_use:
            yield f"nothing refers to {_where(records[at])}"


def _missing_keys(record: Record) -> Iterator[str]:
    for key in KEYS.get(record.type, ()):
        empty = key.type == "1" and not record.values.get(key.tag)
        if empty or (key.type == "2" and key.tag not in record.values):
            yield key.keyword
    if record.type not in LEVELS and record.type in BELOW["SERIES"]:
        for tag in (0x00041500, 0x00041510, 0x00041511, 0x00041512):
            if not record.values.get(tag):
                yield f"(0004,{tag & 0xFFFF:04X})"
        if RECORD_TYPE.get(record.text(0x00041510), record.type) != record.type:
            yield f"the record type of its SOP class, {RECORD_TYPE[record.text(0x00041510)]}"


def _uniqueness(records: dict[int, Record]) -> Iterator[str]:
    for kind, tag, what in (
        ("PATIENT", 0x00100020, "Patient ID"),
        ("", 0x00041500, "File ID"),
        ("", 0x00041511, "SOP Instance UID"),
    ):
        found = Counter(r.values[tag] for r in records.values() if kind in ("", r.type) and tag in r.values)
        if doubled := sum(1 for count in found.values() if count > 1):
            yield f"{doubled} {what}s stand in more than one record"


def _files(root: Path, records: dict[int, Record], kept: Mapping[str, str]) -> Iterator[str]:
    said = hashes.remembered(root)
    known = {**said, **kept}
    if lies := sum(1 for file_id in said.keys() & kept.keys() if said[file_id] != kept[file_id]):
        yield f"{lies} hashes on the medium are not those that this box keeps"
    named: set[str] = set()
    for record in records.values():
        if 0x00041500 not in record.values:
            continue
        parts = record.text(0x00041500).split("\\")
        file_id = "/".join(part.strip() for part in parts)
        if len(parts) > 8 or not all(_COMPONENT.fullmatch(part.strip()) for part in parts):
            yield f"{_where(record)} has the File ID {file_id!r}, which is not allowed"
            continue
        named.add(file_id)
        path = root
        for part in file_id.split("/"):
            path /= part
            if path.is_symlink():
                break
        if path.is_symlink() or not path.is_file():
            yield f"{file_id} is named, but there is no such file"
        else:
            yield from _file(path, file_id, record, known.get(file_id))
    for file_id in sorted(kept.keys() - named):
        yield f"this box filed {file_id}, and the DICOMDIR does not name it"
    for parent, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name[:2] in ("PA", "ST", "SE"))
        relative = Path(parent).relative_to(root).as_posix()
        for name in sorted(names):
            if FILE_ID.fullmatch(f := f"{relative}/{name}") and f not in named:
                yield f"{f} is there, but the DICOMDIR does not name it"


def _file(path: Path, file_id: str, record: Record, said: str | None) -> Iterator[str]:
    if said is not None and hashes.of_file(path) != said:
        yield f"{file_id}: its content is not what was written"
        return
    if said is None and FILE_ID.fullmatch(file_id):
        yield f"{file_id}: its hash is not remembered"
    try:
        header = read_header(path)
    except Held as error:
        yield error.message
        return
    there = (header.sop_class_uid, header.sop_instance_uid, header.transfer_syntax_uid)
    if there != tuple(record.text(tag) for tag in (0x00041510, 0x00041511, 0x00041512)):
        yield f"{file_id} holds another object than its record says"


def _where(record: Record) -> str:
    return f"the {record.type or 'nameless'} record at {record.at}"


def _counts(records: Iterable[Record]) -> dict[str, int]:
    kinds = Counter(record.type for record in records)
    order = [*LEVELS, *sorted(set(kinds) - set(LEVELS))]
    return {kind: kinds[kind] for kind in order if kinds[kind]}
