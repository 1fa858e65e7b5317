"""How a stick is looked at: copied out with mtools, then read by DCMTK, dicom3tools, pydicom and media verify.

As a reader of DICOM media does it: the DICOMDIR, then the files that it names. What else lies about on a FAT that was
cut (a folder whose clusters are free) is looked at when the gateway has had its chance to go on.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pydicom
from pydicom.fileset import FileSet

from gateway.errors import GatewayError
from gateway.transfer import media
from tests.pulls.judge import Look
from tests.vm.stick import Stick


def look(stick: Stick, folder: Path, other: tuple[str, str] | None, whole: bool) -> Look:
    """It is copied to ``folder``, the ``whole`` of it. ``other``: name and hash of somebody else's file."""
    shutil.rmtree(folder, ignore_errors=True)
    if whole:
        objections = [f"mcopy: {words}" for words in stick.read_out(folder).splitlines()]
    else:
        for name in ("DICOMDIR", *(other or ())[:1]):
            stick.read(name, folder)
        objections = []
    intact = other is None or _sha256(folder / other[0]) == other[1]
    directory = folder / "DICOMDIR"
    if not directory.exists():
        return Look(False, {}, {}, tuple(objections), _verify(folder) if whole else (), intact)
    named: dict[str, str] = {}
    identity = ("", "")
    try:
        identity = _identity(directory)
        named, loose = tree(directory)
        if not whole:
            objections += [said for file_id in named.values() if (said := stick.read(file_id, folder))]
            for file_id in loose.values():
                stick.read(file_id, folder)
        # pydicom takes in what no link leads to yet, too: a cut between 'publish' and 'link' leaves such a record.
        others = {i.SOPInstanceUID: Path(i.path) for i in FileSet(directory)}
        if {uid: others.pop(uid, None) for uid in named} != {uid: folder / f for uid, f in named.items()}:
            objections.append("pydicom's FileSet reads other files than the records say")
        if not others.keys() <= loose.keys():
            objections.append("pydicom's FileSet reads instances that no record names")
    except Exception as error:  # whatever it is: others could not read it
        objections.append(f"pydicom: {error!r}")
    there = {file_id: folder / file_id for file_id in named.values() if (folder / file_id).is_file()}
    objections += _programs(directory, list(there.values()))
    hashes = {file_id: _sha256(path) for file_id, path in there.items()}
    problems = _verify(folder) if whole else ()
    return Look(True, named, hashes, tuple(objections), problems, intact, *identity)


def tree(directory: Path) -> tuple[dict[str, str], dict[str, str]]:
    """SOP Instance UID -> File ID of all that following a DICOMDIR's links reaches, and of the records besides."""
    ds = pydicom.dcmread(directory)
    by_offset = {item.seq_item_tell: item for item in ds.DirectoryRecordSequence}
    todo, seen = [ds.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity], {0}
    while todo:
        if (at := todo.pop()) == 0:
            continue
        if at in seen:
            raise ValueError(f"the record at {at} is reached twice")
        seen.add(at)
        record = by_offset[at]
        todo += [record.OffsetOfTheNextDirectoryRecord, record.OffsetOfReferencedLowerLevelDirectoryEntity]
    found: tuple[dict[str, str], dict[str, str]] = ({}, {})
    for at, record in by_offset.items():
        if "ReferencedFileID" in record:
            found[at not in seen][record.ReferencedSOPInstanceUIDInFile] = "/".join(record.ReferencedFileID)
    return found


def _identity(directory: Path) -> tuple[str, str]:
    """UID and ID of the file-set."""
    ds = pydicom.dcmread(directory, stop_before_pixels=True)
    return str(ds.file_meta.MediaStorageSOPInstanceUID), str(ds.get("FileSetID", ""))


def _verify(folder: Path) -> tuple[str, ...]:
    try:
        return media.verify(folder).problems
    except GatewayError as error:
        return (str(error),)


def _programs(directory: Path, files: list[Path]) -> list[str]:
    """What DCMTK and dicom3tools object to: the directory, and each file that it names."""
    found = []
    commands = [["dcmdump", "-q", str(directory)], ["dcdirdmp", str(directory)]]
    if files:
        commands.append(["dcmdump", "-q", *map(str, files)])
    for command in commands:
        done = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace", timeout=60)
        words = [line for line in done.stderr.splitlines() if line.startswith(("E:", "F:", "Error"))]
        if done.returncode or words:
            found.append(f"{command[0]}: {done.returncode} {' '.join(words)[:300]}")
    return found


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
