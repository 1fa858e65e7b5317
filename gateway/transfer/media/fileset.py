"""A file-set on a medium: put an instance on it so that, once said, it stays (PS3.10 section 8).

Order of one :func:`add`, each step synced before the next:

1. the file, under a temporary name, then its own (PA000001/ST000001/SE000001/IN000001)
2. it is read back and its hash compared
3. the hash goes into ``GATEWAY/SHA256.TXT``
4. the directory names it (:mod:`.dicomdir.layout`: fill, publish, link)

A cut after 1 to 3 leaves a file that no record names: the next add takes the same name and replaces it, or ``repair``
takes it in. A directory that is ours and is missing or was cut between two writes is rebuilt from the files
before anything is added. A medium that is not ours is refused untouched.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gateway import fsops
from gateway.errors import Held, Retry
from gateway.model import InstanceRef
from gateway.transfer.media import hashes
from gateway.transfer.media.dicomdir.directory import Directory, NotOurs
from gateway.transfer.media.dicomdir.elements import Malformed
from gateway.transfer.media.dicomdir.header import Header, read_header
from gateway.transfer.media.dicomdir.stores import Live, load
from gateway.transfer.media.medium import (
    DICOMDIR,
    MediumFull,
    MediumRefused,
    claimed,
    doubtful,
    in_words,
    refuse_foreign,
    refuse_links,
)
from gateway.transfer.media.repairing import rebuild

log = logging.getLogger(__name__)

_MARGIN = 1 << 20  # bytes kept free beside the file itself: folders, directory, hashes

Signature = tuple[int, int, int, int]
_open: dict[Path, tuple[Signature, Directory]] = {}  # valid as long as nobody else touched the DICOMDIR


@dataclass(frozen=True, slots=True)
class Filed:
    """Where an instance is now. ``sha256``: of its file there, as the medium gives it back; that is what was copied."""

    file_id: str
    sha256: str
    source_sha256: str  # of the spooled file as it was read for the copy
    file_set_id: str
    file_set_uid: str


@dataclass(frozen=True, slots=True)
class FileSet:
    """What is on a medium, in numbers."""

    file_set_id: str
    file_set_uid: str
    instances: int


def add(root: Path, instance: InstanceRef, file_set_id: str, beat: Callable[[], None] = lambda: None) -> Filed:
    """Copy an instance to the file-set at ``root``, checked and named by its DICOMDIR; returns where it is.

    An instance that is on it already is compared, not copied again. ``file_set_id`` names a new file-set; an existing
    one keeps its own. ``beat`` is called after each MiB. Raises Retry if the medium is not there, write-protected or
    failing, MediumFull if it has no room for it, MediumRefused if it belongs to another program, any other Held if the
    instance does not fit the media profiles.
    """
    header, source = _header(instance), Path(instance.path)
    with claimed(root):
        directory = _opened(root, file_set_id, beat)
        digest = ""
        if (found := directory.find(header.sop_instance_uid)) is not None:
            digest = _the_same(root / found, source, beat)
            if not digest:
                log.warning("medium %s: a file that its DICOMDIR names is gone or changed; rebuilding it", root)
                rebuild(root, file_set_id, beat)
                directory = _directory(root, file_set_id, beat)
                if directory.find(header.sop_instance_uid) is not None:
                    raise Held(
                        f"the medium at {root} has another object with the UID {header.sop_instance_uid}",
                        "it is left as it is; the spool needs a look",
                    )
                found = None
        if found is None:
            found, digest = _file(root, directory, header, source, beat)
        _open[root] = (_signature(root), directory)
    return Filed(found, digest, digest, directory.file_set_id, directory.file_set_uid)


def look(root: Path, file_set_id: str, beat: Callable[[], None] = lambda: None) -> FileSet | None:
    """What is on the medium at ``root``; None if there is no file-set yet, and then nothing is written to it.

    A directory of ours that was cut is rebuilt, at once: who takes the medium away next shall be able to read it.
    Raises as :func:`add` does.
    """
    try:
        refuse_foreign(root)
        if not (root / DICOMDIR).exists() and not hashes.place(root).exists():
            return None
    except OSError as error:
        raise in_words(root, error) from error
    with claimed(root):
        directory = _opened(root, file_set_id, beat)
        _open[root] = (_signature(root), directory)
    count = directory.counts["instance"]
    return FileSet(directory.file_set_id, directory.file_set_uid, count) if count else None


def forget(root: Path) -> None:
    """The medium at ``root`` was taken away: what comes next is read anew."""
    _open.pop(root, None)
    doubtful.discard(root)


def _opened(root: Path, file_set_id: str, beat: Callable[[], None]) -> Directory:
    """The directory of a claimed medium, from memory if nobody else wrote to it; whoever is done remembers it again."""
    signature, directory = _open.pop(root, (None, None))
    if root in doubtful:
        rebuild(root, file_set_id, beat)
        doubtful.discard(root)
    if directory is None or signature != _signature(root) or not directory.current():
        directory = _directory(root, file_set_id, beat)
    return directory


def _header(instance: InstanceRef) -> Header:
    try:
        header = read_header(Path(instance.path))
    except OSError as error:
        raise Held(f"{instance.path} cannot be read ({error.strerror})", "the spool needs a look") from error
    if header.sop_instance_uid != instance.sop_instance_uid:
        raise Held(f"{instance.path} holds another SOP Instance than said", "it is not copied; the spool needs a look")
    return header


def _directory(root: Path, file_set_id: str, beat: Callable[[], None]) -> Directory:
    """The directory of ``root`` as the medium has it, rebuilt from the files if it was cut."""
    path = root / DICOMDIR
    try:
        found = load(path)
        if found is None and not hashes.remembered(root):
            return Directory(Live(path), file_set_id)
        cause = "it is missing"
    except NotOurs as error:
        raise MediumRefused(
            f"the DICOMDIR at {root} was rewritten by another program ({error})",
            "it is left as it is: use another medium, or move that DICOMDIR away and run 'gateway media repair'",
        ) from error
    except Malformed as error:
        found, cause = None, str(error)
    if found is None:
        log.warning("medium %s: its DICOMDIR was cut or damaged (%s); rebuilding it from the files", root, cause)
        rebuild(root, file_set_id, beat)
        found = load(path)
    return found or Directory(Live(path), file_set_id)


def _the_same(there: Path, source: Path, beat: Callable[[], None]) -> str:
    """The SHA-256 of both, read from both; "" if they differ or the medium's is gone."""
    try:
        if there.stat().st_size != source.stat().st_size:
            return ""
    except FileNotFoundError:
        return ""
    digest = hashes.of_file(there, beat)
    return digest if digest == hashes.of_file(source, beat) else ""


