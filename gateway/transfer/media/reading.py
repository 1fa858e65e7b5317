"""What lies on any DICOM medium, ours or not, and what was remembered of it: read only, nothing believed.

A sound DICOMDIR says which files belong to the file-set: every record in use, linked or not (one that was cut off
before its link names a whole file). Of a medium of ours the files that no record names yet are taken, too. Without a
DICOMDIR, or with a damaged one, every Part 10 file below the root counts. The medium is never written to.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import Held, Misuse
from gateway.transfer import part10
from gateway.transfer.media import hashes, tombstones
from gateway.transfer.media.dicomdir.elements import Malformed, Window
from gateway.transfer.media.dicomdir.stores import open_directory
from gateway.transfer.media.dicomdir.structure import DIRECTORY_CLASS, read_records, read_top
from gateway.transfer.media.medium import DICOMDIR, refuse_missing
from gateway.transfer.media.walking import OURS, NoFile, open_below, shown, walk

MOST_FAILURES = 10  # files in a row that cannot be read: then it is the medium that cannot
MOST_FILES = 100_000  # instances that are read from one medium at a time; bounds the memory used
_COMPONENT = re.compile(r"[A-Z0-9_]{1,8}")
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")


@dataclass(frozen=True, slots=True)
class Instance:
    """One Part 10 file on a medium, by its file meta information. ``said``: its SHA-256 as a gateway remembered it."""

    file_id: str
    size: int  # bytes
    uid: str
    said: str | None


@dataclass(frozen=True, slots=True)
class Contents:
    """What was found. ``why_not``: why not the DICOMDIR says it; ``lacking``: (File ID, why) that cannot be read."""

    root: Path
    file_set_id: str
    file_set_uid: str
    why_not: str
    instances: tuple[Instance, ...]
    lacking: tuple[tuple[str, str], ...]
    others: int  # files that are no DICOM

    @property
    def how(self) -> str:
        if not self.why_not:
            return f"file-set {shown(self.file_set_id) or '(no ID)'}, by its DICOMDIR"
        return f"by its files ({self.why_not})"


def read(root: Path, register: Path, beat: Callable[[int], None] = lambda _: None) -> Contents:
    """Look at everything on the medium at ``root``. ``beat`` is told how many files were looked at.

    ``register``: the folder of the box's own register, which has SHA256.TXT of each file-set that it wrote, by its
    UID. Raises Retry if there is no medium, Held for one that is beyond belief, OSError if it cannot be read.
    """
    refuse_missing(root)
    by_directory = _Directory()
    try:
        by_directory.read(root)
        names, why_not = by_directory.names, ""
    except Malformed as error:
        names, why_not = {}, str(error)
    known, gone = hashes.remembered(root), tombstones.read(root)
    there = walk(root, OURS) if not why_not and known else walk(root) if why_not else ()
    own = hashes.read(register / by_directory.uid / hashes.NAME) if by_directory.uid else {}
    found: list[Instance] = []
    lacking: list[tuple[str, str]] = []
    looked = others = failures = 0
    for file_id in _each_once(names, there):
        looked += 1
        beat(looked)
        try:
            instance = _instance(root, file_id, own.get(file_id, known.get(file_id)))
        except (NoFile, Misuse) as error:
            if file_id in names or file_id in known:
                words = error.message.removeprefix(f"{file_id} ") if isinstance(error, Misuse) else str(error)
                lacking.append((file_id, words))
            else:
                others += 1
            continue
        except OSError as error:
            lacking.append((file_id, f"it cannot be read ({error.strerror})"))
            failures += 1
            if failures == MOST_FAILURES:
                raise
            continue
        failures = 0
        if file_id in own and own[file_id] != known.get(file_id, own[file_id]):
            lacking.append((file_id, "what the medium remembers of it is not what this box does"))
        elif instance is not None and gone.get(file_id) == instance.uid:
            lacking.append((file_id, "it was taken off this medium on purpose, and is about to go"))
        elif instance is not None:
            found.append(instance)
        if len(found) > MOST_FILES:
            raise Held(f"{root} holds more than {MOST_FILES} instances", "import one folder of it after the other")
    title, uid = by_directory.file_set_id, by_directory.uid
    return Contents(root, title, uid, why_not, tuple(found), tuple(lacking), others)


class _Directory:
    """What a DICOMDIR says, as far as it could be read."""

    def __init__(self) -> None:
        self.file_set_id = self.uid = ""
        self.names: dict[str, None] = {}  # File IDs in order

    def read(self, root: Path) -> None:
        """Raises Malformed if there is none, or no sound one."""
        descriptor = open_directory(root / DICOMDIR)
        if descriptor is None:
            raise Malformed("it has no DICOMDIR")
        try:
            source = Window(descriptor)
            top = read_top(source)
            self.file_set_id = top.file_set_id
            uid = part10.read(descriptor, DICOMDIR).sop_instance_uid
            self.uid = uid if _UID.fullmatch(uid) else ""
            for record in read_records(source, top):
                if record.in_use and record.values.get(0x00041500):
                    self.names[_file_id(record.text(0x00041500), record.at)] = None
        except Misuse as error:
            raise Malformed(error.message) from error
        except Malformed as error:
            raise Malformed(f"its DICOMDIR is damaged: {error}") from error
        finally:
            os.close(descriptor)


def _file_id(value: str, at: int) -> str:
    parts = [part.strip() for part in value.split("\\")]
    if len(parts) > 8 or not all(_COMPONENT.fullmatch(part) for part in parts):
        raise Malformed(f"the record at {at} has a File ID that is not allowed")
    return "/".join(parts)


def _each_once(names: dict[str, None], there: Iterator[str] | tuple[()]) -> Iterator[str]:
    yield from names
    yield from (name for name in there if name not in names)


def _instance(root: Path, file_id: str, said: str | None) -> Instance | None:
    """By its header; None for a DICOMDIR. Raises NoFile or Misuse if there is no Part 10 file."""
    descriptor = open_below(root, file_id)
    try:
        header = part10.read(descriptor, shown(file_id))
        size = os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)
    if header.sop_class_uid == DIRECTORY_CLASS:
        return None
    return Instance(file_id, size, header.sop_instance_uid, said)
