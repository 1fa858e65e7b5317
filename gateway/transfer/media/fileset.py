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
from pathlib import Path

from gateway import fsops
from gateway.errors import Held, Retry
from gateway.model import InstanceRef
from gateway.transfer.media import hashes, profiles
from gateway.transfer.media.dicomdir.directory import Directory, NotOurs
from gateway.transfer.media.dicomdir.elements import Malformed
from gateway.transfer.media.dicomdir.header import Header, read_header
from gateway.transfer.media.dicomdir.stores import Live, load
from gateway.transfer.media.medium import DICOMDIR, claimed, doubtful, refuse_links
from gateway.transfer.media.repairing import rebuild

log = logging.getLogger(__name__)

_MARGIN = 1 << 20  # bytes kept free beside the file itself: folders, directory, hashes

Signature = tuple[int, int, int, int]
_open: dict[Path, tuple[Signature, Directory]] = {}  # valid as long as nobody else touched the DICOMDIR


def add(
    root: Path,
    instance: InstanceRef,
    file_set_id: str,
    beat: Callable[[], None] = lambda: None,
    profile: str = profiles.DEFAULT,
) -> str:
    """Copy an instance to the file-set at ``root``, checked and named by its DICOMDIR; returns its File ID.

    An instance that is on it already is not copied again. ``file_set_id`` names a new file-set; an existing one
    keeps its own, and so with ``profile``. ``beat`` is called after each MiB. Raises Retry if the medium is not there,
    full, write-protected or failing, Held if the instance does not fit the profile or the medium belongs to another
    program.
    """
    if not (fits := profiles.of(root, profile)).allows(instance.transfer_syntax_uid):
        raise fits.refusal(instance.path, instance.transfer_syntax_uid)
    header = _header(instance)
    with claimed(root):
        profiles.claim(root, profile)
        signature, directory = _open.pop(root, (None, None))  # it comes back when all went well
        if root in doubtful:
            rebuild(root, file_set_id, beat)
            doubtful.discard(root)
        if directory is None or signature != _signature(root) or not directory.current():
            directory = _directory(root, file_set_id, beat)
        found = directory.find(header.sop_instance_uid)
        if found is not None and not _there(root, found, instance):
            log.warning("medium %s: a file that its DICOMDIR names is gone or changed; rebuilding the DICOMDIR", root)
            rebuild(root, file_set_id, beat)
            directory = _directory(root, file_set_id, beat)
            if directory.find(header.sop_instance_uid) is not None:
                raise Held(
                    f"the medium at {root} has another object with the UID {header.sop_instance_uid}",
                    "it is left as it is; the spool needs a look",
                )
            found = None
        if found is None:
            found = _file(root, directory, header, Path(instance.path), beat)
        _open[root] = (_signature(root), directory)
    return found


def _header(instance: InstanceRef) -> Header:
    try:
        header = read_header(Path(instance.path))
    except OSError as error:
        raise Held(f"{instance.path} cannot be read ({error.strerror})", "the spool needs a look") from error
    there = (header.sop_instance_uid, header.transfer_syntax_uid)
    if there != (instance.sop_instance_uid, instance.transfer_syntax_uid):
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
        raise Held(
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


def _there(root: Path, file_id: str, instance: InstanceRef) -> bool:
    try:
        size = (root / file_id).stat().st_size
    except FileNotFoundError:
        return False
    return size == Path(instance.path).stat().st_size


def _file(root: Path, directory: Directory, header: Header, source: Path, beat: Callable[[], None]) -> str:
    need, free = source.stat().st_size + _MARGIN, shutil.disk_usage(root).free
    if free < need:
        raise Retry(
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
    return file_id


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