def _file(root: Path, directory: Directory, header: Header, source: Path, beat: Callable[[], None]) -> tuple[str, str]:
    """Returns the new File ID, and the SHA-256 of what lies there."""
    need, free = source.stat().st_size + _MARGIN, shutil.disk_usage(root).free
    if free < need:
        raise MediumFull(
            f"the medium at {root} is full: {free >> 20} MiB free, {need >> 20} MiB needed",
            "put in another medium; what is on it stays readable",
        )
    while _damaged(root, file_id := directory.file_id(header), beat):
        directory.number += 1  # not over it: it may be all that is left of another instance
    target = root / file_id
    refuse_links(root, file_id)
    fsops.make_folder(target.parent)
    with source.open("rb") as data, fsops.new_file(target) as copy:
        digest = hashes.copy(data, copy, target, beat)
    if hashes.of_file(target, beat) != digest:
        fsops.unlink(target)
        raise Retry(f"the medium at {root} gives back other data than it took", "replace it: it is worn out or a fake")
    hashes.remember(root, file_id, digest)
    directory.insert(header, file_id)
    return file_id, digest


def _damaged(root: Path, file_id: str, beat: Callable[[], None]) -> bool:
    """Whether a file is there that is not what was written; a whole one was only cut off before it was named."""
    if not (root / file_id).exists():
        return False
    said = hashes.remembered(root).get(file_id)
    return said is not None and hashes.of_file(root / file_id, beat) != said


def _signature(root: Path) -> Signature:
    try:
        stat = (root / DICOMDIR).stat()
    except FileNotFoundError:
        return (0, 0, 0, 0)
    return (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)
