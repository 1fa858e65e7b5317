"""Read a medium back and say what is wrong: structure, offsets, links, keys, files, hashes.

Own, because dciodvfy passes broken offsets and missing files. Nothing on the medium is believed: File IDs are
opened only if they are well-formed and stay below the root, links in the file system are not followed. Memory is
bounded by what a DICOMDIR may hold, not by what it says. Patients are not named.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from gateway.errors import Held
from gateway.transfer.media import hashes, tombstones
from gateway.transfer.media.dicomdir.elements import Malformed, Window
from gateway.transfer.media.dicomdir.entities import FILE_ID, file_id_of, patient_of
from gateway.transfer.media.dicomdir.header import Header, read_header
from gateway.transfer.media.dicomdir.soundness import Sound, digest, where
from gateway.transfer.media.dicomdir.stores import opened
from gateway.transfer.media.dicomdir.structure import Record, Top, read_records, read_top
from gateway.transfer.media.findings import Findings, Report, Status, in_order
from gateway.transfer.media.medium import DICOMDIR, Finder, allowed, in_words, refuse_missing
from gateway.transfer.media.walking import OURS, walk

__all__ = ["Report", "Status", "status", "verify"]


Kept = Callable[[str], Mapping[str, str]]  # UID of a file-set -> its File IDs and their SHA-256


def status(root: Path) -> Status:
    """Raises Retry if the medium is not there or cannot be read, Held if its DICOMDIR is damaged."""
    refuse_missing(root)
    name, counts = "", Counter[str]()
    try:
        with opened(root / DICOMDIR) as source:
            if source is not None:
                top = read_top(source)
                name = top.file_set_id
                counts.update(record.type for record in read_records(source, top) if record.in_use)
            elif hashes.remembered(root):
                raise Malformed("it is missing, but there are files of a gateway")
        free = shutil.disk_usage(root).free
    except OSError as error:
        raise in_words(root, error) from error
    except Malformed as error:
        raise Held(
            f"the DICOMDIR at {root} is not sound: {error}", "run 'gateway media verify', then repair"
        ) from error
    return Status(root, name, in_order(counts), free)


def verify(root: Path, kept: Kept = lambda _uid: {}) -> Report:
    """Check everything, read every file. Raises Retry if the medium is not there or fails while it is read.

    ``kept``: what the box itself remembers of a file-set, by its UID; it is believed before the medium's own list.
    """
    refuse_missing(root)
    findings, name, counts = Findings(), "", Counter[str]()
    try:
        with opened(root / DICOMDIR) as source:
            if source is not None:
                top = read_top(source)
                name = top.file_set_id
                sound = Sound(source, top, findings.say)
                counts = sound.counts
                _Files(root, findings, kept(top.file_set_uid)).check(source, top, sound)
            elif hashes.remembered(root):
                findings.say("there are files of a gateway, but no DICOMDIR")
    except Malformed as error:
        findings.say(f"DICOMDIR: {error}")
    except OSError as error:
        raise in_words(root, error) from error
    return Report(root, name, in_order(counts), tuple(findings.said), findings.count)


class _Files:
    """What the records name, and what lies there."""

    def __init__(self, root: Path, findings: Findings, kept: Mapping[str, str]) -> None:
        self._root = root
        self._find = Finder(root)
        self._say = findings.say
        self._kept = kept
        self._said = hashes.remembered(root)
        if lies := sum(1 for file_id in kept if self._said.get(file_id, kept[file_id]) != kept[file_id]):
            self._say(f"{lies} hashes on the medium are not those that this box keeps")
        self._removed = tombstones.read(root)
        self._named: set[int] = set()  # digests of our File IDs

    def check(self, source: Window, top: Top, sound: Sound) -> None:
        for record in read_records(source, top):
            if record.in_use and 0x00041500 in record.values:
                self._record(record, sound)
        for file_id in sorted(self._kept):
            if digest("", file_id.encode()) not in self._named and file_id not in self._removed:
                self._say(f"this box filed {file_id}, and the DICOMDIR does not name it")

        def strange(name: str) -> None:
            self._say(f"{name} is there, but the DICOMDIR does not name it: it is neither a file nor a folder")

        for file_id in walk(self._root, OURS, strange=strange):
            if digest("", file_id.encode()) not in self._named:
                self._say(f"{file_id} is there, but the DICOMDIR does not name it")

    def _record(self, record: Record, sound: Sound) -> None:
        file_id = file_id_of(record.values[0x00041500])
        if not allowed(file_id):
            self._say(f"{where(record)} has the File ID {file_id!r}, which is not allowed")
            return
        self._named.add(digest("", file_id.encode()))
        if tombstones.names(record, self._removed):
            self._say(f"{file_id} was removed, but {where(record)} still names it")
        path = self._find(file_id)
        if path is None:
            self._say(f"{file_id} is named, but there is no such file")
        else:
            self._file(path, file_id, record, sound)

    def _file(self, path: Path, file_id: str, record: Record, sound: Sound) -> None:
        said = self._kept.get(file_id) or self._said.get(file_id)
        if said is not None and hashes.of_file(path) != said:
            self._say(f"{file_id}: its content is not what was written")
            return
        if said is None and FILE_ID.fullmatch(file_id):
            self._say(f"{file_id}: its hash is not remembered")
        try:
            header = read_header(path)
        except Held as error:
            self._say(error.message)
            return
        there = (header.sop_class_uid, header.sop_instance_uid, header.transfer_syntax_uid)
        if there != tuple(record.text(tag) for tag in (0x00041510, 0x00041511, 0x00041512)):
            self._say(f"{file_id} holds another object than its record says")
        elif not _belongs(header, record, sound):
            self._say(f"{file_id} holds an object of another patient, study or series than the records above it say")


def _belongs(header: Header, record: Record, sound: Sound) -> bool:
    try:
        patient = patient_of(header) if header.values.get(0x00100020) else None  # a supplied one is the writer's choice
    except Held:
        patient = None
    return sound.belongs(record, patient, header.values.get(0x0020000D, b""), header.values.get(0x0020000E, b""))
