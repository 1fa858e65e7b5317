"""A file-set on a medium: put an instance on it so that, once said, it stays (PS3.10 section 8).

Order of one :func:`add`, each step synced before the next:

1. the file, under a temporary name; it is read back and its hash compared
2. the hash goes into ``GATEWAY/SHA256.TXT``
3. the file gets its own name (PA000001/ST000001/SE000001/IN000001)
4. the directory names it (:mod:`.dicomdir.layout`: fill, publish, link)

So no file of ours has its name without its hash being known, and what has one of our names and no hash is somebody
else's. No file is ever written over but by itself: a cut after 3 leaves one that no record names; the next add of the
same instance takes the same name, or ``repair`` takes it in. A directory that is ours and is missing or was cut between
two writes is rebuilt before anything is added.

What Linux's vfat makes of these steps, seen on a stick that loses its power (tests/pulls): syncing a file writes its
data, then its entry, then the FAT, in this order but not at once. A cut in between leaves a temporary file whose
clusters count as free, or a folder that has none yet; no record names them, and fsck.fat takes them off before the
stick is mounted again (:mod:`gateway.transfer.sticks.mounting`). A rename alone is on the medium without its data: see
:func:`gateway.fsops.rename`. A cut there leaves an empty file under the new name, which counts as none.

A file-set of another program is extended, if ``extend`` says so and its DICOMDIR is sound: before step 1 that one is
copied to ``GATEWAY/DICOMDIR.ORG`` and synced; step 4 replaces the DICOMDIR by a longer one that has all of it. FAT
has no atomic replacement: a cut may leave no DICOMDIR, but then .ORG is complete, and the next add or repair makes
it again. The same is done when another program has written over a DICOMDIR of ours.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway import fsops
from gateway.errors import Held, Retry
from gateway.model import InstanceRef
from gateway.transfer.media import hashes, original, profiles, tombstones
from gateway.transfer.media.dicomdir.directory import Directory, NotOurs
from gateway.transfer.media.dicomdir.elements import Malformed
from gateway.transfer.media.dicomdir.header import Header, read_header
from gateway.transfer.media.dicomdir.stores import Live, adopt
from gateway.transfer.media.medium import (
    DICOMDIR,
    MediumFull,
    MediumRefused,
    claimed,
    claimed_before,
    doubtful,
    in_words,
    refuse_foreign,
    refuse_links,
    refuse_unsound,
)
from gateway.transfer.media.medium import found as find_file
from gateway.transfer.media.removing import finish
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
    source_sha256: str  # of the file as it was read for the copy
    file_set_id: str
    file_set_uid: str


@dataclass(frozen=True, slots=True)
class FileSet:
    """What is on a medium, in numbers."""

    file_set_id: str
    file_set_uid: str
    instances: int


def add(
    root: Path,
    instance: InstanceRef,
    file_set_id: str,
    beat: Callable[[], None] = lambda: None,
    profile: str = profiles.DEFAULT,
    extend: bool = True,
) -> Filed:
    """Copy an instance to the file-set at ``root``, checked and named by its DICOMDIR; returns where it is.

    An instance that is on it already is compared, not copied again. ``file_set_id`` names a new file-set; an existing
    one keeps its own, and so with ``profile``. ``beat`` is called after each MiB. ``extend``: add to another program's
    file-set, too. Raises Retry if the medium is not there, write-protected or failing, MediumFull if it has no room for
    it, MediumRefused if it belongs to another program and may not or cannot be extended, any other Held if the instance
    does not fit the profile.
    """
    if not (fits := profiles.of(root, profile)).allows(instance.transfer_syntax_uid):
        raise fits.refusal(instance.path, instance.transfer_syntax_uid)
    header, source = _header(instance), Path(instance.path)
    with claimed(root, extend):
        profiles.claim(root, profile)
        directory = _opened(root, file_set_id, extend, beat)
        digest = ""
        if (found := directory.find(header.sop_instance_uid)) is not None:
            digest = _the_same(root, found, source, beat)
            if not digest:
                log.warning("medium %s: a file that its DICOMDIR names is gone or changed; rebuilding it", root)
                rebuild(root, file_set_id, beat)
                directory = _directory(root, file_set_id, extend, beat)
                if directory.find(header.sop_instance_uid) is not None:
                    raise Held(
                        f"the medium at {root} has another object with the UID {header.sop_instance_uid}",
                        "it is left as it is; the spool needs a look",
                    )
                found = None
        if found is None:
            if directory.adopted:
                original.keep(root)
            found, digest = _file(root, directory, header, source, beat)
        _open[root] = (_signature(root), directory)
    return Filed(found, digest, digest, directory.file_set_id, directory.file_set_uid)


def look(root: Path, file_set_id: str, beat: Callable[[], None] = lambda: None, extend: bool = True) -> FileSet | None:
    """What is on the medium at ``root``; None if there is no file-set yet, and then nothing is written to it.

    A directory of ours that was cut is rebuilt, at once: who takes the medium away next shall be able to read it.
    Another program's file-set is only looked at. Raises as :func:`add` does.
    """
    try:
        refuse_foreign(root, extend)
        if not claimed_before(root):
            found = adopt(root / DICOMDIR) if (root / DICOMDIR).exists() else None
            return FileSet(found.file_set_id, found.file_set_uid, found.counts["instance"]) if found else None
    except OSError as error:
        raise in_words(root, error) from error
    with claimed(root, extend):
        directory = _opened(root, file_set_id, extend, beat)
        _open[root] = (_signature(root), directory)
    count = directory.counts["instance"]
    return FileSet(directory.file_set_id, directory.file_set_uid, count) if count else None


def forget(root: Path) -> None:
    """The medium at ``root`` was taken away: what comes next is read anew."""
    _open.pop(root, None)
    doubtful.discard(root)


def _opened(root: Path, file_set_id: str, extend: bool, beat: Callable[[], None]) -> Directory:
    """The directory of a claimed medium, from memory if nobody else wrote to it; whoever is done remembers it again."""
    signature, directory = _open.pop(root, (None, None))
    if root in doubtful:
        rebuild(root, file_set_id, beat)
        doubtful.discard(root)
    if directory is None or signature != _signature(root) or not directory.current():
        directory = _directory(root, file_set_id, extend, beat)
    return directory


def _header(instance: InstanceRef) -> Header:
    try:
        header = read_header(Path(instance.path))
    except OSError as error:
        raise Held(f"{instance.path} cannot be read ({error.strerror})", "the spool needs a look") from error
    there = (header.sop_instance_uid, header.transfer_syntax_uid)
    if there != (instance.sop_instance_uid, instance.transfer_syntax_uid):
        raise Held(f"{instance.path} holds another SOP Instance than said", "it is not copied; the spool needs a look")
    return header


def _directory(root: Path, file_set_id: str, extend: bool, beat: Callable[[], None]) -> Directory:
    """The directory of ``root`` as the medium has it, mended if something was cut off."""
    finish(root, beat)
    path, theirs = root / DICOMDIR, original.end(root)
    try:
        found = original.load_ours(root)
        cause = "it is missing"
    except NotOurs as error:
        found = _others(root, extend, error)
    except Malformed as error:
        found, cause = None, str(error)
    if found is None and (path.exists() or theirs or hashes.remembered(root)):
        log.warning("medium %s: its DICOMDIR was cut or damaged (%s); rebuilding it", root, cause)
        rebuild(root, file_set_id, beat)
        try:
            found = original.load_ours(root)
        except NotOurs:  # nothing but what another program named
            found = adopt(path)
    found = found or Directory(Live(path), file_set_id)
    found.number = max(found.number, tombstones.last_number(tombstones.read(root)) + 1)
    return found


def _others(root: Path, extend: bool, cause: Malformed) -> Directory | None:
    if not extend:
        raise MediumRefused(
            f"the DICOMDIR at {root} was rewritten by another program ({cause})",
            'it is left as it is: use another medium, or set foreign = "extend" in [media]',
        )
    refuse_unsound(root)
    return adopt(root / DICOMDIR)


def _the_same(root: Path, file_id: str, source: Path, beat: Callable[[], None]) -> str:
    """The SHA-256 of both, read from both; "" if they differ or the medium's is gone."""
    there = find_file(root, file_id)
    if there is None or there.stat().st_size != source.stat().st_size:
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
    known = hashes.remembered(root) if (root / directory.file_id(header)).exists() else {}
    while _taken(root, file_id := directory.file_id(header), known, source, beat):
        directory.number += 1
    target = root / file_id
    refuse_links(root, file_id)
    fsops.make_folder(target.parent)
    digest = ""

    def check(written: Path) -> None:
        if hashes.of_file(written, beat) != digest:
            raise Retry(
                f"the medium at {root} gives back other data than it took", "replace it: it is worn out or a fake"
            )
        hashes.remember(root, file_id, digest)

    with source.open("rb") as data, fsops.new_file(target, check) as copy:
        digest = hashes.copy(data, copy, target, beat)
    directory.insert(header, file_id)
    return file_id, digest


def _taken(root: Path, file_id: str, known: Mapping[str, str], source: Path, beat: Callable[[], None]) -> bool:
    """Whether a file is there that is another one: it may be all that is left of something.

    The very same one, of ours, was only cut off before it was named, an empty one before its name had the data
    (fsops.rename). A whole one of another instance may have been named until somebody damaged its record.
    """
    path = root / file_id
    if any(os.path.lexists(folder) and not folder.is_dir() for folder in list(path.parents)[:3]):
        return True
    if not os.path.lexists(path) or (file_id in known and path.lstat().st_size == 0):
        return False
    return file_id not in known or {hashes.of_file(path, beat), hashes.of_file(source, beat)} != {known[file_id]}


def _signature(root: Path) -> Signature:
    try:
        stat = (root / DICOMDIR).stat()
    except FileNotFoundError:
        return (0, 0, 0, 0)
    return (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)
