"""Which instances a person means by the files and folders that are named to be sent.

What is named must be there and be DICOM; what only lies in a named folder need not be. But what cannot be read, or is
damaged, is told of in any case: nobody shall believe that it was sent. A DICOMDIR that is named stands for the files
it names; one that lies in a folder stands for nothing, since those files are there themselves.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gateway.errors import Misuse
from gateway.model import InstanceRef
from gateway.transfer import bare, part10

DIRECTORY = "1.2.840.10008.1.3.10"  # Media Storage Directory Storage: the DICOMDIR, which describes and is not sent
_FIX = "name Part 10 files, folders of them, or a DICOMDIR"


@dataclass(slots=True)
class Found:
    """``others``: in a named folder, and no DICOM. ``unreadable``: path, and what is wrong with it."""

    instances: list[InstanceRef] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)


def find(paths: Sequence[Path]) -> Found:
    """Look at each file once. Raises Misuse for a named path that is not there or no DICOM, and if nothing is found."""
    found, seen = Found(), set[str]()
    for path in paths:
        if path.is_dir():
            for name in _below(str(path), found):
                if name not in seen:
                    seen.add(name)
                    _look(name, found, named=False)
        elif not os.path.lexists(path):
            raise Misuse(f"{path} does not exist", "name files or folders")
        elif str(path) not in seen:
            seen.add(str(path))
            _look(str(path), found, named=True)
    if not found.instances and not found.unreadable:
        raise Misuse("there is no DICOM file to send", _FIX)
    return found


def _below(folder: str, found: Found) -> Iterator[str]:
    """All files below a folder, by name; what cannot be listed is noted."""
    folders: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda e: e.name):
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif entry.is_file() or (entry.is_symlink() and not Path(entry.path).exists()):
                    yield entry.path
    except OSError as error:
        found.unreadable.append((folder, f"it cannot be listed: {error.strerror}"))
    for one in folders:
        yield from _below(one, found)


def _look(path: str, found: Found, named: bool) -> None:
    try:
        instance = part10.instance(Path(path))
    except Misuse as error:
        _look_again(path, error, found, named)
        return
    if instance.sop_class_uid != DIRECTORY:
        found.instances.append(instance)
    elif named:
        _named_by(Path(path), found)


def _look_again(path: str, wrong: Misuse, found: Found, named: bool) -> None:
    """It is no sound Part 10 file: unreadable, damaged, without a header, or something else altogether."""
    try:
        with open(path, "rb") as stream:  # noqa: PTH123
            start = stream.read(part10.PREAMBLE + 4)
        if not bare.is_bare(start):
            found.unreadable.append((path, wrong.message.removeprefix(f"{path} ")))
            return
        found.instances.append(bare.instance(Path(path)))
    except OSError as error:
        found.unreadable.append((path, f"it cannot be read: {error.strerror}"))
    except ValueError:
        if named:
            raise wrong from None
        found.others.append(path)


def _named_by(directory: Path, found: Found) -> None:
    """The files that a DICOMDIR names; those that it names in vain are told of."""
    # Few name one, and it takes as long to load as all the rest.
    from gateway.transfer.media.dicomdir.elements import Malformed  # noqa: PLC0415
    from gateway.transfer.media.dicomdir.stores import opened  # noqa: PLC0415
    from gateway.transfer.media.dicomdir.structure import read_records, read_top  # noqa: PLC0415
    from gateway.transfer.media.medium import Finder  # noqa: PLC0415

    find_file, names = Finder(directory.parent), dict[str, None]()
    try:
        with opened(directory) as source:
            assert source is not None
            for record in read_records(source, read_top(source)):
                if record.in_use and record.values.get(0x00041500):
                    names["/".join(part.strip() for part in record.text(0x00041500).split("\\"))] = None
    except Malformed as error:
        found.unreadable.append((str(directory), f"it is damaged ({error}); what it names further on is not sent"))
    for name in names:
        path = find_file(name)
        if path is None:
            found.unreadable.append((str(directory.parent / name), f"{directory.name} names it, and it is not there"))
        else:
            _look(str(path), found, named=False)
